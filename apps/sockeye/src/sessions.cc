#include "sessions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <optional>
#include <span>
#include <tuple>

#include "sockeye/base/ids.h"
#include "sockeye/base/json.h"
#include "sockeye/base/text.h"
#include "sockeye/config/text.h"

namespace sockeye::app {
namespace {

using base::fail;
using base::iso8601;
using base::Json;
using model::SessionRow;

constexpr std::array<std::string_view, 2> directions = {"c2s", "s2c"};
constexpr std::array<std::string_view, 2> legs = {"client", "upstream"};
constexpr std::array<std::string_view, 5> types = {"text", "binary", "ping", "pong", "close"};
constexpr std::array<std::string_view, 7> sorts = {"age", "messages", "bytes", "rtt", "misses", "buffered", "silence"};
constexpr std::size_t most_rows = 100'000;

// Microseconds are what these figures are good for.
double rounded(base::Duration d) { return std::round(base::seconds(d) * 1e6) / 1e6; }

void seconds(Json& json, std::string_view key, std::optional<base::Duration> d) {
  json.key(key);
  if (d)
    json.number(rounded(*d));
  else
    json.null();
}

void text_or_null(Json& json, std::string_view key, std::string_view value) {
  json.key(key);
  if (value.empty())
    json.null();
  else
    json.text(value);
}

// `value(i)` for c2s and s2c.
template <class Value>
void by_direction(Json& json, std::string_view key, Value value) {
  json.key(key).open('{');
  for (std::size_t i = 0; i < 2; ++i) {
    json.key(directions[i]);
    value(i);
  }
  json.close('}');
}

void leg(Json& json, const model::PingFigures& view, base::Time last_received, std::uint64_t buffered, base::Time now) {
  json.open('{');
  json.key("heartbeat").boolean(view.heartbeat);
  seconds(json, "rtt_seconds", view.rtt);
  seconds(json, "rtt_min_seconds", view.rtt_min);
  json.key("misses").number(std::uint64_t{view.misses});
  json.key("silent").boolean(view.silent);
  json.key("missed_total").number(view.missed_total);
  json.key("late_total").number(view.late_total);
  seconds(json, "peer_ping_interval_seconds", view.peer_interval);
  seconds(json, "last_received_seconds", now - last_received);
  json.key("buffered_bytes").number(buffered);
  json.close('}');
}

// Nothing until the first data message of that sender.
std::optional<base::Duration> since_last_message(const SessionRow& row, std::size_t side) {
  if (row.record.figures.messages[side] == 0) return std::nullopt;
  return row.now - row.detail.last_message[side];
}

std::uint64_t age_ms(const SessionRow& row) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(row.now - row.detail.opened).count());
}

std::uint64_t unix_ms(const SessionRow& row, base::Time at) { return row.wall.unix_ns(at) / 1'000'000; }

void close(Json& json, const SessionRow& row) {
  json.key("close");
  if (!row.detail.close) {
    json.null();
    return;
  }
  const model::CloseInfo& close = *row.detail.close;
  json.open('{');
  json.key("code").number(std::uint64_t{close.code});
  json.key("initiator").text(model::name(close.initiator));
  json.key("why").text(model::name(close.why));
  json.key("reason").text(close.reason);
  json.key("silent");
  if (close.silent) {
    json.open('{').key("leg").text(model::leg_name(*close.silent));
    json.key("since").text(iso8601(unix_ms(row, close.silent_since)));
    json.close('}');
  } else {
    json.null();
  }
  json.close('}');
}

void facts(Json& json, const SessionRow& row) {
  const auto& facts = row.record.facts;
  json.key("id").text(base::to_uuid(facts.id));
  json.key("route").text(facts.route);
  json.key("state").text(model::name(row.record.figures.state));
  json.key("client").text(facts.client);
  json.key("target").text(facts.target);
  json.key("host").text(facts.host);
  text_or_null(json, "subprotocol", facts.subprotocol);
  text_or_null(json, "extensions", facts.extensions);
  json.key("vantage").text(row.detail.vantage);
  json.key("attached").text(row.detail.attached ? "mid_stream" : "handshake");
  json.key("opened").text(iso8601(facts.opened_unix_ns / 1'000'000));
  json.key("age_seconds").number(static_cast<double>(age_ms(row)) / 1e3);
}

