// Prometheus text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats) and OpenMetrics 1.0.0.
// The differences are few: OpenMetrics names a counter's family without `_total`, has UNIT lines and exemplars, escapes
// quotes in HELP and ends with `# EOF`.
#include "sockeye/prometheus/render.h"

#include <array>
#include <charconv>
#include <cmath>

#include "sockeye/base/ids.h"
#include "sockeye/base/utf8.h"

namespace sockeye::prometheus {
namespace {

using model::MetricFamily;
using model::MetricSample;
using model::MetricType;

constexpr std::string_view total = "_total";

enum class Quote : std::uint8_t { keep, escape };

void append_escaped(std::string& out, std::string_view text, Quote quote) {
  if (base::valid_utf8_prefix(text) != text.size()) return append_escaped(out, base::repair_utf8(text), quote);
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quote == Quote::escape) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

template <class... Arguments>
void append_chars(std::string& out, Arguments... arguments) {
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), arguments...);
  out.append(text.data(), end.ptr);
}

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else if (value == 0 || (std::fabs(value) >= 1e-6 && std::fabs(value) < 1e17)) {
    append_chars(out, value, std::chars_format::fixed);
  } else {
    append_chars(out, value, std::chars_format::scientific);
  }
}

// OpenMetrics' canonical form, a float that looks like one. In both formats: a bucket is one series, whichever was
// scraped.
void append_bound(std::string& out, double bound) {
  const std::size_t begin = out.size();
  append_number(out, bound);
  if (out.find_first_of(".eNI", begin) == std::string::npos) out += ".0";
}

class Writer {
 public:
  explicit Writer(Format format) : openmetrics_(format == Format::openmetrics) {}

  void family(const MetricFamily& f) {
    std::string_view name = f.name;
    const bool counter = f.type == MetricType::counter;
    if (counter && openmetrics_ && name.ends_with(total)) name.remove_suffix(total.size());
    metadata(f, name);
    sample_name_ = f.name;
    if (counter && openmetrics_ && !f.name.ends_with(total)) sample_name_ += total;
    for (const auto& sample : f.samples) {
      if (f.type == MetricType::histogram) {
        histogram(sample);
      } else {
        begin_line(sample_name_, "");
        labels(sample, nullptr);
        append_number(out_, sample.value);
        out_ += '\n';
      }
    }
  }

  std::string finish() && {
    if (openmetrics_) out_ += "# EOF\n";
    return std::move(out_);
  }

 private:
  void metadata(const MetricFamily& f, std::string_view name) {
    constexpr std::array<std::string_view, 3> types{"counter", "gauge", "histogram"};
    if (!f.help.empty()) {
      out_.append("# HELP ").append(name).append(" ");
      append_escaped(out_, f.help, openmetrics_ ? Quote::escape : Quote::keep);
      out_ += '\n';
    }
    out_.append("# TYPE ").append(name).append(" ").append(types[static_cast<std::size_t>(f.type)]).append("\n");
    // A unit must be the name's suffix, or the whole exposition is invalid.
    if (openmetrics_ && !f.unit.empty() && name.size() > f.unit.size() && name.ends_with(f.unit) &&
        name[name.size() - f.unit.size() - 1] == '_')
      out_.append("# UNIT ").append(name).append(" ").append(f.unit).append("\n");
  }

  void begin_line(std::string_view name, std::string_view suffix) { out_.append(name).append(suffix); }

  // With the `le` of a bucket when there is one.
  void labels(const MetricSample& sample, const double* bound) {
    if (sample.labels.empty() && bound == nullptr) {
      out_ += ' ';
      return;
    }
    char separator = '{';
    for (const auto& [key, value] : sample.labels) {
      out_ += separator;
      out_.append(key).append("=\"");
      append_escaped(out_, value, Quote::escape);
      out_ += '"';
      separator = ',';
    }
    if (bound != nullptr) {
      out_ += separator;
      out_ += "le=\"";
      append_bound(out_, *bound);
      out_ += '"';
    }
    out_ += "} ";
  }

  void histogram(const MetricSample& sample) {
    const auto& h = sample.histogram;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i <= h.bounds.size(); ++i) {
      if (i < h.counts.size()) seen += h.counts[i];
      const double bound = i < h.bounds.size() ? h.bounds[i] : HUGE_VAL;
      begin_line(sample_name_, "_bucket");
      labels(sample, &bound);
      append_chars(out_, seen);
      if (openmetrics_ && i < h.exemplars.size() && h.exemplars[i]) exemplar(*h.exemplars[i]);
      out_ += '\n';
    }
    begin_line(sample_name_, "_sum");
    labels(sample, nullptr);
    append_number(out_, h.sum);
    out_ += '\n';
    begin_line(sample_name_, "_count");
    labels(sample, nullptr);
    append_chars(out_, seen);
    out_ += '\n';
  }

  // At most 128 characters of names and values of labels: these are 63, always.
  void exemplar(const model::Exemplar& e) {
    constexpr std::uint64_t second = 1'000'000'000;
    out_.append(" # {trace_id=\"").append(base::to_hex(e.trace_id));
    out_.append("\",span_id=\"").append(base::to_hex(e.span_id)).append("\"} ");
    append_number(out_, e.value);
    out_ += ' ';
    append_chars(out_, e.unix_ns / second);
    const std::string milliseconds = std::to_string(1000 + e.unix_ns % second / 1'000'000);
    out_.append(".").append(milliseconds, 1);
  }

  bool openmetrics_;
  std::string out_;
  std::string sample_name_;
};

}  // namespace

std::string_view content_type(Format format) {
  return format == Format::openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                       : "text/plain; version=0.0.4; charset=utf-8";
}

std::string render(const std::vector<MetricFamily>& families, Format format) {
  Writer writer(format);
  for (const auto& family : families) writer.family(family);
  return std::move(writer).finish();
}

}  // namespace sockeye::prometheus
