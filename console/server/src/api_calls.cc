// Spans in any order, and counted by what they have in common.
#include <algorithm>
#include <array>
#include <limits>

#include "api.h"
#include "write.h"

namespace sockeye::console {
namespace {

using store::Dimension;
using store::Measure;

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

double seconds_of(std::uint64_t ns) { return ns == store::Figures::unknown ? unknown : static_cast<double>(ns) / 1e9; }

std::string_view text_of(const store::Batch& batch, const store::Span& span, std::string_view key) {
  const store::Value* const value = store::find(batch.of(span.attributes), key);
  return value != nullptr && value->type == store::Value::Type::text ? value->text : std::string_view();
}

void write_call(base::Json& json, const store::Batch& batch, const store::Span& span) {
  const auto figures = store::figures_of(batch.of(span.attributes), span.duration_ns());
  write_span(json, batch, span, [&] {
    json.key("figures").open('{');
    seconds(json, "first_chunk_seconds", seconds_of(figures.of(Measure::first_chunk)));
    seconds(json, "last_chunk_seconds", seconds_of(figures.of(Measure::last_chunk)));
    seconds(json, "longest_pause_seconds", seconds_of(figures.of(Measure::longest_pause)));
    seconds(json, "perceived_seconds", seconds_of(figures.of(Measure::perceived)));
    json.key("chunks");
    if (const auto chunks = figures.of(Measure::chunks); chunks != store::Figures::unknown)
      json.number(chunks);
    else
      json.null();
    json.key("call_status");
    if (figures.status == store::CallStatus::none)
      json.null();
    else
      json.text(text_of(batch, span, store::call_attribute));
    json.close('}');
    json.key("route").text(text_of(batch, span, store::attribute_of(Dimension::route)));
    json.key("target").text(text_of(batch, span, store::attribute_of(Dimension::target)));
  });
}

struct Words {
  std::string_view word;
  Dimension dimension;
};
constexpr std::array group_words = {Words{"service", Dimension::service}, Words{"operation", Dimension::operation},
                                    Words{"route", Dimension::route},     Words{"target", Dimension::target},
                                    Words{"client", Dimension::client},   Words{"dialect", Dimension::dialect},
                                    Words{"status", Dimension::status},   Words{"kind", Dimension::kind}};
constexpr std::string_view attribute_prefix = "attribute:";

void read_by(Parameters& with, store::GroupsQuery& query) {
  const auto by = with.text("by");
  if (by.starts_with(attribute_prefix) && by.size() > attribute_prefix.size()) {
    query.by = Dimension::attribute;
    query.by_key = by.substr(attribute_prefix.size());
    return;
  }
  const auto* const found =
      std::find_if(group_words.begin(), group_words.end(), [&](const Words& each) { return each.word == by; });
  if (found != group_words.end())
    query.by = found->dimension;
  else if (!by.empty())
    with.wrong("by", "one of service, operation, route, target, client, dialect, status, kind, attribute:KEY");
}

void read_figure(Parameters& with, store::GroupsQuery& query) {
  const auto figure = with.text("figure");
  if (figure.starts_with(attribute_prefix) && figure.size() > attribute_prefix.size()) {
    query.figure_key = figure.substr(attribute_prefix.size());
    return;
  }
  constexpr std::array<std::string_view, store::measures> words = {"duration",      "first_chunk", "last_chunk",
                                                                   "longest_pause", "perceived",   "chunks"};
  const auto* const found = std::find(words.begin(), words.end(), figure);
  if (found != words.end())
    query.figure = static_cast<Measure>(found - words.begin());
  else if (!figure.empty())
    with.wrong("figure", "one of duration, first_chunk, last_chunk, longest_pause, perceived, chunks, attribute:KEY");
}

// The parameters that, beside those of the question, ask for a group's spans; null where none can.
void write_query(base::Json& json, const store::GroupsQuery& query, std::string_view by,
                 const std::optional<std::string>& value) {
  json.key("query");
  if (!value) {
    json.open('{').key("without").text(by).close('}');
  } else if (value->empty()) {
    json.null();
  } else if (query.by == Dimension::attribute) {
    json.open('{').key("attribute").text(query.by_key + ':' + *value).close('}');
  } else {
    json.open('{').key(by).text(*value).close('}');
  }
}

// Kinds and statuses come as numbers.
std::optional<std::string> in_words(const store::GroupsQuery& query, const std::optional<std::string>& value) {
  if (query.by != Dimension::status && query.by != Dimension::kind) return value;
  const auto number = static_cast<std::uint8_t>(value && !value->empty() ? value->front() - '0' : 0);
  return std::string(query.by == Dimension::status ? status_name(number) : kind_name(number));
}

}  // namespace

Response ask_spans(Api& api, std::string_view, Parameters& with) {
  auto query = span_query(with);
  read_order(with, query);
  query.limit = with.integer("limit", 50, 1, 200);
  query.cursor = with.text("cursor");
  if (auto no = refused(with)) return *std::move(no);
  const auto page = api.store.spans(query, api.deadline());
  if (!page) return store_failed(page.error());
  base::Json json;
  json.open('{').key("spans").open('[');
  for (const auto& span : page->spans.spans) write_call(json, page->spans, span);
  json.close(']').key("total");
  if (page->total)
    json.number(*page->total);
  else
    json.null();
  json.key("cursor").text(page->cursor).key("complete").boolean(page->complete).close('}');
  return json_response(json.take());
}

Response ask_groups(Api& api, std::string_view, Parameters& with) {
  store::GroupsQuery query;
  query.spans = span_query(with);
  read_by(with, query);
  read_figure(with, query);
  using Sort = store::GroupsQuery::Sort;
  constexpr std::array quantiles = {0.5, 0.95, 0.99, 1.0};
  const auto sort = with.word("sort", {"count", "errors", "p50", "p95", "p99", "max"}).value_or(0);
  query.sort = sort < 2 ? static_cast<Sort>(sort) : Sort::percentile;
  if (sort >= 2) query.sort_quantile = quantiles[sort - 2];
  query.ascending = with.word("order", {"desc", "asc"}).value_or(0) == 1;
  query.limit = with.integer("limit", 50, 1, 200);
  query.cursor = with.text("cursor");
  if (auto no = refused(with)) return *std::move(no);
  const auto page = api.store.groups(query, api.deadline());
  if (!page) return store_failed(page.error());
  const double unit = !query.figure_key.empty() ? 1e6 : query.figure == Measure::chunks ? 1 : 1e9;
  const auto given = with.text("by");
  const std::string by = given.empty() ? "operation" : given;
  base::Json json;
  json.open('{').key("groups").open('[');
  for (const auto& group : page->groups) {
    const auto value = in_words(query, group.value);
    json.open('{').key("value");
    if (value)
      json.text(*value);
    else
      json.null();
    json.key("count").number(group.count).key("errors").number(group.errors);
    json.key("measured").number(group.figure.count());
    const auto figure = [&](std::string_view key, std::uint64_t number) {
      seconds(json, key, group.figure.count() == 0 ? unknown : static_cast<double>(number) / unit);
    };
    figure("p50", group.figure.percentile(0.5));
    figure("p95", group.figure.percentile(0.95));
    figure("p99", group.figure.percentile(0.99));
    figure("max", group.figure.max());
    write_query(json, query, by, value);
    json.close('}');
  }
  json.close(']').key("total_groups").number(page->total).key("counted").number(page->counted);
  json.key("cursor").text(page->cursor).key("complete").boolean(page->complete).close('}');
  return json_response(json.take());
}

}  // namespace sockeye::console
