// Families of every type with everything that has to be escaped, formatted or ordered.
#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "sockeye/base/ids.h"
#include "sockeye/model/metric_family.h"

namespace sockeye::prometheus::test {

inline model::MetricSample value(double v, std::vector<std::pair<std::string_view, std::string>> labels = {}) {
  model::MetricSample sample;
  sample.labels = std::move(labels);
  sample.value = v;
  return sample;
}

inline std::vector<model::MetricFamily> sample() {
  using model::MetricType;
  std::vector<model::MetricFamily> all;
  all.push_back(
      {"websocket_connections_total",
       "Handshakes by result.",
       "",
       MetricType::counter,
       {value(3, {{"route", "calls"}, {"result", "accept"}}), value(0, {{"route", "calls"}, {"result", "reject"}})}});
  all.push_back({"websocket_message_bytes_total",
                 "Payload bytes, as on the wire.",
                 "bytes",
                 MetricType::counter,
                 {value(9007199254740991.0, {{"direction", "c2s"}})}});
  all.push_back(
      {"websocket_connections_active",
       "Sessions open now.",
       "",
       MetricType::gauge,
       {value(17, {{"route", "a \"quoted\" \\ back\nnew line ä"}}), value(-1.5, {{"route", "bad \xff utf8"}})}});
  model::MetricSample histogram;
  histogram.labels = {{"route", "calls"}};
  histogram.histogram = {{0.0001, 0.4096, 1, 1048576}, {1, 0, 2, 0, 4}, 12.75};
  const auto trace = *base::parse_trace_id("0af7651916cd43dd8448eb211c80319c");
  const auto span = *base::parse_span_id("b7ad6b7169203331");
  histogram.histogram.exemplars = {model::Exemplar{trace, span, 0.00005, 1'700'000'000'007'000'000}, std::nullopt,
                                   model::Exemplar{trace, span, 1, 1'700'000'001'999'999'999}, std::nullopt,
                                   model::Exemplar{trace, span, 1.5e6, 2'000'000'000}};
  model::MetricSample empty;
  empty.labels = {{"route", "idle"}};
  empty.histogram = {{0.0001, 0.4096, 1, 1048576}, {0, 0, 0, 0, 0}, 0};
  all.push_back({"websocket_message_duration_seconds",
                 "Request complete to the last byte of its reply.",
                 "seconds",
                 MetricType::histogram,
                 {histogram, empty}});
  all.push_back({"websocket_closes_total", "Closes.", "", MetricType::counter, {}});
  all.push_back({"sockeye_build_info",
                 "Says \"1\"; a \\ and a\nnew line.",
                 "",
                 MetricType::gauge,
                 {value(1, {{"version", "0.1.0"}})}});
  return all;
}

}  // namespace sockeye::prometheus::test
