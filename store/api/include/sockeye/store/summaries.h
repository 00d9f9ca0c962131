// How what a store knows comes together in an answer: points of a fleet over a step, opens and ends over a step, what a
// word may mean. A backend reads rows and adds them; the result is the same in every one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "sockeye/store/query.h"

namespace sockeye::store {

// Beginning of the step that a time lies in; the time itself where the step has no length.
[[nodiscard]] std::uint64_t step_of(std::uint64_t time_unix_ns, std::uint64_t step_ns);

// Points of fleets, put together by step, instance and route: sums of what is counted, means of what is measured, and
// its peaks.
class FleetSteps {
 public:
  explicit FleetSteps(std::uint64_t step_ns) : step_ns_(step_ns) {}
  void add(const FleetPoint&);
  [[nodiscard]] std::size_t size() const { return steps_.size(); }
  [[nodiscard]] std::vector<FleetPoint> points() const;  // by time, instance, route

 private:
  struct Sum {
    FleetPoint sum;
    std::uint64_t points = 0, covered_ms = 0;
    std::array<double, 4> rtt_sum{};  // median of either leg, then the 99th percentile
    std::array<std::uint64_t, 4> rtt_points{};
    bool any = false;

    void add(const FleetPoint&);
    void add_rtt(std::size_t which, float value);
    [[nodiscard]] float rtt(std::size_t which) const;
    [[nodiscard]] FleetPoint point() const;
  };
  const std::uint64_t step_ns_;
  std::map<std::tuple<std::uint64_t, std::string, std::string>, Sum> steps_;
};

// Opens and ends of sessions, counted by step and by what they have in common, with the first few of each. Of one such
// kind they are added by time.
class HappeningSteps {
 public:
  explicit HappeningSteps(std::uint64_t step_ns) : step_ns_(step_ns) {}
  void opened(std::uint64_t time_unix_ns, const SessionId&, std::string_view route, std::string_view instance,
              bool reconnect);
  void ended(std::uint64_t time_unix_ns, const SessionId&, std::string_view route, std::string_view instance,
             std::string_view end_reason, std::string_view initiator, std::uint16_t close_code);
  [[nodiscard]] std::size_t size() const { return steps_.size(); }
  [[nodiscard]] std::vector<Happening> all() &&;  // by step, opens before ends

 private:
  using Key = std::tuple<std::uint64_t, bool, std::string, std::string, std::string, std::string, std::uint16_t>;
  void add(Key&& key, std::uint64_t time_unix_ns, const SessionId&, bool reconnect);

  const std::uint64_t step_ns_;
  std::map<Key, Happening> steps_;
};

// Ends of sessions, counted by step and by how they were.
class CloseSteps {
 public:
  explicit CloseSteps(const ClosesQuery& query) : from_ns_(query.time.from_unix_ns), step_ns_(query.step_ns) {}
  void add(std::uint64_t ended_unix_ns, std::string_view route, std::string_view end_reason, std::string_view initiator,
           std::uint16_t code);
  [[nodiscard]] std::size_t size() const { return counts_.size(); }
  [[nodiscard]] std::vector<CloseCount> counts() const;

 private:
  const std::uint64_t from_ns_, step_ns_;
  std::map<std::tuple<std::uint64_t, std::string, std::string, std::string, std::uint16_t>, std::uint64_t> counts_;
};

// What a session is looked up by.
struct LookupTexts {
  std::string_view client, target, close_reason, end_reason, route, instance;
  std::uint16_t close_code = 0;
  std::uint64_t opened_unix_ns = 0;
};

// What a word may mean, gathered from sessions, traces and operations.
class LookupSum {
 public:
  explicit LookupSum(const LookupQuery& query);  // which must stay
  [[nodiscard]] std::size_t limit() const { return limit_; }

  // Whose id begins or ends with the digits; once each. More than `limit` may be added.
  void add_session(const Session&);
  void add_trace(const TraceId&);  // false: there are enough
  [[nodiscard]] bool enough_traces() const { return out_.more_traces; }
  // An id that is there is what was meant: nobody needs to wait for the rest.
  [[nodiscard]] bool found_an_id() const { return !out_.sessions.empty() || !out_.traces.empty(); }
  void add_texts(const LookupTexts&);
  void add_operation(std::string_view service, std::string_view name, std::uint64_t last_unix_ns);
  void set_incomplete() { out_.complete = false; }
  [[nodiscard]] Lookup result() &&;

 private:
  void count(LookupPlace place, std::string_view value, std::uint64_t time);

  const LookupQuery& query_;
  const std::size_t limit_;
  std::string text_;        // in lower case
  std::uint16_t code_ = 0;  // what it says as a close code; 0: none
  Lookup out_;
  std::array<std::map<std::string, LookupValue, std::less<>>, lookup_places> found_;
  std::vector<LookupValue> operations_;
};

// Whether an id ends with hexadecimal digits in lower case.
[[nodiscard]] bool ends_with_digits(const SessionId&, std::string_view digits);

}  // namespace sockeye::store
