// Answers: ExportTraceServiceResponse & co. (OTLP specification, "Partial Success") and google.rpc.Status with
// google.rpc.RetryInfo ("Throttling").
#include <algorithm>
#include <cstdint>
#include <protozero/pbf_writer.hpp>
#include <string>

#include "json_text.h"
#include "sockeye/base/utf8.h"
#include "sockeye/intake/decode.h"
#include "sockeye/model/otlp_fields.h"

namespace sockeye::intake {
namespace {

using protozero::pbf_writer;

constexpr std::string_view retry_info = "type.googleapis.com/google.rpc.RetryInfo";
constexpr std::uint64_t longest_wait_ms = 315'576'000'000ULL * 1000;  // google.protobuf.Duration: 10,000 years

std::string_view rejected_name(Signal signal) {
  switch (signal) {
    case Signal::traces:
      return "rejectedSpans";
    case Signal::logs:
      return "rejectedLogRecords";
    case Signal::metrics:
      break;
  }
  return "rejectedDataPoints";
}

// Duration in JSON: seconds with as many digits as it needs of 3.
std::string seconds(std::uint64_t ms) {
  std::string out = std::to_string(ms / 1000);
  if (const std::uint64_t rest = ms % 1000; rest != 0) out += '.' + std::to_string(1000 + rest).substr(1);
  return out + 's';
}

// Writers close their message as they end: before `out` is returned, hence functions of their own.
void write_partial(std::string& out, const Tally& tally) {
  pbf_writer response(out);
  pbf_writer partial(response, model::otlp::response::partial_success);
  partial.add_int64(model::otlp::partial_success::rejected,
                    static_cast<std::int64_t>(std::min<std::uint64_t>(tally.rejected, INT64_MAX)));
  partial.add_string(model::otlp::partial_success::error_message, base::repair_utf8(tally.message));
}

void write_status(std::string& out, int code, std::string_view message, std::uint64_t retry_after_ms) {
  pbf_writer writer(out);
  writer.add_int32(1, code);
  writer.add_string(2, base::repair_utf8(message));
  if (retry_after_ms == 0) return;
  pbf_writer detail(writer, 3);  // google.protobuf.Any
  detail.add_string(1, retry_info.data(), retry_info.size());
  pbf_writer info(detail, 2);
  pbf_writer delay(info, 1);
  delay.add_int64(1, static_cast<std::int64_t>(retry_after_ms / 1000));
  delay.add_int32(2, static_cast<std::int32_t>(retry_after_ms % 1000 * 1'000'000));
}

}  // namespace

std::string success(Signal signal, Format format, const Tally& tally) {
  std::string out;
  if (format == Format::json) {
    if (tally.rejected == 0) return "{}";
    out = "{\"partialSuccess\":{\"";
    out += rejected_name(signal);
    out += "\":\"" + std::to_string(tally.rejected) + "\",\"errorMessage\":";  // int64 is a string in protobuf's JSON
    append_json(out, tally.message);
    return out += "}}";
  }
  if (tally.rejected > 0) write_partial(out, tally);
  return out;
}

std::string status(Format format, int code, std::string_view message, std::uint64_t retry_after_ms) {
  retry_after_ms = std::min(retry_after_ms, longest_wait_ms);
  std::string out;
  if (format == Format::json) {
    out = "{\"code\":" + std::to_string(code) + ",\"message\":";
    append_json(out, message);
    if (retry_after_ms > 0) {
      out += ",\"details\":[{\"@type\":\"";
      out += retry_info;
      out += "\",\"retryDelay\":\"" + seconds(retry_after_ms) + "\"}]";
    }
    return out += '}';
  }
  write_status(out, code, message, retry_after_ms);
  return out;
}

}  // namespace sockeye::intake
