// Names of services and operations.
#include <set>

#include "api.h"
#include "write.h"

namespace sockeye::console {

Response ask_services(Api& api, std::string_view, Parameters& with) {
  if (auto no = refused(with)) return *std::move(no);
  const auto services = api.store.services(api.deadline());
  if (!services) return store_failed(services.error());
  base::Json json;
  json.open('{').key("services").open('[');
  for (const auto& service : *services) json.text(service);
  json.close(']').close('}');
  return json_response(json.take());
}

// `operations` are the names alone, each once; `entries` say whose they are.
Response ask_operations(Api& api, std::string_view, Parameters& with) {
  store::OperationNamesQuery query;
  query.service = with.text("service");
  query.contains = with.text("search");
  query.limit = with.integer("limit", 10'000, 1, 10'000);
  query.cursor = with.text("cursor");
  if (auto no = refused(with)) return *std::move(no);
  auto page = api.store.operations(query, api.deadline());
  if (!page) return store_failed(page.error());
  std::set<std::string_view> names;
  for (const auto& each : page->items) names.insert(each.operation);
  base::Json json;
  json.open('{').key("operations").open('[');
  for (const auto name : names) json.text(name);
  json.close(']').key("entries").open('[');
  for (const auto& each : page->items) {
    json.open('{').key("service").text(each.service).key("operation").text(each.operation).key("kinds").open('[');
    for (std::uint8_t kind = 0; kind <= 5; ++kind)
      if ((each.kinds >> kind & 1U) != 0) json.text(kind_name(kind));
    json.close(']').close('}');
  }
  json.close(']').key("cursor").text(page->cursor).key("complete").boolean(page->complete).close('}');
  return json_response(json.take());
}

}  // namespace sockeye::console