void traffic(Json& json, const SessionRow& row) {
  const auto& figures = row.record.figures;
  const auto& counts = row.detail.counts;
  by_direction(json, "messages", [&](std::size_t i) { json.number(figures.messages[i]); });
  by_direction(json, "messages_by_type", [&](std::size_t i) {
    json.open('{');
    for (std::size_t t = 0; t < types.size(); ++t) json.key(types[t]).number(counts[i].messages[t]);
    json.close('}');
  });
  by_direction(json, "bytes", [&](std::size_t i) { json.number(figures.bytes[i]); });
  by_direction(json, "wire_bytes", [&](std::size_t i) { json.number(counts[i].wire_bytes); });
  by_direction(json, "gaps", [&](std::size_t i) { json.number(figures.gap_bytes[i]); });
  by_direction(json, "unreadable", [&](std::size_t i) { json.number(row.detail.unreadable[i]); });
  json.key("last_message_seconds").open('{');
  for (std::size_t i = 0; i < 2; ++i) seconds(json, directions[i], since_last_message(row, i));
  json.close('}');
  json.key("longest_gap_seconds").open('{');
  for (std::size_t i = 0; i < 2; ++i) seconds(json, directions[i], row.detail.longest_gap[i]);
  json.close('}');
  json.key("buffered_bytes").number(figures.buffered_bytes[0] + figures.buffered_bytes[1]);
  json.key("legs").open('{');
  for (std::size_t i = 0; i < 2; ++i) {
    json.key(legs[i]);
    leg(json, row.detail.pings[i], row.detail.last_received[i], figures.buffered_bytes[i], row.now);
  }
  json.close('}');
}

void fields(Json& json, const SessionRow& row) {
  facts(json, row);
  traffic(json, row);
  const auto& figures = row.record.figures;
  const auto& facts = row.record.facts;
  json.key("dialect").text(figures.dialect);
  text_or_null(json, "dialect_basis", row.detail.dialect_basis);
  json.key("invocations_open").number(std::uint64_t{figures.invocations_open});
  json.key("anomalies").number(figures.anomalies);
  json.key("reconnect_of");
  if (facts.reconnect_of)
    json.text(base::to_uuid(*facts.reconnect_of));
  else
    json.null();
  text_or_null(json, "reconnect_basis",
               facts.reconnect_of ? model::name(row.detail.reconnect_basis) : std::string_view());
  text_or_null(json, "trace_id", facts.trace_id.is_zero() ? "" : base::to_hex(facts.trace_id));
  close(json, row);
}

