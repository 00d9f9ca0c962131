#include <gtest/gtest.h>

#include "sockeye/prometheus/render.h"

namespace sockeye::prometheus {
namespace {

TEST(Negotiate, ByWhatTheClientCanRead) {
  struct Row {
    const char* accept;
    Format format;
  };
  for (const Row& row : {
           // What Prometheus 2.42 and 2.5x send.
           Row{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/"
               "plain;version=0.0.4;q=0.5,*/*;q=0.1",
               Format::openmetrics},
           Row{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
               "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
               "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
               Format::openmetrics},
           Row{"", Format::text},
           Row{"*/*", Format::text},
           Row{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format::text},
           Row{"text/plain", Format::text},
           Row{"text/plain;version=0.0.4", Format::text},
           Row{"application/json", Format::text},
           Row{"application/openmetrics-text", Format::openmetrics},
           Row{"Application/OpenMetrics-Text; Version=1.0.0; charset=utf-8", Format::openmetrics},
           Row{"application/openmetrics-text; version=\"1.0.0\"", Format::openmetrics},
           Row{"application/openmetrics-text; version=2.0.0", Format::text},
           Row{"application/openmetrics-text; charset=latin1", Format::text},
           Row{"application/openmetrics-text;q=0", Format::text},
           Row{"application/openmetrics-text;q=0.3, text/plain;q=0.7", Format::text},
           Row{"application/openmetrics-text;q=0.7, text/plain;q=0.3", Format::openmetrics},
           Row{"application/openmetrics-text;q=0.5, */*", Format::text},
           Row{"text/plain;q=0.5, application/openmetrics-text;q=0.5", Format::openmetrics},
           Row{"text/plain, application/*", Format::text},
           // Nonsense is not a reason to fail a scrape.
           Row{",;,=;q", Format::text},
           Row{"application/openmetrics-text;q=abc", Format::text},
           Row{"application/openmetrics-text;q=nan, text/plain;q=0.1", Format::text},
           Row{"\"unclosed, application/openmetrics-text", Format::text},
           Row{"application/openmetrics-text;q=9", Format::openmetrics},
       })
    EXPECT_EQ(negotiate(row.accept), row.format) << row.accept;
}

TEST(Negotiate, ContentTypesNameVersionAndCharset) {
  EXPECT_EQ(content_type(Format::text), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(content_type(Format::openmetrics), "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

}  // namespace
}  // namespace sockeye::prometheus
