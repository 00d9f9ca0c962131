#include "sockeye/prometheus/render.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "sample.h"

namespace sockeye::prometheus {
namespace {

using model::MetricFamily;
using model::MetricType;
using test::sample;
using test::value;

constexpr const char* text_golden = R"(# HELP websocket_connections_total Handshakes by result.
# TYPE websocket_connections_total counter
websocket_connections_total{route="calls",result="accept"} 3
websocket_connections_total{route="calls",result="reject"} 0
# HELP websocket_message_bytes_total Payload bytes, as on the wire.
# TYPE websocket_message_bytes_total counter
websocket_message_bytes_total{direction="c2s"} 9007199254740991
# HELP websocket_connections_active Sessions open now.
# TYPE websocket_connections_active gauge
websocket_connections_active{route="a \"quoted\" \\ back\nnew line ä"} 17
websocket_connections_active{route="bad � utf8"} -1.5
# HELP websocket_message_duration_seconds Request complete to the last byte of its reply.
# TYPE websocket_message_duration_seconds histogram
websocket_message_duration_seconds_bucket{route="calls",le="0.0001"} 1
websocket_message_duration_seconds_bucket{route="calls",le="0.4096"} 1
websocket_message_duration_seconds_bucket{route="calls",le="1.0"} 3
websocket_message_duration_seconds_bucket{route="calls",le="1048576.0"} 3
websocket_message_duration_seconds_bucket{route="calls",le="+Inf"} 7
websocket_message_duration_seconds_sum{route="calls"} 12.75
websocket_message_duration_seconds_count{route="calls"} 7
websocket_message_duration_seconds_bucket{route="idle",le="0.0001"} 0
websocket_message_duration_seconds_bucket{route="idle",le="0.4096"} 0
websocket_message_duration_seconds_bucket{route="idle",le="1.0"} 0
websocket_message_duration_seconds_bucket{route="idle",le="1048576.0"} 0
websocket_message_duration_seconds_bucket{route="idle",le="+Inf"} 0
websocket_message_duration_seconds_sum{route="idle"} 0
websocket_message_duration_seconds_count{route="idle"} 0
# HELP websocket_closes_total Closes.
# TYPE websocket_closes_total counter
# HELP sockeye_build_info Says "1"; a \\ and a\nnew line.
# TYPE sockeye_build_info gauge
sockeye_build_info{version="0.1.0"} 1
)";

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

TEST(Render, Text) { EXPECT_EQ(render(sample(), Format::text), text_golden); }

TEST(Render, OpenMetricsDiffersInFamilyNamesUnitsHelpExemplarsAndItsEnd) {
  std::string expected = text_golden;
  for (const std::string name :
       {"websocket_connections_total", "websocket_message_bytes_total", "websocket_closes_total"}) {
    const std::string family = name.substr(0, name.size() - 6);
    expected = replaced(expected, "# HELP " + name, "# HELP " + family);
    expected = replaced(expected, "# TYPE " + name, "# TYPE " + family);
  }
  expected = replaced(expected, "# TYPE websocket_message_bytes counter\n",
                      "# TYPE websocket_message_bytes counter\n# UNIT websocket_message_bytes bytes\n");
  expected = replaced(expected, "_seconds histogram\n",
                      "_seconds histogram\n# UNIT websocket_message_duration_seconds seconds\n");
  expected = replaced(expected, "Says \"1\";", "Says \\\"1\\\";");
  const std::string bucket = "websocket_message_duration_seconds_bucket{route=\"calls\",le=";
  const std::string who = R"( # {trace_id="0af7651916cd43dd8448eb211c80319c",span_id="b7ad6b7169203331"} )";
  expected =
      replaced(expected, bucket + "\"0.0001\"} 1\n", bucket + "\"0.0001\"} 1" + who + "0.00005 1700000000.007\n");
  expected = replaced(expected, bucket + "\"1.0\"} 3\n", bucket + "\"1.0\"} 3" + who + "1 1700000001.999\n");
  expected = replaced(expected, bucket + "\"+Inf\"} 7\n", bucket + "\"+Inf\"} 7" + who + "1500000 2.000\n");
  EXPECT_EQ(render(sample(), Format::openmetrics), expected + "# EOF\n");
}

// OpenMetrics 1.0.0 §"ABNF", as narrow as what is written here: each line is one of these or the exposition is wrong.
TEST(Render, EveryLineIsOneTheGrammarKnows) {
  const std::string name = "[a-zA-Z_:][a-zA-Z0-9_:]*";
  const std::string value = R"((?:[^"\\\n]|\\[\\"n])*)";
  const std::string label = "[a-zA-Z_][a-zA-Z0-9_]*=\"" + value + "\"";
  const std::string labels = "\\{" + label + "(?:," + label + ")*\\}";
  const std::string real = R"((?:NaN|[+-]Inf|-?[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?))";
  const std::string sampled = name + "(?:" + labels + ")? " + real;
  const std::regex meta("# (?:HELP|TYPE|UNIT) " + name + "(?: .*)?");
  const std::regex plain(sampled);
  const std::regex exemplary(name + "_bucket" + labels + " [0-9]+ # (" + labels + ") " + real + R"( [0-9]+\.[0-9]{3})");
  for (const auto format : {Format::text, Format::openmetrics}) {
    std::istringstream lines(render(sample(), format));
    int exemplars = 0;
    bool ended = false;
    for (std::string line; std::getline(lines, line);) {
      EXPECT_FALSE(ended) << line;
      std::smatch match;
      if (line == "# EOF") {
        ended = true;
      } else if (std::regex_match(line, match, exemplary)) {
        ++exemplars;
        EXPECT_LE(match[1].length() - 9, 128) << "names and values of an exemplar's labels";  // {, }, ="" twice, comma
      } else {
        EXPECT_TRUE(std::regex_match(line, meta) || std::regex_match(line, plain)) << line;
      }
    }
    EXPECT_EQ(exemplars, format == Format::openmetrics ? 3 : 0);
    EXPECT_EQ(ended, format == Format::openmetrics);
  }
}

TEST(Render, AnExemplarBeyondTheBucketsIsNotLookedAt) {
  model::MetricSample sample;
  sample.histogram = {{1}, {0, 0}, 0};
  sample.histogram.exemplars.assign(9, model::Exemplar{{}, {}, 1, 2});
  sample.histogram.exemplars[0].reset();
  const auto text = render({{"h", "", "", MetricType::histogram, {sample}}}, Format::openmetrics);
  EXPECT_EQ(std::count(text.begin(), text.end(), '#'), 3) << text;  // TYPE, one exemplar, EOF
}

std::string number(double v, Format format = Format::text) {
  const std::string line = render({{"n", "", "", MetricType::gauge, {value(v)}}}, format);
  const std::size_t at = line.find("\nn ") + 3;
  return line.substr(at, line.find('\n', at) - at);
}

TEST(Render, Numbers) {
  EXPECT_EQ(number(0), "0");
  EXPECT_EQ(number(-0.5), "-0.5");
  EXPECT_EQ(number(1e15), "1000000000000000");
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(1e-9), "1e-09");
  EXPECT_EQ(number(1.5e300), "1.5e+300");
  EXPECT_EQ(number(std::numeric_limits<double>::infinity()), "+Inf");
  EXPECT_EQ(number(-std::numeric_limits<double>::infinity()), "-Inf");
  EXPECT_EQ(number(std::numeric_limits<double>::quiet_NaN()), "NaN");
  EXPECT_EQ(number(std::numeric_limits<double>::denorm_min()), "5e-324");
}

