// What a case has to work with: a directory of its own, a store in it, and short ways to make batches and to ask.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sockeye/conformance/suite.h"

namespace sockeye::conformance {

using store::Batch;
using store::Value;

inline constexpr std::uint64_t second = 1'000'000'000;
inline constexpr std::uint64_t noon = 1'790'000'000ULL * second / 3600 / second * 3600 * second;  // a whole hour

[[nodiscard]] base::TraceId trace_id(std::uint64_t n);
[[nodiscard]] base::SpanId span_id(std::uint64_t n);
[[nodiscard]] base::SessionId session_id(std::uint64_t n);

[[nodiscard]] Value text(std::string_view);  // the text must stay
[[nodiscard]] Value integer(std::int64_t);
[[nodiscard]] Value real(double);
[[nodiscard]] Value boolean(bool);
[[nodiscard]] Value of_type(Value::Type, std::string_view);

using Attributes = std::vector<std::pair<std::string, Value>>;

// One span to be; what is not said is left as it is here.
struct Sketch {
  std::uint64_t trace = 1, id = 1, parent = 0;
  std::uint64_t start = noon, duration = second / 100;
  std::string service = "shop", name = "buy";
  std::uint8_t kind = 2, status = 0;
  Attributes attributes{}, resource{}, scope{};
  std::optional<std::uint64_t> session{};
};

// Adds it, its texts kept by the batch.
store::Span& add(Batch& batch, const Sketch& sketch);
store::Range add_attributes(Batch& batch, const Attributes& attributes);
[[nodiscard]] Batch batch_of(std::initializer_list<Sketch> sketches);

class World {
 public:
  World(const Backend& backend, Settings settings);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void open();
  void close() { store_.reset(); }
  // Closed and opened again, where that keeps what was written.
  void reopen();
  [[nodiscard]] store::Capabilities can() const { return store_->capabilities(); }
  [[nodiscard]] store::Store& store() { return *store_; }
  [[nodiscard]] Settings& settings() { return settings_; }

  // Waits for the answer.
  store::Written write(Batch&& batch);
  void must_write(Batch&& batch);  // and is not refused

  // Everything that is asked must be answered.
  [[nodiscard]] Batch trace(std::uint64_t n, std::size_t limit = 100'000);
  [[nodiscard]] store::SpanPage spans(const store::SpanQuery& query);
  // All pages, as span ids.
  [[nodiscard]] std::vector<base::SpanId> all_spans(store::SpanQuery query);
  [[nodiscard]] std::vector<store::TraceSummary> all_traces(store::SpanQuery query);
  [[nodiscard]] std::vector<store::Session> all_sessions(store::SessionQuery query);

 private:
  const Backend& backend_;
  Settings settings_;
  std::unique_ptr<store::Store> store_;
};

[[nodiscard]] std::chrono::steady_clock::time_point soon();  // a deadline that is no limit

struct Case {
  const char* name;
  void (*run)(World&);
  Settings settings{};
};
[[nodiscard]] std::vector<Case> span_cases();
[[nodiscard]] std::vector<Case> search_cases();
[[nodiscard]] std::vector<Case> name_cases();
[[nodiscard]] std::vector<Case> lookup_cases();
[[nodiscard]] std::vector<Case> paging_cases();
[[nodiscard]] std::vector<Case> latency_cases();
[[nodiscard]] std::vector<Case> call_cases();
[[nodiscard]] std::vector<Case> session_cases();
[[nodiscard]] std::vector<Case> life_cases();

}  // namespace sockeye::conformance
