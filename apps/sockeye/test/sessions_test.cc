#include "sessions.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include "sockeye/base/json.h"

namespace sockeye::app {
namespace {

using namespace std::chrono_literals;
using simdjson::dom::element;

constexpr std::uint64_t now_ms = 1772368496789;  // 2026-03-01T12:34:56.789Z

class Sessions : public ::testing::Test {
 protected:
  static model::SessionRow row(std::uint8_t n) {
    model::SessionRow row;
    row.record.facts.id.bytes = {1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 0, 0, 0, 0, 0, 0, n};
    row.record.facts.route = "calls";
    row.record.facts.client = "192.0.2.7";
    row.record.facts.target = "/media?token=REDACTED";
    row.record.facts.host = "example.com";
    row.record.facts.trace_id = *base::parse_trace_id("0af7651916cd43dd8448eb211c80319c");
    row.detail.opened = base::Time{} + 100s;
    row.now = base::Time{} + 190500ms;
    row.detail.last_message = {base::Time{} + 190s, base::Time{} + 100s};
    row.detail.last_received = {base::Time{} + 189s, base::Time{} + 189s};
    row.detail.counts[0].messages = {3, 4, 1, 2, 0};
    row.detail.counts[0].bytes = 1000;
    row.detail.counts[0].wire_bytes = 1100;
    row.detail.longest_gap = {2s, 0s};
    row.detail.pings[0].heartbeat = true;
    row.detail.pings[0].rtt = 1234567ns;
    row.detail.pings[0].rtt_min = 1ms;
    row.detail.pings[0].misses = 1;
    row.detail.pings[0].missed_total = 2;
    row.detail.pings[0].late_total = 1;
    row.record.figures.buffered_bytes = {10, 32};
    row.wall.ns = static_cast<std::int64_t>(now_ms) * 1'000'000 - row.now.time_since_epoch().count();
    row.record.facts.opened_unix_ns = row.wall.unix_ns(row.detail.opened);
    row.record.figures.messages = {7, 0};
    row.record.figures.bytes = {1000, 0};
    row.record.figures.missed_total = 2;
    row.record.figures.dialect = "none";
    return row;
  }
  element parse(const std::string& text) {
    element out;
    const auto error = parser_.parse(text).get(out);
    EXPECT_FALSE(error) << simdjson::error_message(error) << "\n" << text;
    return out;
  }
  static std::vector<std::string> ids(element list) {
    std::vector<std::string> out;
    for (auto session : list.get_array()) out.emplace_back(std::string_view(session["id"]).substr(34));
    return out;
  }
  static SessionQuery query(std::string_view text) {
    auto parsed = parse_session_query(text);
    EXPECT_TRUE(parsed) << text;
    return parsed.value_or(SessionQuery{});
  }