TEST(Render, AUnitThatIsNotTheNamesSuffixIsLeftOut) {
  for (const auto* name : {"x", "xseconds", "seconds", "x_seconds_more"})
    EXPECT_EQ(render({{name, "", "seconds", MetricType::gauge, {}}}, Format::openmetrics).find("# UNIT"),
              std::string::npos);
}

TEST(Render, ACounterWithoutTotalGetsItWhereItMust) {
  const std::vector<MetricFamily> families{{"n", "", "", MetricType::counter, {value(1)}}};
  EXPECT_EQ(render(families, Format::text), "# TYPE n counter\nn 1\n");
  EXPECT_EQ(render(families, Format::openmetrics), "# TYPE n counter\nn_total 1\n# EOF\n");
}

TEST(Render, NothingIsStillAnExposition) {
  EXPECT_EQ(render({}, Format::text), "");
  EXPECT_EQ(render({}, Format::openmetrics), "# EOF\n");
}

TEST(Render, AHistogramWithMissingCountsIsReadWithinItsBounds) {
  model::MetricSample sample;
  sample.histogram = {{1, 2, 3}, {5}, 1};
  const auto text = render({{"h", "", "", MetricType::histogram, {sample}}}, Format::text);
  EXPECT_NE(text.find("h_bucket{le=\"+Inf\"} 5\n"), std::string::npos);
}

