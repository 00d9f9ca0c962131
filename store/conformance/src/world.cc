#include "world.h"

#include <stdlib.h>

#include <filesystem>
#include <future>

namespace sockeye::conformance {
namespace {

template <class Id>
Id id_of(std::uint64_t n) {
  Id out;
  for (std::size_t i = 0; i < 8; ++i) out.bytes[out.bytes.size() - 1 - i] = static_cast<std::uint8_t>(n >> (8 * i));
  return out;
}

std::string new_directory() {
  std::string name = (std::filesystem::temp_directory_path() / "sockeye-store-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}

}  // namespace

base::TraceId trace_id(std::uint64_t n) { return id_of<base::TraceId>(n); }
base::SpanId span_id(std::uint64_t n) { return id_of<base::SpanId>(n); }
base::SessionId session_id(std::uint64_t n) { return id_of<base::SessionId>(n); }

Value text(std::string_view t) { return of_type(Value::Type::text, t); }
Value of_type(Value::Type type, std::string_view t) {
  Value out;
  out.type = type;
  out.text = t;
  return out;
}
Value integer(std::int64_t i) {
  Value out;
  out.type = Value::Type::integer;
  out.integer = i;
  return out;
}
Value real(double r) {
  Value out;
  out.type = Value::Type::real;
  out.real = r;
  return out;
}
Value boolean(bool b) {
  Value out;
  out.type = Value::Type::boolean;
  out.boolean = b;
  return out;
}

store::Range add_attributes(Batch& batch, const Attributes& attributes) {
  const auto first = static_cast<std::uint32_t>(batch.attributes.size());
  for (const auto& [key, value] : attributes) {
    auto& to = batch.attributes.emplace_back();
    to.key = batch.keep(key);
    to.value = value;
    to.value.text = batch.keep(value.text);
  }
  return {first, static_cast<std::uint32_t>(attributes.size())};
}

store::Span& add(Batch& batch, const Sketch& sketch) {
  store::Origin origin;
  origin.service = batch.keep(sketch.service);
  Attributes resource = sketch.resource;
  resource.emplace_back("service.name", text(sketch.service));
  origin.resource = add_attributes(batch, resource);
  origin.scope = add_attributes(batch, sketch.scope);
  batch.origins.push_back(origin);
  store::Span span;
  span.trace_id = trace_id(sketch.trace);
  span.span_id = span_id(sketch.id);
  if (sketch.parent != 0) span.parent_id = span_id(sketch.parent);
  span.kind = sketch.kind;
  span.status = sketch.status;
  span.start_unix_ns = sketch.start;
  span.end_unix_ns = sketch.start + sketch.duration;
  span.name = batch.keep(sketch.name);
  span.origin = static_cast<std::uint32_t>(batch.origins.size() - 1);
  span.attributes = add_attributes(batch, sketch.attributes);
  if (sketch.session) span.session = session_id(*sketch.session);
  return batch.spans.emplace_back(span);
}

Batch batch_of(std::initializer_list<Sketch> sketches) {
  Batch out;
  for (const auto& each : sketches) add(out, each);
  return out;
}

World::World(const Backend& backend, Settings settings) : backend_(backend), settings_(std::move(settings)) {
  settings_.directory = new_directory();
}

World::~World() {
  close();
  std::error_code ignored;
  std::filesystem::remove_all(settings_.directory, ignored);
}

void World::open() {
  store_.reset();
  auto opened = backend_.open(settings_);
  ASSERT_TRUE(opened) << opened.error().message;
  store_ = std::move(*opened);
}

void World::reopen() {
  if (!can().durable) return;
  close();
  open();
}

store::Written World::write(Batch&& batch) {
  auto promise = std::make_shared<std::promise<store::Written>>();
  auto future = promise->get_future();
  store_->write(std::move(batch), [promise](const store::Written& written) { promise->set_value(written); });
  if (future.wait_for(std::chrono::seconds(60)) != std::future_status::ready) {
    ADD_FAILURE() << "no answer to a write";
    return {store::Refusal::broken, "no answer", 0};
  }
  return future.get();
}

void World::must_write(Batch&& batch) {
  const auto written = write(std::move(batch));
  EXPECT_EQ(written.refusal, store::Refusal::none) << written.message;
}

std::chrono::steady_clock::time_point soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(60); }

Batch World::trace(std::uint64_t n, std::size_t limit) {
  auto found = store_->trace(trace_id(n), limit, soon());
  EXPECT_TRUE(found) << found.error().message;
  return found ? std::move(*found) : Batch{};
}

store::SpanPage World::spans(const store::SpanQuery& query) {
  auto found = store_->spans(query, soon());
  EXPECT_TRUE(found) << found.error().message;
  return found ? std::move(*found) : store::SpanPage{};
}

std::vector<base::SpanId> World::all_spans(store::SpanQuery query) {
  std::vector<base::SpanId> out;
  do {
    const auto page = spans(query);
    EXPECT_TRUE(page.complete);
    EXPECT_LE(page.spans.spans.size(), query.limit);
    for (const auto& span : page.spans.spans) out.push_back(span.span_id);
    query.cursor = page.cursor;
  } while (!query.cursor.empty() && out.size() < 1'000'000);
  return out;
}

std::vector<store::TraceSummary> World::all_traces(store::SpanQuery query) {
  std::vector<store::TraceSummary> out;
  do {
    auto page = store_->traces(query, soon());
    EXPECT_TRUE(page) << page.error().message;
    if (!page) break;
    EXPECT_TRUE(page->complete);
    EXPECT_LE(page->items.size(), query.limit);
    for (auto& each : page->items) out.push_back(std::move(each));
    query.cursor = page->cursor;
  } while (!query.cursor.empty() && out.size() < 1'000'000);
  return out;
}

std::vector<store::Session> World::all_sessions(store::SessionQuery query) {
  std::vector<store::Session> out;
  do {
    auto page = store_->sessions(query, soon());
    EXPECT_TRUE(page) << page.error().message;
    if (!page) break;
    EXPECT_LE(page->items.size(), query.limit);
    for (auto& each : page->items) out.push_back(std::move(each));
    query.cursor = page->cursor;
  } while (!query.cursor.empty() && out.size() < 1'000'000);
  return out;
}

}  // namespace sockeye::conformance
