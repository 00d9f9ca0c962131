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
using proxy::SessionRow;

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

void leg(Json& json, const observer::LegView& view, std::uint64_t buffered, base::Time now) {
  json.open('{');
  json.key("heartbeat").boolean(view.heartbeat);
  seconds(json, "rtt_seconds", view.rtt);
  seconds(json, "rtt_min_seconds", view.rtt_min);
  json.key("misses").number(std::uint64_t{view.misses});
  json.key("silent").boolean(view.silent);
  json.key("missed_total").number(view.missed_total);
  json.key("late_total").number(view.late_total);
  seconds(json, "peer_ping_interval_seconds", view.peer_ping_interval);
  seconds(json, "last_received_seconds", now - view.last_received);
  json.key("buffered_bytes").number(buffered);
  json.close('}');
}

// Nothing until the first data message of that sender.
std::optional<base::Duration> since_last_message(const SessionRow& row, std::size_t side) {
  if (row.view.counts[side].data_messages() == 0) return std::nullopt;
  return row.now - row.view.last_message[side];
}

void fields(Json& json, const SessionRow& row) {
  const auto& view = row.view;
  json.key("id").text(base::to_uuid(view.id));
  json.key("route").text(view.route);
  json.key("state").text(model::name(view.state));
  json.key("client").text(view.client_address);
  json.key("target").text(view.method_target);
  json.key("host").text(view.host);
  text_or_null(json, "subprotocol", view.subprotocol);
  text_or_null(json, "extensions", view.extensions);
  json.key("opened").text(iso8601(row.opened_unix_ms));
  json.key("age_seconds").number(static_cast<double>(row.age_ms) / 1e3);
  by_direction(json, "messages", [&](std::size_t i) { json.number(view.counts[i].data_messages()); });
  by_direction(json, "messages_by_type", [&](std::size_t i) {
    json.open('{');
    for (std::size_t t = 0; t < types.size(); ++t) json.key(types[t]).number(view.counts[i].messages[t]);
    json.close('}');
  });
  by_direction(json, "bytes", [&](std::size_t i) { json.number(view.counts[i].bytes); });
  by_direction(json, "wire_bytes", [&](std::size_t i) { json.number(view.counts[i].wire_bytes); });
  json.key("last_message_seconds").open('{');
  for (std::size_t i = 0; i < 2; ++i) seconds(json, directions[i], since_last_message(row, i));
  json.close('}');
  json.key("longest_gap_seconds").open('{');
  for (std::size_t i = 0; i < 2; ++i) seconds(json, directions[i], view.longest_gap[i]);
  json.close('}');
  json.key("buffered_bytes").number(row.buffered[0] + row.buffered[1]);
  json.key("legs").open('{');
  for (std::size_t i = 0; i < 2; ++i) {
    json.key(legs[i]);
    leg(json, view.legs[i], row.buffered[i], row.now);
  }
  json.close('}');
  json.key("dialect").text(view.dialect);
  text_or_null(json, "dialect_basis", view.dialect_basis);
  json.key("invocations_open").number(std::uint64_t{view.invocations.size()});
  json.key("anomalies").number(view.anomalies);
  json.key("reconnect_of");
  if (view.reconnect_of)
    json.text(base::to_uuid(*view.reconnect_of));
  else
    json.null();
  text_or_null(json, "reconnect_basis", view.reconnect_of ? model::name(view.reconnect_basis) : std::string_view());
  text_or_null(json, "trace_id", view.trace_id);
  json.key("close");
  if (!view.close) {
    json.null();
    return;
  }
  json.open('{');
  json.key("code").number(std::uint64_t{view.close->code});
  json.key("initiator").text(model::name(view.close->initiator));
  json.key("why").text(model::name(view.close->why));
  json.key("reason").text(view.close->reason);
  json.key("silent");
  if (const auto& close = *view.close; close.silent) {
    const auto after = std::chrono::duration_cast<std::chrono::milliseconds>(close.silent_since - view.opened).count();
    json.open('{').key("leg").text(model::leg_name(*close.silent));
    json.key("since").text(iso8601(row.opened_unix_ms + static_cast<std::uint64_t>(std::max<std::int64_t>(after, 0))));
    json.close('}');
  } else {
    json.null();
  }
  json.close('}');
}

double rank(const SessionRow& row, SessionSort sort) {
  const auto& view = row.view;
  switch (sort) {
    case SessionSort::age:
      return static_cast<double>(row.age_ms);
    case SessionSort::messages:
      return static_cast<double>(view.counts[0].data_messages() + view.counts[1].data_messages());
    case SessionSort::bytes:
      return static_cast<double>(view.counts[0].bytes + view.counts[1].bytes);
    case SessionSort::rtt:
      return std::max(base::seconds(view.legs[0].rtt.value_or(base::Duration{-1})),
                      base::seconds(view.legs[1].rtt.value_or(base::Duration{-1})));
    case SessionSort::misses:
      return static_cast<double>(view.legs[0].missed_total + view.legs[1].missed_total);
    case SessionSort::buffered:
      return static_cast<double>(row.buffered[0] + row.buffered[1]);
    case SessionSort::silence:
      return base::seconds(row.now - std::max(view.last_message[0], view.last_message[1]));
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
  for (const observer::OpenInvocation& each : row.view.invocations) {
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
  seconds(json, "rtt_seconds", row.view.application_rtt);
  seconds(json, "last_ago_seconds",
          row.view.last_application_beat ? std::optional(row.now - *row.view.last_application_beat)
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
    const auto other = [&](const SessionRow& row) { return row.view.route != query.route; };
    std::erase_if(live, other);
    std::erase_if(ended, other);
  }
  // By id within equals: pages do not overlap while nothing changes.
  std::sort(live.begin(), live.end(), [&](const SessionRow& a, const SessionRow& b) {
    const double x = rank(a, query.sort);
    const double y = rank(b, query.sort);
    return std::tuple(query.ascending ? x : y, a.view.id) < std::tuple(query.ascending ? y : x, b.view.id);
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
      const auto after = std::chrono::duration_cast<std::chrono::milliseconds>(message.at - row.view.opened).count();
      json.open('{');
      json.key("at").text(iso8601(row.opened_unix_ms + static_cast<std::uint64_t>(std::max<std::int64_t>(after, 0))));
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
