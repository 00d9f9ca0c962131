// One box for anything: what somebody typed may be an id, an address, or part of a name. Answers come in groups, by
// what they are; each item has the parameters that list exactly what it stands for.
#include <algorithm>
#include <set>

#include "api.h"
#include "clock.h"
#include "read_ids.h"
#include "sockeye/base/text.h"
#include "write.h"

namespace sockeye::console {
namespace {

using base::Json;
using Place = store::LookupPlace;
using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t longest_question = 512;
constexpr std::size_t least_digits = 4;
constexpr auto patience = std::chrono::milliseconds(1500);  // somebody types

struct Item {
  std::string id, label, detail;
  std::uint64_t time_unix_ns = 0, count = 0;  // 0: null
  std::string service = {}, session = {}, trace_id = {}, span_id = {};
  Pairs query = {};  // of /sessions; of an operation, /traces
};

void write_item(Json& json, const Item& item) {
  json.open('{').key("id").text(item.id).key("label").text(item.label).key("detail").text(item.detail);
  time_ms(json, "time_ms", item.time_unix_ns);
  json.key("count");
  if (item.count == 0)
    json.null();
  else
    json.number(item.count);
  for (const auto& [key, value] : {std::pair<std::string_view, const std::string&>{"service", item.service},
                                   {"session", item.session},
                                   {"trace_id", item.trace_id},
                                   {"span_id", item.span_id}})
    if (!value.empty()) json.key(key).text(value);
  json.key("query").open('{');
  for (const auto& [key, value] : item.query) json.key(key).text(value);
  json.close('}').close('}');
}

void write_group(Json& json, std::string_view kind, const std::vector<Item>& items, std::optional<std::uint64_t> total,
                 bool more) {
  if (items.empty()) return;
  json.open('{').key("kind").text(kind).key("total");
  if (total)
    json.number(*total);
  else
    json.null();
  json.key("more").boolean(more).key("items").open('[');
  for (const Item& item : items) write_item(json, item);
  json.close(']').close('}');
}

// "00-<trace>-<span>-01", with or without the header's name before it.
struct Context {
  store::TraceId trace;
  std::string span;
};
std::optional<Context> read_traceparent(std::string_view text) {
  constexpr std::string_view header = "traceparent:";
  if (text.size() > header.size() &&
      std::equal(header.begin(), header.end(), text.begin(), [](char a, char b) { return a == b || a - 32 == b; }))
    text = base::trim(text.substr(header.size()));
  if (text.size() < 55 || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  const auto trace = read_trace_id(text.substr(3, 32));
  const auto span = hex_digits(text.substr(36, 16));
  if (!trace || !span || span->size() != 16) return std::nullopt;
  return Context{*trace, *span};
}

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const auto part : parts) {
    if (part.empty()) continue;
    if (!out.empty()) out += " · ";
    out += part;
  }
  return out;
}

Item session_item(const store::Session& s) {
  const std::string id = base::to_uuid(s.id);
  return {.id = id,
          .label = id.substr(id.size() - 8),
          .detail = joined({s.route, s.client, s.target, s.ended() ? s.end.why : "open"}),
          .time_unix_ns = s.opened_unix_ns,
          .session = id,
          .trace_id = s.trace_id.is_zero() ? "" : base::to_hex(s.trace_id)};
}

// None: it is not stored.
base::Result<std::optional<Item>> trace_item(Api& api, const store::TraceId& id, const std::string& span,
                                             store::Deadline deadline) {
  const auto trace = api.store.trace(id, 1, deadline);
  if (!trace) return tl::unexpected(trace.error());
  if (trace->spans.empty() && trace->logs.empty()) return std::nullopt;
  const std::string text = base::to_hex(id);
  Item out{.id = text, .label = text, .detail = "", .trace_id = text, .span_id = span};
  if (!trace->spans.empty()) {
    const auto& first = trace->spans.front();
    out.detail = joined({trace->origins.at(first.origin).service, first.name});
    out.time_unix_ns = first.start_unix_ns;
  }
  return out;
}

std::string exactly(const std::string& client) {
  if (!store::read_address(client)) return client;
  return client + (client.find(':') == std::string::npos ? "/32" : "/128");
}

std::vector<Item> place_items(const store::Lookup& found, Place place) {
  std::vector<Item> out;
  for (const auto& each : found.places[static_cast<std::size_t>(place)].values) {
    Item item{
        .id = each.value, .label = each.value, .detail = "", .time_unix_ns = each.last_unix_ns, .count = each.count};
    switch (place) {
      case Place::client:
        item.query = {{"client", exactly(each.value)}};
        break;
      case Place::target:
        item.query = {{"target", each.value}};
        break;
      case Place::close_reason:
        item.query = {{"close_reason", each.value}};
        break;
      case Place::end: {
        const bool code = each.value.find_first_not_of("0123456789") == std::string::npos;
        item.detail = code ? "close code" : "end reason";
        item.query = {{code ? "close_code" : "end_reason", each.value}};
        break;
      }
      case Place::route:
        item.query = {{"route", each.value}};
        break;
      case Place::instance:
        item.query = {{"instance", each.value}};
        break;
      case Place::operation:
        item.detail = item.service = each.service;
        item.query = {{"service", each.service}, {"operation", each.value}};
        break;
    }
    out.push_back(std::move(item));
  }
  return out;
}

// Proxies by what is known of those that report, too: their host, service and version.
std::vector<Item> proxy_items(Api& api, const store::Lookup& found, const std::string& text, std::size_t limit,
                              std::uint64_t& total) {
  auto out = place_items(found, Place::instance);
  const auto holds = [&](std::string_view name) {
    const auto same = [](char a, char b) {
      return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
    };
    return std::search(name.begin(), name.end(), text.begin(), text.end(), same) != name.end();
  };
  for (const auto& proxy : api.fleet.proxies(unix_now_ns())) {
    const auto& hello = proxy.hello;
    const auto known = std::find_if(out.begin(), out.end(), [&](const Item& i) { return i.id == hello.instance; });
    if (known == out.end() && !holds(hello.host) && !holds(hello.service) && !holds(hello.instance) &&
        !holds(hello.sockeye_version))
      continue;
    if (known == out.end()) ++total;
    if (known == out.end() && out.size() == limit) continue;
    Item& item = known == out.end() ? out.emplace_back() : *known;
    item.id = hello.instance;
    item.label = hello.host.empty() ? hello.instance : hello.host;
    item.detail = joined({hello.service, hello.sockeye_version, hello.instance});
    if (item.time_unix_ns == 0) item.time_unix_ns = proxy.since_unix_ns;
    item.query = {{"instance", hello.instance}};
  }
  return out;
}

}  // namespace

