#include "options_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "sockeye/dialect/program.h"
#include "sockeye/dialect/registry.h"

namespace sockeye::capture {
namespace {

using observer::Options;
using Mode = observer::DialectOptions::Mode;

constexpr std::array<std::string_view, 3> inflates{"auto", "always", "never"};
constexpr std::array<std::string_view, 3> scopes{"connection", "invocation", "auto"};
constexpr std::array<std::string_view, 3> browsers{"off", "extract", "remove"};

std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return {buffer.data(), end};
}
std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) out += line + "\n";
  return out;
}
std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return out;
}

void read(std::string_view text, bool& out) { out = text == "true"; }
void read(std::string_view text, double& out) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size() && value >= 0 && value <= 1) out = value;
}
void read(std::string_view text, std::uint64_t& out) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size()) out = value;
}
// Nanoseconds; at most a year.
void read(std::string_view text, base::Duration& out) {
  constexpr std::uint64_t year = 31'557'600ULL * 1'000'000'000ULL;
  std::uint64_t value = year + 1;
  read(text, value);
  if (value <= year) out = base::Duration(static_cast<std::int64_t>(value));
}
template <class E>
void read(std::string_view text, const std::array<std::string_view, 3>& names, E& out) {
  const auto found = std::find(names.begin(), names.end(), text);
  if (found != names.end()) out = static_cast<E>(found - names.begin());
}

void read_dialect(std::string_view text, Options& out, std::string& missing) {
  out.dialect.mode = Mode::none;
  if (text == "none") return;
  if (text == "auto") {
    out.dialect.mode = Mode::automatic;
    return;
  }
  out.dialect.program = dialect::find(dialect::built_in(), text);
  if (out.dialect.program)
    out.dialect.mode = Mode::fixed;
  else
    missing = text;
}

std::string dialect_text(const observer::DialectOptions& options) {
  if (options.mode == Mode::none) return "none";
  return options.mode == Mode::automatic ? "auto" : std::string(dialect::name(*options.program));
}

constexpr std::string_view extensions_name = "extensions";

}  // namespace

void put_extensions(Texts& out, const wire::Extensions& extensions) {
  if (!extensions.certain) return;
  std::string text;
  if (extensions.deflate) {
    const wire::DeflateParameters& p = extensions.parameters;
    text = "permessage-deflate";
    if (p.client_no_context_takeover) text += "; client_no_context_takeover";
    if (p.server_no_context_takeover) text += "; server_no_context_takeover";
    text += "; client_max_window_bits=" + std::to_string(p.client_max_window_bits);
    text += "; server_max_window_bits=" + std::to_string(p.server_max_window_bits);
  }
  if (extensions.other) text += text.empty() ? "unknown" : ", unknown";
  out.emplace_back(extensions_name, std::move(text));
}

wire::Extensions extensions_of(const Session& session) {
  if (!session.attached) return wire::negotiated(session.request.view(), session.response.view()).extensions;
  const auto found = std::find_if(session.options.begin(), session.options.end(),
                                  [](const auto& each) { return each.first == extensions_name; });
  if (found == session.options.end()) return {.deflate = true, .other = false, .certain = false, .parameters = {}};
  model::HttpHead request;
  model::HttpHead response;
  response.status = 101;
  request.fields.push_back(
      {"Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits; server_max_window_bits, unknown"});
  if (!found->second.empty()) response.fields.push_back({"Sec-WebSocket-Extensions", found->second});
  return wire::negotiated(request, response).extensions;
}

Texts to_texts(const Options& o) {
  const auto number = [](auto value) { return std::to_string(value); };
  Texts out{{"route", o.route},
            {"vantage", o.vantage},
            {"dialect", dialect_text(o.dialect)},
            {"trace_scope", std::string(scopes[static_cast<std::size_t>(o.scope)])},
            {"message_spans", text_of(o.message_spans)},
            {"gen_ai", text_of(o.gen_ai)},
            {"seed_names", text_of(o.seed_names)},
            {"inflate", std::string(inflates[static_cast<std::size_t>(o.inflate)])},
            {"inflated", number(o.inflated)},
            {"segment_ns", number(o.segment.count())},
            {"sampling.ratio", text_of(o.sampling.ratio)},
            {"sampling.parent_based", text_of(o.sampling.parent_based)},
            {"sampling.keep_errors", text_of(o.sampling.keep_errors)},
            {"sampling.keep_stuck", text_of(o.sampling.keep_stuck)},
            {"sampling.keep_slow_ns", number(o.sampling.keep_slow.count())},
            {"propagation.tracecontext", text_of(o.propagation.tracecontext)},
            {"propagation.b3", text_of(o.propagation.b3)},
            {"propagation.b3_inject", text_of(o.propagation.b3_inject)},
            {"propagation.baggage", text_of(o.propagation.baggage)},
            {"propagation.browser", std::string(browsers[static_cast<std::size_t>(o.propagation.browser)])},
            {"redact", joined(o.redact)}};
  if (o.dialect.mode == Mode::automatic && o.dialect.known) {
    std::vector<std::string> names;
    for (const auto& each : *o.dialect.known) names.emplace_back(dialect::name(*each));
    out.emplace_back("dialects", joined(names));
  }
  return out;
}

Options from_texts(const Texts& texts, std::string& missing) {
  Options o;
  for (const auto& [name, text] : texts) {
    if (name == "route") o.route = text;
    if (name == "vantage") o.vantage = text;
    if (name == "dialect") read_dialect(text, o, missing);
    if (name == "trace_scope") read(text, scopes, o.scope);
    if (name == "message_spans") read(text, o.message_spans);
    if (name == "gen_ai") read(text, o.gen_ai);
    if (name == "seed_names") read(text, o.seed_names);
    if (name == "inflate") read(text, inflates, o.inflate);
    if (name == "inflated") read(text, o.inflated);
    if (name == "segment_ns") read(text, o.segment);
    if (name == "sampling.ratio") read(text, o.sampling.ratio);
    if (name == "sampling.parent_based") read(text, o.sampling.parent_based);
    if (name == "sampling.keep_errors") read(text, o.sampling.keep_errors);
    if (name == "sampling.keep_stuck") read(text, o.sampling.keep_stuck);
    if (name == "sampling.keep_slow_ns") read(text, o.sampling.keep_slow);
    if (name == "propagation.tracecontext") read(text, o.propagation.tracecontext);
    if (name == "propagation.b3") read(text, o.propagation.b3);
    if (name == "propagation.b3_inject") read(text, o.propagation.b3_inject);
    if (name == "propagation.baggage") read(text, o.propagation.baggage);
    if (name == "propagation.browser") read(text, browsers, o.propagation.browser);
    if (name == "redact") o.redact = lines_of(text);
    if (name == "dialects") {
      std::vector<dialect::ProgramRef> known;
      for (const auto& each : lines_of(text))
        if (auto found = dialect::find(dialect::built_in(), each)) known.push_back(std::move(found));
      o.dialect.known = std::make_shared<const std::vector<dialect::ProgramRef>>(std::move(known));
    }
  }
  if (o.route.empty()) o.route = "default";
  return o;
}

}  // namespace sockeye::capture