// Runs promtool with `arguments` and `input` on its standard input; its exit status (127: not installed) and what it
// said.
int promtool(const std::string& arguments, const std::string& input, std::string& said) {
  const std::string out = testing::TempDir() + "/sockeye-promtool-" + std::to_string(::getpid());
  ::signal(SIGPIPE, SIG_IGN);  // nobody reads where promtool is not installed
  FILE* const pipe = ::popen(("promtool " + arguments + " > " + out + " 2>&1").c_str(), "w");
  if (pipe == nullptr) return -1;
  std::fwrite(input.data(), 1, input.size(), pipe);
  const int status = ::pclose(pipe);
  std::ifstream file(out);
  said.assign(std::istreambuf_iterator<char>(file), {});
  std::filesystem::remove(out);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Render, PromtoolFindsNothingToSay) {
  std::string said;
  const int status = promtool("check metrics", render(sample(), Format::text), said);
  if (status == 127) GTEST_SKIP() << "promtool is not installed";
  EXPECT_EQ(status, 0);
  EXPECT_EQ(said, "");
  EXPECT_NE(promtool("check metrics", "# TYPE a counter\na 1\n", said), 0);  // and it would
}

// `promtool check metrics` reads text only; Prometheus' OpenMetrics parser is behind the importer, which wants a time
// on every sample.
TEST(Render, PrometheusReadsTheOpenMetrics) {
  std::string timed;
  std::istringstream lines(render(sample(), Format::openmetrics));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with('#')) line.insert(std::min(line.find(" # "), line.size()), " 1700000000");
    timed += line + "\n";
  }
  const auto folder = std::filesystem::path(testing::TempDir()) / ("sockeye-blocks-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const auto import = [&](const std::string& text, std::string& said) {
    std::ofstream(folder / "in", std::ios::binary) << text;
    return promtool("tsdb create-blocks-from openmetrics " + (folder / "in").string() + " " + (folder / "out").string(),
                    "", said);
  };
  std::string said;
  const int status = import(timed, said);
  EXPECT_TRUE(status == 0 || status == 127) << said;
  EXPECT_NE(import(timed.substr(0, timed.size() - 6), said), 0);               // without "# EOF\n"
  EXPECT_NE(import(replaced(timed, "# {trace_id=", "# {trace_id"), said), 0);  // it does look at exemplars
  EXPECT_NE(import("# TYPE a gauge\n# UNIT a seconds\na 1 2\n# EOF\n", said), 0);
  std::filesystem::remove_all(folder);
  if (status == 127) GTEST_SKIP() << "promtool is not installed";
}

}  // namespace
}  // namespace sockeye::prometheus
