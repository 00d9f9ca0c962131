// Names of services and operations, who calls whom, and searches in what stands beside attributes.
#include <tuple>

#include "world.h"

namespace sockeye::conformance {
namespace {

using Named = std::tuple<std::string, std::string, unsigned>;

// All pages.
std::vector<Named> all_operations(World& world, store::OperationNamesQuery query) {
  std::vector<Named> out;
  do {
    const auto page = world.store().operations(query, soon());
    EXPECT_TRUE(page);
    if (!page) return out;
    EXPECT_LE(page->items.size(), query.limit);
    for (const auto& each : page->items) out.emplace_back(each.service, each.operation, each.kinds);
    query.cursor = page->cursor;
  } while (!query.cursor.empty());
  return out;
}

void services_and_operations(World& world) {
  EXPECT_TRUE(world.store().services(soon())->empty());
  world.must_write(batch_of({{.id = 1, .service = "b", .name = "y", .kind = 2},
                             {.id = 2, .service = "a", .name = "z", .kind = 3},
                             {.id = 3, .service = "b", .name = "Xx", .kind = 0},
                             {.id = 4, .service = "b", .name = "y", .kind = 5},
                             {.id = 5, .service = "ab", .name = "x", .kind = 3}}));
  world.must_write(batch_of({{.id = 6, .service = "b", .name = "y", .kind = 1}}));
  EXPECT_EQ(*world.store().services(soon()), (std::vector<std::string>{"a", "ab", "b"}));
  const Named a{"a", "z", 8}, ab{"ab", "x", 8}, b_x{"b", "Xx", 1}, b_y{"b", "y", 2 + 4 + 32};
  EXPECT_EQ(all_operations(world, {.service = "b"}), (std::vector{b_x, b_y}));
  EXPECT_EQ(all_operations(world, {.service = "c"}), std::vector<Named>{});
  for (const std::size_t limit : {1U, 2U, 3U, 4U, 100U})
    EXPECT_EQ(all_operations(world, {.limit = limit}), (std::vector{a, ab, b_x, b_y})) << limit;
  EXPECT_EQ(all_operations(world, {.contains = "X", .limit = 1}), (std::vector{ab, b_x}));
  EXPECT_EQ(all_operations(world, {.kind = std::uint8_t{3}}), (std::vector{a, ab}));
  EXPECT_EQ(all_operations(world, {.service = "b", .kind = std::uint8_t{5}}), (std::vector{b_y}));
  const auto wrong = world.store().operations({.cursor = "nonsense!"}, soon());
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, store::bad_cursor);
}

using Called = std::tuple<std::string, std::string, std::uint64_t>;

std::vector<Called> calls(World& world, store::TimeRange range = {}) {
  const auto page = world.store().dependencies(range, soon());
  EXPECT_TRUE(page);
  std::vector<Called> out;
  if (!page) return out;
  EXPECT_TRUE(page->complete);
  for (const auto& each : page->items) out.emplace_back(each.parent, each.child, each.calls);
  return out;
}

void dependencies_are_real_calls(World& world) {
  EXPECT_EQ(calls(world), std::vector<Called>{});
  const auto at = [](std::uint64_t s) { return noon + s * second; };
  // Children come before their parents, in other batches; a parent of the same id in another trace is none.
  world.must_write(batch_of({{.trace = 1, .id = 3, .parent = 2, .start = at(2), .service = "db"},
                             {.trace = 1, .id = 4, .parent = 2, .start = at(3), .service = "db"},
                             {.trace = 2, .id = 5, .parent = 2, .start = at(4), .service = "db"},
                             {.trace = 3, .id = 6, .parent = 99, .start = at(4), .service = "db"}}));
  world.must_write(batch_of({{.trace = 1, .id = 1, .start = at(0), .service = "gate"},
                             {.trace = 1, .id = 2, .parent = 1, .start = at(1), .service = "shop"},
                             {.trace = 1, .id = 7, .parent = 2, .start = at(5), .service = "shop"}}));
  EXPECT_EQ(calls(world), (std::vector<Called>{{"gate", "shop", 1}, {"shop", "db", 2}}));
  // A call counts where it starts; its parent may have started before.
  EXPECT_EQ(calls(world, {at(2), at(3)}), (std::vector<Called>{{"shop", "db", 1}}));
  EXPECT_EQ(calls(world, {at(3), at(3)}), std::vector<Called>{});
  EXPECT_EQ(calls(world, {at(6), at(9)}), std::vector<Called>{});
}

void dependencies_over_many_spans(World& world) {
  // Each child is thousands of spans after its parent.
  constexpr std::uint64_t many = 3000;
  for (const bool child : {false, true}) {
    Batch batch;
    for (std::uint64_t i = 1; i <= many; ++i)
      add(batch, {.trace = i,
                  .id = child ? 2U : 1U,
                  .parent = child ? 1U : 0U,
                  .start = noon + (child ? 3600 + i : i) * second,
                  .service = child ? "back" + std::to_string(i % 3) : "front"});
    world.must_write(std::move(batch));
  }
  const std::vector<Called> all = {{"front", "back0", 1000}, {"front", "back1", 1000}, {"front", "back2", 1000}};
  EXPECT_EQ(calls(world), all);
  EXPECT_EQ(calls(world, {noon + (3600 + 2401) * second, UINT64_MAX}),
            (std::vector<Called>{{"front", "back0", 200}, {"front", "back1", 200}, {"front", "back2", 200}}));
}

void fields_beside_attributes(World& world) {
  // The one that is looked for is among so many that their filters decide what is read.
  constexpr std::uint64_t many = 5000;
  Batch batch;
  for (std::uint64_t i = 1; i <= many; ++i) add(batch, {.trace = i, .id = i, .start = noon + i, .status = 1});
  add(batch, {.trace = 9000, .id = 9000, .start = noon, .service = "lone", .status = 2});
  auto& span = batch.spans.back();
  span.trace_state = "vendor=1";
  span.status_message = "card refused";
  batch.origins[span.origin].scope_name = "cart";
  batch.origins[span.origin].scope_version = "1.4";
  store::Event event;
  event.name = "exception";
  event.attributes = add_attributes(batch, {{"exception.type", text("Declined")}, {"retries", integer(3)}});
  batch.events.push_back(event);
  span.events = {0, 1};
  world.must_write(std::move(batch));
  const auto found = [&](const std::string& key, const std::string& value, bool fields = true) {
    return world.all_spans({.attributes = {{key, value}}, .fields = fields}) == std::vector{span_id(9000)};
  };
  for (const auto& [key, value] : {std::pair<std::string, std::string>{"event", "exception"},
                                   {"exception.type", "Declined"},
                                   {"retries", "3"},
                                   {"event", ""},
                                   {"otel.scope.name", "cart"},
                                   {"otel.scope.version", "1.4"},
                                   {"otel.status_description", "card refused"},
                                   {"w3c.tracestate", "vendor=1"}}) {
    EXPECT_TRUE(found(key, value)) << key;
    EXPECT_FALSE(found(key, value + "x")) << key;
    EXPECT_FALSE(found(key, value, false)) << key << " is no attribute of the span";
  }
  EXPECT_EQ(world.all_spans({.service = "lone", .not_error = true}).size(), 0U);
  EXPECT_EQ(world.all_spans({.not_error = true, .limit = 1000}).size(), many);
}

}  // namespace

std::vector<Case> name_cases() {
  return {{"ServicesAndOperations", services_and_operations},
          {"DependenciesAreRealCalls", dependencies_are_real_calls},
          {"DependenciesOverManySpans", dependencies_over_many_spans},
          {"FieldsBesideAttributes", fields_beside_attributes}};
}

}  // namespace sockeye::conformance
