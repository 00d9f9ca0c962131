#include <string>

#include "records.h"

namespace sockeye::intake {
namespace {

std::uint64_t count_points(std::string_view data) {
  std::uint64_t count = 0;
  protozero::pbf_reader reader = reader_of(data);
  while (reader.next()) {
    if (reader.tag_and_type() == fields::metric::point) ++count;
    reader.skip();
  }
  return count;
}

}  // namespace

Tally read_metrics(std::string_view body) {
  Tally tally;
  store::Batch nothing;  // no origin is ever read
  AttributeList list(nothing);
  Origins origins(nothing, list);
  each_record(body, origins, [&](std::string_view message) {
    protozero::pbf_reader reader = reader_of(message);
    while (reader.next()) switch (reader.tag_and_type()) {
        case fields::metric::gauge:
        case fields::metric::sum:
        case fields::metric::histogram:
        case fields::metric::exponential_histogram:
        case fields::metric::summary:
          tally.rejected += count_points(view_of(reader));
          break;
        default:
          reader.skip();
      }
  });
  if (tally.rejected > 0)
    tally.message =
        "this console keeps traces and logs, no metrics: send metrics to Prometheus (its OTLP receiver or a "
        "Collector), "
        "or switch this exporter off with OTEL_METRICS_EXPORTER=none";
  return tally;
}

}  // namespace sockeye::intake