Response ask_search(Api& api, std::string_view, Parameters& with) {
  const std::string typed = with.text("q");
  const std::string_view text = base::trim(typed);
  const auto limit = with.integer("limit", 8, 1, 50);
  if (text.size() > longest_question) with.wrong("q", "at most 512 bytes");
  if (auto no = refused(with)) return *std::move(no);
  const auto deadline = std::min(api.deadline(), std::chrono::steady_clock::now() + patience);

  store::LookupQuery query;
  query.limit = limit;
  const auto context = read_traceparent(text);
  if (context) {
    query.digits = base::to_hex(context->trace);
  } else {
    query.text = text;
    query.network = store::read_network(text);
    if (auto digits = hex_digits(text); digits && digits->size() >= least_digits) query.digits = *std::move(digits);
  }
  auto found = api.store.lookup(query, deadline);
  if (!found) return store_failed(found.error());
  // An id of 64 bits, as some tracers write them.
  if (const auto id = read_trace_id(text); id && found->traces.empty() && query.digits.size() == 16)
    found->traces.push_back(*id);

  Json json;
  json.open('{').key("query").text(text).key("groups").open('[');
  std::vector<Item> items;
  for (const auto& session : found->sessions) items.push_back(session_item(session));
  write_group(json, "session", items, found->more_sessions ? std::nullopt : std::optional<std::uint64_t>(items.size()),
              found->more_sessions);
  items.clear();
  for (const auto& id : found->traces) {
    auto item = trace_item(api, id, context ? context->span : "", deadline);
    if (!item) return store_failed(item.error());
    if (*item) items.push_back(**std::move(item));
  }
  write_group(json, "trace", items, found->more_traces ? std::nullopt : std::optional<std::uint64_t>(items.size()),
              found->more_traces);
  if (query.network && found->network_sessions > 0) {
    const std::string name = query.network->text();
    write_group(json, "network",
                {{.id = name,
                  .label = name,
                  .detail = "",
                  .time_unix_ns = found->network_last_unix_ns,
                  .count = found->network_sessions,
                  .query = {{"client", name}}}},
                1, false);
  }
  for (const auto& [kind, place] : {std::pair<std::string_view, Place>{"client", Place::client},
                                    {"target", Place::target},
                                    {"operation", Place::operation},
                                    {"close_reason", Place::close_reason},
                                    {"close_reason", Place::end},
                                    {"route", Place::route}}) {
    if (place == Place::end) continue;  // with the reasons
    items = place_items(*found, place);
    std::uint64_t total = found->places[static_cast<std::size_t>(place)].total;
    if (place == Place::close_reason) {
      const auto ends = place_items(*found, Place::end);
      items.insert(items.begin(), ends.begin(), ends.end());
      total += found->places[static_cast<std::size_t>(Place::end)].total;
      if (items.size() > limit) items.resize(limit);
    }
    write_group(json, kind, items, total, total > items.size());
  }
  std::uint64_t proxies = found->places[static_cast<std::size_t>(Place::instance)].total;
  if (!query.text.empty() && !query.network && found->sessions.empty() && found->traces.empty()) {
    items = proxy_items(api, *found, query.text, limit, proxies);
    write_group(json, "proxy", items, proxies, proxies > items.size());
  }
  json.close(']').key("complete").boolean(found->complete).close('}');
  return json_response(json.take());
}

}  // namespace sockeye::console
