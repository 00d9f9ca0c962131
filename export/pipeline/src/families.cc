#include "families.h"
#include "sockeye/model/names.h"

#include <array>
#include <utility>

namespace sockeye::pipeline {
namespace {

using model::MetricFamily;
using model::MetricSample;
using model::MetricType;

constexpr std::array<std::string_view, static_cast<std::size_t>(DropReason::count_)> reasons{
    "queue_full", "spool_full", "spool_corrupt", "rejected", "shutdown"};
constexpr std::array<std::string_view, static_cast<std::size_t>(ErrorKind::count_)> kinds{
    "none",      "resolve",     "connect", "tls",     "timeout",     "reset",     "response",
    "throttled", "unavailable", "refused", "partial", "spool_write", "spool_read"};

template <class Number>
MetricSample sample(Number value) {
  MetricSample one;
  one.value = static_cast<double>(value);
  return one;
}

template <class Number>
MetricSample sample(std::string_view label, std::string_view value, Number number) {
  MetricSample one = sample(number);
  one.labels.emplace_back(label, std::string(value));
  return one;
}

MetricFamily family(std::string_view name, std::string_view help, std::string_view unit, MetricType type,
                    std::vector<MetricSample> samples) {
  return {name, help, unit, type, std::move(samples)};
}

}  // namespace

std::string_view name(DropReason r) { return reasons[static_cast<std::size_t>(r)]; }
std::string_view name(ErrorKind k) { return kinds[static_cast<std::size_t>(k)]; }

std::vector<MetricFamily> to_families(const SpanCounts& a) {
  std::vector<MetricSample> dropped;
  for (std::size_t i = 0; i < reasons.size(); ++i) dropped.push_back(sample("reason", reasons[i], a.dropped[i]));
  std::vector<MetricSample> errors;
  for (std::size_t i = 1; i < kinds.size(); ++i) errors.push_back(sample("kind", kinds[i], a.errors[i]));

  std::vector<MetricFamily> all;
  all.push_back(family(model::metric::sockeye_spans_received_total,
                       "Spans taken over: from this process, or from the spool it found.", "", MetricType::counter,
                       {sample("source", "process", a.received), sample("source", "spool", a.recovered)}));
  all.push_back(family(model::metric::sockeye_spans_exported_total, "Spans that the collector accepted.", "",
                       MetricType::counter, {sample(a.exported)}));
  all.push_back(family(model::metric::sockeye_spans_dropped_total, "Spans lost, by reason.", "", MetricType::counter,
                       std::move(dropped)));
  all.push_back(
      family(model::metric::sockeye_spans_resent_total,
             "Spans sent again although an earlier attempt may have arrived: the most a collector can hold twice.", "",
             MetricType::counter, {sample(a.resent)}));
  all.push_back(family(model::metric::sockeye_queue_length, "Spans in memory that wait to be sent or are being sent.",
                       "", MetricType::gauge, {sample(a.queued)}));
  all.push_back(family(model::metric::sockeye_spool_spans, "Spans on disk that wait for the collector.", "",
                       MetricType::gauge, {sample(a.spooled)}));
  all.push_back(family(model::metric::sockeye_spool_bytes, "Size of the spool on disk.", "bytes", MetricType::gauge,
                       {sample(a.spool_bytes)}));
  all.push_back(family(model::metric::sockeye_export_errors_total,
                       "Attempts to export or spool a batch that failed, by kind.", "", MetricType::counter,
                       std::move(errors)));
  all.push_back(family(model::metric::sockeye_collector_away, "1 while the last attempt to reach the collector failed.",
                       "", MetricType::gauge, {sample(a.collector_away ? 1 : 0)}));
  return all;
}

}  // namespace sockeye::pipeline
