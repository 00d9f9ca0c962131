#include "replay_output.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <variant>

#include "sessions.h"
#include "sockeye/base/ids.h"
#include "sockeye/base/json.h"

namespace sockeye::app {
namespace {

using base::Json;
using model::MetricSample;

constexpr std::array<std::string_view, 3> statuses{"unset", "ok", "error"};
constexpr std::array<std::string_view, 6> kinds{"", "internal", "server", "client", "producer", "consumer"};

std::uint64_t observations(const MetricSample& sample) {
  std::uint64_t sum = 0;
  for (const auto count : sample.histogram.counts) sum += count;
  return sum;
}
bool says_something(const MetricSample& sample) { return sample.value != 0 || observations(sample) > 0; }

void attributes(Json& json, const model::Attributes& from) {
  json.key("attributes").open('{');
  for (const auto& [key, value] : from) {
    json.key(key);
    if (const auto* text = std::get_if<std::string>(&value)) json.text(*text);
    if (const auto* flag = std::get_if<bool>(&value)) json.boolean(*flag);
    if (const auto* whole = std::get_if<std::int64_t>(&value)) json.number(*whole);
    if (const auto* real = std::get_if<double>(&value)) json.number(*real);
  }
  json.close('}');
}

void span_json(Json& json, const model::Span& span) {
  json.open('{').key("name").text(span.name).key("trace_id").text(base::to_hex(span.trace_id));
  json.key("span_id").text(base::to_hex(span.span_id)).key("parent_id");
  if (span.parent_id.is_zero())
    json.null();
  else
    json.text(base::to_hex(span.parent_id));
  json.key("kind").text(kinds[static_cast<std::size_t>(span.kind)]);
  json.key("status").text(statuses[static_cast<std::size_t>(span.status)]);
  if (!span.status_message.empty()) json.key("status_message").text(span.status_message);
  json.key("start_unix_ns").text(std::to_string(span.start_unix_ns));
  json.key("end_unix_ns").text(std::to_string(span.end_unix_ns));
  attributes(json, span.attributes);
  json.key("events").open('[');
  for (const auto& event : span.events) {
    json.open('{').key("name").text(event.name).key("unix_ns").text(std::to_string(event.time_unix_ns));
    attributes(json, event.attributes);
    json.close('}');
  }
  json.close(']').key("links").open('[');
  for (const auto& link : span.links) {
    json.open('{').key("trace_id").text(base::to_hex(link.trace_id)).key("span_id").text(base::to_hex(link.span_id));
    attributes(json, link.attributes);
    json.close('}');
  }
  json.close(']').close('}');
}

void sample_json(Json& json, const model::MetricFamily& family, const MetricSample& sample) {
  json.open('{').key("name").text(family.name).key("labels").open('{');
  for (const auto& [name, value] : sample.labels) json.key(name).text(value);
  json.close('}');
  if (family.type == model::MetricType::histogram)
    json.key("count").number(observations(sample)).key("sum").number(sample.histogram.sum);
  else
    json.key("value").number(sample.value);
  json.close('}');
}

// "1.234 ms", "2.5 s".
std::string took(std::uint64_t ns) {
  std::array<char, 32> text{};
  const auto ms = static_cast<double>(ns) / 1e6;
  std::snprintf(text.data(), text.size(), ms < 1000 ? "%.3f ms" : "%.3f s", ms < 1000 ? ms : ms / 1000);
  return text.data();
}

std::string real(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.12g", value);
  return text.data();
}

// Control characters made visible: what a peer sent moves no cursor.
std::string visible(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '.' : c;
  return out;
}

std::string session_text(const capture::Replayed& replayed) {
  const auto& row = replayed.row;
  const auto& facts = row.record.facts;
  const auto& figures = row.record.figures;
  std::string out = "session " + base::to_uuid(facts.id) + "\n";
  const auto line = [&out](std::string_view name, const std::string& value) {
    if (!value.empty()) out.append("  ").append(name).append(12 - name.size(), ' ').append(visible(value)).append("\n");
  };
  line("route", facts.route);
  line("target", facts.host + facts.target);
  line("client", facts.client);
  line("server", facts.server);
  line("opened", base::iso8601(facts.opened_unix_ns / 1'000'000));
  line("subprotocol", facts.subprotocol);
  line("extensions", facts.extensions);
  line("dialect", figures.dialect);
  for (std::size_t i = 0; i < 2; ++i)
    line(i == 0 ? "c2s" : "s2c",
         std::to_string(figures.messages[i]) + " messages, " + std::to_string(figures.bytes[i]) + " bytes");
  line("anomalies", std::to_string(figures.anomalies));
  if (const auto& close = row.detail.close)
    line("end", std::to_string(close->code) + " by the " + std::string(model::name(close->initiator)) + ", " +
                    std::string(model::name(close->why)) + (close->reason.empty() ? "" : ": " + close->reason));
  if (replayed.truncated) line("note", "the recording was ended before the session was");
  if (replayed.incomplete) line("note", "the file is incomplete: its writer was interrupted");
  return out;
}

}  // namespace

std::string replay_json(const Observed& observed) {
  const auto& row = observed.session.row;
  Json json;
  json.open('{').key("session");
  std::string session = session_json(row, &observed.session.recorder, row.wall.unix_ns(row.now) / 1'000'000);
  while (!session.empty() && session.back() == '\n') session.pop_back();
  json.raw(session);
  json.key("truncated").boolean(observed.session.truncated).key("incomplete").boolean(observed.session.incomplete);
  json.key("spans").open('[');
  for (const auto& span : observed.spans) span_json(json, span);
  json.close(']').key("metrics").open('[');
  for (const auto& family : observed.metrics)
    for (const auto& sample : family.samples)
      if (says_something(sample)) sample_json(json, family, sample);
  json.close(']').close('}');
  return json.take() + "\n";
}

std::string replay_text(const Observed& observed) {
  std::string out = session_text(observed.session);
  out += "spans\n";
  for (const auto& span : observed.spans)
    out += "  " + visible(span.name) + "  " + took(span.end_unix_ns - std::min(span.start_unix_ns, span.end_unix_ns)) +
           (span.status == model::SpanStatus::error ? "  error " + visible(span.status_message) : "") + "  " +
           base::to_hex(span.trace_id) + "/" + base::to_hex(span.span_id) + "\n";
  out += "metrics\n";
  for (const auto& family : observed.metrics)
    for (const auto& sample : family.samples) {
      if (!says_something(sample)) continue;
      out += "  " + std::string(family.name) + "{";
      for (const auto& [name, value] : sample.labels)
        out += (out.back() == '{' ? "" : ",") + std::string(name) + "=\"" + visible(value) + "\"";
      out += "} ";
      if (family.type == model::MetricType::histogram)
        out += std::to_string(observations(sample)) + " (sum " + real(sample.histogram.sum) + ")\n";
      else
        out += real(sample.value) + "\n";
    }
  return out;
}

}  // namespace sockeye::app