double rank(const SessionRow& row, SessionSort sort) {
  const auto& figures = row.record.figures;
  const auto& pings = row.detail.pings;
  switch (sort) {
    case SessionSort::age:
      return static_cast<double>(age_ms(row));
    case SessionSort::messages:
      return static_cast<double>(figures.messages[0] + figures.messages[1]);
    case SessionSort::bytes:
      return static_cast<double>(figures.bytes[0] + figures.bytes[1]);
    case SessionSort::rtt:
      return std::max(base::seconds(pings[0].rtt.value_or(base::Duration{-1})),
                      base::seconds(pings[1].rtt.value_or(base::Duration{-1})));
    case SessionSort::misses:
      return static_cast<double>(figures.missed_total);
    case SessionSort::buffered:
      return static_cast<double>(figures.buffered_bytes[0] + figures.buffered_bytes[1]);
    case SessionSort::silence:
      return base::seconds(row.now - std::max(row.detail.last_message[0], row.detail.last_message[1]));
  }
  return 0;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && base::hex_digit(text[i + 1]) >= 0 &&
        base::hex_digit(text[i + 2]) >= 0) {
      out += static_cast<char>(base::hex_digit(text[i + 1]) * 16 + base::hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

// Requests without their whole reply, oldest first.
void open_invocations(Json& json, const SessionRow& row) {
  json.key("invocations").open('[');
  for (const model::OpenInvocation& each : row.detail.invocations) {
    const auto ago = [&](std::optional<base::Time> at) {
      return at ? std::optional(row.now - *at) : std::optional<base::Duration>();
    };
    json.open('{').key("number").number(each.number).key("operation").text(each.operation);
    json.key("opened_by").text(model::direction(each.opened_by));
    seconds(json, "age_seconds", row.now - each.opened);
    json.key("chunks").number(each.chunks);
    seconds(json, "first_chunk_ago_seconds", ago(each.first_chunk));
    seconds(json, "last_chunk_ago_seconds", ago(each.last_chunk));
    json.key("cancel_requested").boolean(each.cancel_requested);
    text_or_null(json, "trace_id", each.trace_id);
    json.close('}');
  }
  json.close(']');
  json.key("application_heartbeat").open('{');
  seconds(json, "rtt_seconds", row.detail.application_rtt);
  seconds(json, "last_ago_seconds",
          row.detail.last_application_beat ? std::optional(row.now - *row.detail.last_application_beat)
                                           : std::optional<base::Duration>());
  json.close('}');
}

void rows(Json& json, std::string_view key, std::span<const SessionRow> list) {
  json.key(key).open('[');
  for (const auto& row : list) {
    json.open('{');
    fields(json, row);
    json.close('}');
  }
  json.close(']');
}

}  // namespace

base::Result<SessionQuery> parse_session_query(std::string_view query) {
  SessionQuery out;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    const std::string_view name = pair.substr(0, equals);
    const std::string value = percent_decoded(pair.substr(std::min(equals + 1, pair.size())));
    if (name == "limit" || name == "offset") {
      const auto number = config::parse_integer(value, 0, name == "limit" ? most_rows : 1'000'000'000);
      if (!number) return fail(std::string(name) + ": " + number.error().message);
      (name == "limit" ? out.limit : out.offset) = static_cast<std::size_t>(*number);
    } else if (name == "sort") {
      const auto* found = std::find(sorts.begin(), sorts.end(), value);
      if (found == sorts.end()) return fail("sort: expected " + config::one_of(sorts));
      out.sort = static_cast<SessionSort>(found - sorts.begin());
    } else if (name == "order") {
      if (value != "asc" && value != "desc") return fail("order: expected asc or desc");
      out.ascending = value == "asc";
    } else if (name == "route") {
      out.route = value;
    } else {
      return fail("unknown parameter " + config::quote(name) + "; expected limit, offset, sort, order or route");
    }
  }
  return out;
}

std::string sessions_json(std::vector<SessionRow> live, std::vector<SessionRow> ended, const SessionQuery& query,
                          std::uint64_t now_unix_ms) {
  const std::size_t total = live.size();
  if (!query.route.empty()) {
    const auto other = [&](const SessionRow& row) { return row.record.facts.route != query.route; };
    std::erase_if(live, other);
    std::erase_if(ended, other);
  }
  // By id within equals: pages do not overlap while nothing changes.
  std::sort(live.begin(), live.end(), [&](const SessionRow& a, const SessionRow& b) {
    const double x = rank(a, query.sort);
    const double y = rank(b, query.sort);
    return std::tuple(query.ascending ? x : y, a.record.facts.id) <
           std::tuple(query.ascending ? y : x, b.record.facts.id);
  });
  const std::size_t begin = std::min(query.offset, live.size());
  const std::size_t count = std::min(query.limit, live.size() - begin);

  Json json;
  json.open('{');
  json.key("now").text(iso8601(now_unix_ms));
  json.key("total").number(std::uint64_t{total});
  json.key("matched").number(std::uint64_t{live.size()});
  json.key("offset").number(std::uint64_t{query.offset});
  json.key("limit").number(std::uint64_t{query.limit});
  rows(json, "sessions", std::span(live).subspan(begin, count));
  rows(json, "ended", std::span(ended).first(std::min(query.limit, ended.size())));
  json.close('}');
  return json.take() + "\n";
}

std::string session_line(const SessionRow& row) {
  Json json;
  json.open('{');
  fields(json, row);
  json.close('}');
  return json.take();
}

std::string session_json(const SessionRow& row, const std::vector<model::RecordedMessage>* recorder,
                         std::uint64_t now_unix_ms) {
  Json json;
  json.open('{');
  json.key("now").text(iso8601(now_unix_ms));
  fields(json, row);
  open_invocations(json, row);
  json.key("recorder");
  if (recorder == nullptr) {
    json.null();
  } else {
    json.open('[');
    for (const auto& message : *recorder) {
      json.open('{');
      json.key("at").text(iso8601(unix_ms(row, message.at)));
      seconds(json, "ago_seconds", row.now - message.at);
      json.key("direction").text(directions[message.side]);
      json.key("type").text(model::name(static_cast<model::Opcode>(message.opcode)));
      json.key("length").number(std::uint64_t{message.length});
      json.key("compressed").boolean(message.compressed != 0);
      json.key("injected").boolean(message.injected != 0);
      if (message.injected != 0 && message.opcode == 9) json.key("answered").boolean(message.answered != 0);
      json.close('}');
    }
    json.close(']');
  }
  json.close('}');
  return json.take() + "\n";
}

}  // namespace sockeye::app
