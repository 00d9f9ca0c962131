#include "answer.h"

#include <algorithm>
#include <exception>
#include <protozero/pbf_reader.hpp>

#include "sockeye/model/otlp_fields.h"

namespace sockeye::otlp {
namespace {

using pipeline::Delivery;
using pipeline::ErrorKind;
using pipeline::Outcome;

constexpr std::size_t longest_line = 160;

namespace fields = model::otlp;

struct Partial {
  std::int64_t rejected = 0;
  std::string message;
};

std::optional<Partial> parse_response(std::string_view body) {
  Partial partial;
  try {
    protozero::pbf_reader response(body.data(), body.size());
    while (response.next(fields::response::partial_success, protozero::pbf_wire_type::length_delimited)) {
      protozero::pbf_reader success = response.get_message();
      while (success.next()) {
        switch (success.tag_and_type()) {
          case protozero::tag_and_type(fields::partial_success::rejected, protozero::pbf_wire_type::varint):
            partial.rejected = success.get_int64();
            break;
          case protozero::tag_and_type(fields::partial_success::error_message,
                                       protozero::pbf_wire_type::length_delimited):
            partial.message = success.get_string();
            break;
          default:
            success.skip();
        }
      }
    }
  } catch (const std::exception&) {
    return {};
  }
  return partial;
}

// google.rpc.Status{message = 2}.
std::string parse_status(std::string_view body) {
  try {
    protozero::pbf_reader status(body.data(), body.size());
    if (status.next(2, protozero::pbf_wire_type::length_delimited)) return status.get_string();
  } catch (const std::exception&) {
    return {};
  }
  return {};
}

Delivery accepted(const Answer& answer, std::uint32_t spans) {
  Delivery delivery;
  delivery.outcome = Outcome::accepted;
  const auto unreadable = [&](const char* why) {
    delivery.error = ErrorKind::response;
    delivery.message = why;
    return delivery;
  };
  // The status says that the request was taken; sending it again would only double it.
  if (!answer.whole) return unreadable("the answer broke off after its status");
  if (!answer.protobuf) return delivery;
  const auto partial = parse_response(answer.body);
  if (!partial) return unreadable("the answer is not an ExportTraceServiceResponse");
  if (partial->rejected > 0) {
    delivery.outcome = Outcome::partial;
    delivery.error = ErrorKind::partial;
    delivery.rejected_spans = static_cast<std::uint32_t>(std::min<std::int64_t>(partial->rejected, spans));
    delivery.message = std::to_string(delivery.rejected_spans) + " spans: " + one_line(partial->message);
  }
  return delivery;
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string out(text.substr(0, longest_line));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

Delivery judge(const Answer& answer, std::uint32_t spans) {
  if (answer.status >= 200 && answer.status < 300) return accepted(answer, spans);
  Delivery delivery;
  delivery.message = "HTTP " + std::to_string(answer.status);
  if (answer.protobuf && answer.whole)
    if (const std::string why = one_line(parse_status(answer.body)); !why.empty()) delivery.message += ": " + why;
  switch (answer.status) {
    case 429:
    case 503:
      delivery.error = answer.status == 429 ? ErrorKind::throttled : ErrorKind::unavailable;
      break;
    case 502:
    case 504:  // a gateway's: what is behind it may have the request
      delivery.error = ErrorKind::unavailable;
      delivery.maybe_delivered = true;
      break;
    default:
      delivery.outcome = Outcome::rejected;
      delivery.error = ErrorKind::refused;
      return delivery;
  }
  delivery.outcome = Outcome::retryable;
  delivery.retry_after = answer.retry_after;
  return delivery;
}

}  // namespace sockeye::otlp