 private:
  simdjson::dom::parser parser_;
};

TEST_F(Sessions, TellsAllOfARow) {
  auto one = row(1);
  one.record.facts.subprotocol = "audio.v1";
  one.record.facts.reconnect_of = row(9).record.facts.id;
  const auto document = parse(sessions_json({one}, {}, {}, now_ms));
  EXPECT_EQ(std::string_view(document["now"]), "2026-03-01T12:34:56.789Z");
  EXPECT_EQ(std::uint64_t(document["total"]), 1U);
  const auto s = document["sessions"].at(0);
  EXPECT_EQ(std::string_view(s["id"]), "01020304-0506-7008-8000-000000000001");
  EXPECT_EQ(std::string_view(s["route"]), "calls");
  EXPECT_EQ(std::string_view(s["state"]), "open");
  EXPECT_EQ(std::string_view(s["client"]), "192.0.2.7");
  EXPECT_EQ(std::string_view(s["target"]), "/media?token=REDACTED");
  EXPECT_EQ(std::string_view(s["host"]), "example.com");
  EXPECT_EQ(std::string_view(s["subprotocol"]), "audio.v1");
  EXPECT_TRUE(s["extensions"].is_null());
  EXPECT_EQ(std::string_view(s["opened"]), "2026-03-01T12:33:26.289Z");
  EXPECT_EQ(double(s["age_seconds"]), 90.5);
  EXPECT_EQ(std::uint64_t(s["messages"]["c2s"]), 7U);
  EXPECT_EQ(std::uint64_t(s["messages"]["s2c"]), 0U);
  EXPECT_EQ(std::uint64_t(s["messages_by_type"]["c2s"]["binary"]), 4U);
  EXPECT_EQ(std::uint64_t(s["messages_by_type"]["c2s"]["pong"]), 2U);
  EXPECT_EQ(std::uint64_t(s["bytes"]["c2s"]), 1000U);
  EXPECT_EQ(std::uint64_t(s["wire_bytes"]["c2s"]), 1100U);
  EXPECT_EQ(double(s["last_message_seconds"]["c2s"]), 0.5);
  EXPECT_TRUE(s["last_message_seconds"]["s2c"].is_null());  // the server sent none yet
  EXPECT_EQ(double(s["longest_gap_seconds"]["c2s"]), 2.0);
  EXPECT_EQ(std::uint64_t(s["buffered_bytes"]), 42U);
  const auto client = s["legs"]["client"];
  EXPECT_TRUE(bool(client["heartbeat"]));
  EXPECT_EQ(double(client["rtt_seconds"]), 0.001235);
  EXPECT_EQ(double(client["rtt_min_seconds"]), 0.001);
  EXPECT_EQ(std::uint64_t(client["misses"]), 1U);
  EXPECT_FALSE(bool(client["silent"]));
  EXPECT_EQ(std::uint64_t(client["missed_total"]), 2U);
  EXPECT_EQ(std::uint64_t(client["late_total"]), 1U);
  EXPECT_EQ(double(client["last_received_seconds"]), 1.5);
  EXPECT_EQ(std::uint64_t(client["buffered_bytes"]), 10U);
  EXPECT_TRUE(s["legs"]["upstream"]["rtt_seconds"].is_null());
  EXPECT_EQ(std::uint64_t(s["legs"]["upstream"]["buffered_bytes"]), 32U);
  EXPECT_EQ(std::string_view(s["reconnect_of"]), "01020304-0506-7008-8000-000000000009");
  EXPECT_EQ(std::string_view(s["reconnect_basis"]), "guess");
  EXPECT_EQ(std::string_view(s["trace_id"]), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_TRUE(s["close"].is_null());
}

TEST_F(Sessions, EndedOnesSayHow) {
  auto gone = row(2);
  gone.record.figures.state = model::SessionState::closed;
  gone.detail.close = model::CloseInfo{1001, model::Initiator::proxy, model::EndReason::heartbeat_timeout, "no pong"};
  gone.detail.close->silent = model::Side::server;
  gone.detail.close->silent_since = gone.detail.opened + 1500ms;
  const auto document = parse(sessions_json({}, {gone}, {}, now_ms));
  const auto close = document["ended"].at(0)["close"];
  EXPECT_EQ(std::uint64_t(close["code"]), 1001U);
  EXPECT_EQ(std::string_view(close["initiator"]), "proxy");
  EXPECT_EQ(std::string_view(close["why"]), "heartbeat_timeout");
  EXPECT_EQ(std::string_view(close["reason"]), "no pong");
  EXPECT_EQ(std::string_view(close["silent"]["leg"]), "upstream");
  EXPECT_EQ(std::string_view(close["silent"]["since"]),
            base::iso8601(gone.record.facts.opened_unix_ns / 1'000'000 + 1500));
}

TEST_F(Sessions, WhatPeersSendCannotBreakTheJson) {
  auto one = row(1);
  one.record.facts.target = std::string("/\"\\\n\x01\x7f") + '\0' + "\xff\xc3(\xed\xa0\x80</script>";
  one.record.facts.subprotocol = "\xe2\x82";
  one.detail.close = model::CloseInfo{1000, model::Initiator::client, model::EndReason::normal, "\"},{\"x\":\"\u00fc"};
  const auto text = sessions_json({one}, {}, {}, now_ms);
  const auto s = parse(text)["sessions"].at(0);
  EXPECT_TRUE(std::string_view(s["target"]).starts_with("/\"\\\n"));
  EXPECT_EQ(std::string_view(s["subprotocol"]), "\uFFFD");
  EXPECT_EQ(std::string_view(s["close"]["reason"]), "\"},{\"x\":\"\u00fc");
}

TEST_F(Sessions, PagesSortsAndFilters) {
  std::vector<model::SessionRow> rows;
  for (std::uint8_t i = 0; i < 10; ++i) {
    rows.push_back(row(i));
    rows.back().detail.opened = rows.back().now - std::chrono::seconds(i < 5 ? i : 20U - i);  // 0..4, 15..11
    rows.back().record.facts.route = i % 2 == 0 ? "even" : "odd";
    rows.back().record.figures.buffered_bytes = {i, 0};
    rows.back().detail.pings[1].rtt = std::chrono::milliseconds(100 - i);
    rows.back().record.figures.missed_total = i == 4 ? 9 : 0;
    rows.back().record.figures.bytes[1] = i == 3 ? 5000 : 0;
    rows.back().record.figures.messages[1] = i == 6 ? 100 : 0;
    rows.back().detail.last_message[1] = base::Time{} + 190s + std::chrono::milliseconds(i);
  }
  const auto ask = [&](std::string_view text) { return parse(sessions_json(rows, rows, query(text), now_ms)); };
  EXPECT_EQ(ids(ask("")["sessions"]),
            (std::vector<std::string>{"05", "06", "07", "08", "09", "04", "03", "02", "01", "00"}));
  EXPECT_EQ(ids(ask("order=asc&limit=3")["sessions"]), (std::vector<std::string>{"00", "01", "02"}));
  EXPECT_EQ(ids(ask("sort=buffered&limit=2&offset=1")["sessions"]), (std::vector<std::string>{"08", "07"}));
  EXPECT_EQ(ids(ask("sort=rtt&limit=1")["sessions"]), std::vector<std::string>{"00"});
  EXPECT_EQ(ids(ask("sort=misses&limit=1")["sessions"]), std::vector<std::string>{"04"});
  EXPECT_EQ(ids(ask("sort=bytes&limit=1")["sessions"]), std::vector<std::string>{"03"});
  EXPECT_EQ(ids(ask("sort=messages&limit=1")["sessions"]), std::vector<std::string>{"06"});
  EXPECT_EQ(ids(ask("sort=silence&limit=1")["sessions"]), std::vector<std::string>{"00"});
  const auto odd = ask("route=%6fdd&limit=2");
  EXPECT_EQ(ids(odd["sessions"]), (std::vector<std::string>{"05", "07"}));
  EXPECT_EQ(odd["ended"].get_array().size(), 2U);
  EXPECT_EQ(std::uint64_t(odd["total"]), 10U);
  EXPECT_EQ(std::uint64_t(odd["matched"]), 5U);
  EXPECT_TRUE(ids(ask("offset=1000000")["sessions"]).empty());
  EXPECT_TRUE(ids(ask("limit=0")["sessions"]).empty());
  EXPECT_TRUE(ids(ask("route=none")["sessions"]).empty());
}

TEST_F(Sessions, RefusesOtherQueries) {
  EXPECT_TRUE(parse_session_query("&limit=5&&"));
  for (const auto* text : {"limit=-1", "limit=", "limit", "limit=100001", "offset=x", "sort=id", "order=up",
                           "state=open", "=", "limit=1&x=1"})
    EXPECT_FALSE(parse_session_query(text)) << text;
  EXPECT_EQ(parse_session_query("sort=id").error().message,
            "sort: expected age, messages, bytes, rtt, misses, buffered or silence");
}

TEST_F(Sessions, OneSessionCarriesItsRecorder) {
  std::vector<model::RecordedMessage> recorder(2);
  recorder[0].at = base::Time{} + 101s;
  recorder[0].length = 160;
  recorder[0].side = 0;
  recorder[0].opcode = 2;
  recorder[0].compressed = 1;
  recorder[0].injected = 0;
  recorder[1].at = base::Time{} + 190s;
  recorder[1].length = 8;
  recorder[1].side = 1;
  recorder[1].opcode = 9;
  recorder[1].compressed = 0;
  recorder[1].injected = 1;
  const auto document = parse(session_json(row(1), &recorder, now_ms));
  EXPECT_EQ(std::string_view(document["route"]), "calls");
  const auto first = document["recorder"].at(0);
  EXPECT_EQ(std::string_view(first["at"]), "2026-03-01T12:33:27.289Z");  // one second after it opened
  EXPECT_EQ(std::string_view(first["direction"]), "c2s");
  EXPECT_EQ(std::string_view(first["type"]), "binary");
  EXPECT_EQ(std::uint64_t(first["length"]), 160U);
  EXPECT_TRUE(bool(first["compressed"]));
  EXPECT_FALSE(bool(first["injected"]));
  const auto second = document["recorder"].at(1);
  EXPECT_EQ(double(second["ago_seconds"]), 0.5);
  EXPECT_EQ(std::string_view(second["type"]), "ping");
  EXPECT_TRUE(bool(second["injected"]));
  EXPECT_TRUE(parse(session_json(row(1), nullptr, now_ms))["recorder"].is_null());
}

}  // namespace
}  // namespace sockeye::app
