// docs/signals.md against the code, both ways: what is emitted is documented, what is documented is emitted.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "sockeye/signal/collect.h"
#include "sockeye/signal/invocation_metrics.h"
#include "sockeye/signal/invocations.h"
#include "sockeye/signal/spans.h"

namespace sockeye::signal {
namespace {

using namespace std::chrono_literals;

std::string page() {
  std::ifstream file(SOCKEYE_TEST_DIR "/../../../docs/signals.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

// The `names` in the first column of table rows.
std::set<std::string> documented(const std::string& text) {
  std::set<std::string> names;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const auto end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (!line.starts_with("| `")) continue;
    const std::string cell = line.substr(2, line.find('|', 2) - 2);
    for (auto at = cell.find('`'); at != std::string::npos; at = cell.find('`', at)) {
      const auto close = cell.find('`', at + 1);
      names.insert(cell.substr(at + 1, close - at - 1));
      at = close + 1;
    }
  }
  return names;
}

std::string type_name(model::MetricType type) {
  return type == model::MetricType::counter ? "counter" : type == model::MetricType::gauge ? "gauge" : "histogram";
}

TEST(Documentation, ListsEveryMetricFamilyWithItsTypeAndLabels) {
  const std::string text = page();
  ASSERT_FALSE(text.empty());
  model::RouteMetrics metrics;
  metrics.count_close(1000, model::Initiator::client, model::EndReason::normal);
  model::Invocation invocation;
  invocation.operation = "a";
  count_opened(metrics, invocation);
  const std::vector<model::RouteCounters> routes{{"r", {&metrics}}};
  std::set<std::string> emitted;
  for (const auto& family : collect(routes)) {
    emitted.emplace(family.name);
    const auto row = text.find("\n| `" + std::string(family.name) + "` | " + type_name(family.type) + " |");
    ASSERT_NE(row, std::string::npos) << family.name << " is emitted and not in docs/signals.md as a "
                                      << type_name(family.type);
    const std::string line = text.substr(row + 1, text.find('\n', row + 1) - row - 1);
    ASSERT_FALSE(family.samples.empty()) << family.name;
    EXPECT_EQ(family.samples[0].labels.at(0).first, "route") << family.name;
    std::string labels;
    for (std::size_t i = 1; i < family.samples[0].labels.size(); ++i)
      labels += (i > 1 ? ", `" : " `") + std::string(family.samples[0].labels[i].first) + "`";
    EXPECT_NE(line.find("| " + type_name(family.type) + " |" + labels + " |"), std::string::npos)
        << family.name << " has labels" << labels << ", the page says: " << line;
  }
  for (const auto& name : documented(text))
    EXPECT_TRUE(
        !(name.starts_with("websocket_") || name.starts_with("gen_ai_") || name.starts_with("sockeye_dialect_")) ||
        emitted.contains(name))
        << name << " is documented and not emitted";
}

TEST(Documentation, ListsEverySpanAttribute) {
  const base::SessionId id = *base::parse_session_id("01890a5d-ac96-774b-bcce-b302099a8057");
  const SessionAttributes session{.id = id,
                                  .reconnect_of = id,
                                  .vantage = "proxy",
                                  .route = "r",
                                  .dialect = "none",
                                  .target = "/a?b",
                                  .host = "h",
                                  .subprotocol = "chat",
                                  .extensions = "x",
                                  .client_address = "c",
                                  .upstream_address = "u",
                                  .client_port = 1,
                                  .upstream_port = 2};
  ConnectionFigures figures;
  const model::CloseInfo close{1006, model::Initiator::proxy, model::EndReason::heartbeat_timeout, "gone",
                               model::Side::client};
  figures.close = &close;
  figures.anomalies = 1;
  figures.longest_gap = {1s, 1s};
  figures.pings[0] = figures.pings[1] = {.rtt_last = 1s, .rtt_min = 1s, .missed = 1, .late = 1};
  std::set<std::string> emitted;
  const auto note = [&](const model::Span& span) {
    emitted.insert(span.name);
    for (const auto& [key, value] : span.attributes) emitted.emplace(key);
    for (const auto& event : span.events) {
      emitted.emplace(event.name);
      for (const auto& [key, value] : event.attributes) emitted.emplace(key);
    }
    for (const auto& link : span.links)
      for (const auto& [key, value] : link.attributes) emitted.emplace(key);
  };
  note(handshake_span(session, {}, {}, {.status = 400, .user_agent = "a", .why = "w"}));
  model::Span connection = connection_span(session, {}, {}, figures, {});
  add_interpretation(connection, {.basis = "subprotocol", .application_rtt = 1s, .invocations = 1});
  note(connection);
  note(segment_span(session, {}, {}, {}, figures, {}, 0));
  for (const std::string_view lane : {"audio", "text", "transcript", "tool", "video"}) {
    model::Invocation invocation;
    invocation.operation = "websocket.operation";
    invocation.status = model::InvocationStatus::error;
    invocation.parent = 1;
    invocation.trigger = invocation.anchor_name = "vad";
    invocation.cancel_requested = true;
    invocation.anchor = invocation.opened;
    invocation.times_kept = true;
    for (int i = 0; i < 300; ++i) invocation.add_chunk(invocation.opened + (i < 200 ? i : i + 100) * 1s, 1);  // a pause
    invocation.lanes[0] = invocation.chunks;
    invocation.lanes[0].lane = lane;
    Belonging belonging;
    belonging.connection_trace.bytes[0] = 1;
    belonging.link_client = belonging.link_server = "0123456789abcdef";
    auto span = invocation_span(session, invocation, "", belonging, {.seed_names = true}, {});
    span.name = "websocket.invocation.interim";
    note(span);
    note(interim_span(session, invocation, {}, 0, {}, invocation.opened, {}));
  }
  note(transfer_span(session, {}, {.name = "audio", .messages = 2}, {}));
  for (const bool sent : {false, true}) note(message_span(session, {}, {.sent = sent, .compressed = true}, {}));

  const std::string text = page();
  const auto listed = documented(text);
  for (const auto& name : emitted) {
    const bool is_span = name.starts_with("websocket.handshake") || name.starts_with("websocket.connection") ||
                         name == "websocket.transfer" || name == "websocket.receive" || name == "websocket.send" ||
                         name == "websocket.invocation.interim";
    EXPECT_TRUE(is_span ? text.find(name) != std::string::npos : listed.contains(name))
        << name << " is emitted and not documented";
  }
  for (const auto& name : listed)
    EXPECT_TRUE(name.find('.') == std::string::npos || emitted.contains(name))
        << name << " is documented and not emitted";
}

}  // namespace
}  // namespace sockeye::signal
