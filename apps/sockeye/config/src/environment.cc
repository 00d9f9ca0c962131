// OpenTelemetry's environment variables (opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables).
#include <charconv>

#include "draft.h"
#include "sockeye/config/text.h"
#include "sockeye/model/names.h"

namespace sockeye::config {
namespace {

class Variables {
 public:
  Variables(Draft& draft, const Environment& environment) : draft_(draft), environment_(environment) {}

  // "" when unset: the specification makes no difference between unset and empty.
  [[nodiscard]] std::string get(const std::string& name) const {
    const char* value = environment_ ? environment_(name.c_str()) : nullptr;
    return value == nullptr ? std::string() : std::string(value);
  }
  void ignored(const std::string& name, const std::string& why) {
    draft_.settings.warnings.push_back(name + " is ignored: " + why);
  }
  // OTEL_EXPORTER_OTLP_TRACES_x, else OTEL_EXPORTER_OTLP_x: {name, value}.
  [[nodiscard]] std::pair<std::string, std::string> exporter(const std::string& what) const {
    std::string name = "OTEL_EXPORTER_OTLP_TRACES_" + what;
    std::string value = get(name);
    if (!value.empty()) return {std::move(name), std::move(value)};
    name = "OTEL_EXPORTER_OTLP_" + what;
    value = get(name);
    return {std::move(name), std::move(value)};
  }
  otlp::Pairs pairs(const std::string& name, const std::string& value) {
    if (value.empty()) return {};
    auto parsed = otlp::parse_pairs(value);
    if (parsed) return *std::move(parsed);
    ignored(name, parsed.error().message);
    return {};
  }

 private:
  Draft& draft_;
  const Environment& environment_;
};

void apply_resource(Variables& v, Draft& draft) {
  auto& resource = draft.settings.otlp.resource;
  const std::string name = "OTEL_RESOURCE_ATTRIBUTES";
  for (auto& [key, value] : v.pairs(name, v.get(name))) {
    if (key == model::attribute::service_name)
      resource.service_name = value;
    else
      resource.attributes.emplace_back(std::move(key), std::move(value));
  }
  if (auto service = v.get("OTEL_SERVICE_NAME"); !service.empty()) resource.service_name = std::move(service);
}

void apply_endpoint(Variables& v, Draft& draft) {
  auto& otlp = draft.settings.otlp;
  const std::string exporter = v.get("OTEL_TRACES_EXPORTER");
  if (exporter == "none") return;
  if (!exporter.empty() && exporter != "otlp")
    v.ignored("OTEL_TRACES_EXPORTER", quote(exporter) + " is not supported; expected otlp or none");
  const auto endpoint = [&](const std::string& name, std::string& into) {
    const std::string value = v.get(name);
    if (value.empty()) return;
    if (auto url = parse_endpoint(value)) {
      into = *url;
      draft.settings.tracing = true;
    } else {
      v.ignored(name, url.error().message);
    }
  };
  endpoint("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.endpoint);
  endpoint("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", otlp.traces_endpoint);
}

void apply_exporter(Variables& v, Draft& draft) {
  auto& otlp = draft.settings.otlp;
  if (const auto [name, value] = v.exporter("PROTOCOL"); !value.empty() && value != "http/protobuf")
    v.ignored(name, "this version does not support " + quote(value) +
                        "; spans go out as http/protobuf, which collectors take on port 4318");
  if (const auto [name, value] = v.exporter("HEADERS"); !value.empty()) otlp.headers = v.pairs(name, value);
  if (const auto [name, value] = v.exporter("TIMEOUT"); !value.empty()) {
    if (const auto ms = parse_integer(value, 1, 3'600'000))
      otlp.timeout = std::chrono::milliseconds(*ms);
    else
      v.ignored(name, ms.error().message + " (milliseconds)");
  }
  if (const auto [name, value] = v.exporter("COMPRESSION"); value == "gzip" || value == "none")
    otlp.compression = value == "gzip" ? otlp::Compression::gzip : otlp::Compression::none;
  else if (!value.empty())
    v.ignored(name, quote(value) + " is not known; expected gzip or none");
  if (auto [name, value] = v.exporter("CERTIFICATE"); !value.empty()) otlp.tls.ca = std::move(value);
  if (auto [name, value] = v.exporter("CLIENT_CERTIFICATE"); !value.empty()) otlp.tls.certificate = std::move(value);
  if (auto [name, value] = v.exporter("CLIENT_KEY"); !value.empty()) otlp.tls.key = std::move(value);
}

void apply_sampler(Variables& v, Draft& draft) {
  const std::string sampler = v.get("OTEL_TRACES_SAMPLER");
  if (sampler.empty()) return;
  std::string_view rest = sampler;
  constexpr std::string_view parent = "parentbased_";
  const bool parent_based = rest.starts_with(parent);
  if (parent_based) rest.remove_prefix(parent.size());
  double ratio = 1;
  if (rest == "always_off") {
    ratio = 0;
  } else if (rest == "traceidratio") {
    if (const std::string arg = v.get("OTEL_TRACES_SAMPLER_ARG"); !arg.empty()) {
      if (const auto read = parse_ratio(arg))
        ratio = *read;
      else
        v.ignored("OTEL_TRACES_SAMPLER_ARG", read.error().message);
    }
  } else if (rest != "always_on") {
    v.ignored("OTEL_TRACES_SAMPLER", quote(sampler) +
                                         " is not supported; expected always_on, always_off, traceidratio, or one of "
                                         "these behind parentbased_");
    return;
  }
  draft.sampling.ratio = ratio;
  draft.sampling.parent_based = parent_based;
}

void apply_propagators(Variables& v, Draft& draft) {
  const std::string list = v.get("OTEL_PROPAGATORS");
  if (list.empty()) return;
  observer::PropagationOptions chosen;
  chosen.tracecontext = chosen.b3 = chosen.b3_inject = chosen.baggage = false;
  bool known = false;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    std::string_view word = std::string_view(list).substr(at, comma - at);
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    at = comma + 1;
    if (word.empty()) continue;
    if (word == "tracecontext") {
      chosen.tracecontext = known = true;
    } else if (word == "baggage") {
      chosen.baggage = known = true;
    } else if (word == "b3") {
      chosen.b3 = chosen.b3_inject = known = true;
    } else if (word == "b3multi") {
      // Both forms are read; of the two only the single one is ever written.
      chosen.b3 = known = true;
      v.ignored("OTEL_PROPAGATORS", "b3multi is read but not sent; list b3 to send the single header");
    } else if (word == "none") {
      known = true;
    } else {
      v.ignored("OTEL_PROPAGATORS",
                quote(word) + " is not supported; expected tracecontext, baggage, b3, b3multi or none");
    }
  }
  if (known) draft.propagation = chosen;
}

}  // namespace

void apply_environment(Draft& draft, const Environment& environment) {
  Variables v(draft, environment);
  apply_resource(v, draft);
  apply_endpoint(v, draft);
  apply_exporter(v, draft);
  apply_sampler(v, draft);
  apply_propagators(v, draft);
  if (const std::string disabled = v.get("OTEL_SDK_DISABLED"); !disabled.empty()) {
    // Only "true", in any case, is true; anything else is false (specification, "Boolean value").
    const auto value = parse_boolean(disabled);
    draft.disabled = value && *value && disabled.size() == 4;
    if (!value) v.ignored("OTEL_SDK_DISABLED", value.error().message);
  }
}

}  // namespace sockeye::config
