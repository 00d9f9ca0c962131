// A store for tests that keeps what it is given, and looks through all of it for every answer. It answers what the
// console's tests ask: filters are those they use; nothing is rolled up.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "sockeye/store/store.h"

namespace sockeye::console::test {

class MemoryStore final : public store::Store {
 public:
  // What write() answers from now on.
  void refuse(store::Refusal refusal) {
    const std::lock_guard lock(mutex_);
    refusal_ = refusal;
  }
  // While held, questions for the services wait.
  void hold(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    wake_.notify_all();
  }
  // While held, what is written is not answered for.
  void hold_writes(bool held) {
    std::deque<std::function<void()>> late;
    {
      const std::lock_guard lock(mutex_);
      writes_held_ = held;
      if (!held) late.swap(late_);
    }
    for (auto& each : late) each();
  }
  bool wait_for_question(std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, patience, [this] { return waiting_ > 0; });
  }
  std::atomic<int> happenings_asked = 0, happening_asked = 0;  // how often
  std::atomic<std::uint64_t> kept_since_unix_ns = 0;
  std::size_t spans_kept() const {
    const std::lock_guard lock(mutex_);
    std::size_t out = 0;
    for (const auto& batch : batches_) out += batch.spans.size();
    return out;
  }
  std::vector<store::Session> sessions_kept() const {
    const std::lock_guard lock(mutex_);
    std::vector<store::Session> out;
    for (const auto& batch : batches_) out.insert(out.end(), batch.sessions.begin(), batch.sessions.end());
    return out;
  }

  void write(store::Batch&& batch, store::Done done) override {
    store::Written written;
    {
      const std::lock_guard lock(mutex_);
      written.refusal = refusal_;
      if (refusal_ == store::Refusal::none)
        batches_.push_back(std::move(batch));
      else
        written.message = "refused by the test";
      if (writes_held_) {
        late_.emplace_back([done, written] { done(written); });
        return;
      }
    }
    done(written);
  }

  base::Result<store::Batch> trace(const store::TraceId& id, std::size_t limit, store::Deadline) override {
    const std::lock_guard lock(mutex_);
    store::Batch out;
    for (const auto& batch : batches_)
      for (const auto& span : batch.spans)
        if (span.trace_id == id && out.spans.size() < limit) copy(batch, span, out);
    std::sort(out.spans.begin(), out.spans.end(),
              [](const store::Span& a, const store::Span& b) { return a.start_unix_ns < b.start_unix_ns; });
    return out;
  }
  base::Result<store::SpanPage> spans(const store::SpanQuery& query, store::Deadline) override {
    const std::lock_guard lock(mutex_);
    asked_spans = query;
    store::SpanPage out;
    for (const auto& batch : batches_)
      for (const auto& span : batch.spans)
        if (matches(query, batch, span) && out.spans.spans.size() < query.limit) copy(batch, span, out.spans);
    return out;
  }
  base::Result<store::Page<store::TraceSummary>> traces(const store::SpanQuery& query, store::Deadline) override {
    const std::lock_guard lock(mutex_);
    store::Page<store::TraceSummary> out;
    std::set<store::TraceId> seen;
    for (const auto& batch : batches_)
      for (const auto& span : batch.spans) {
        if (!matches(query, batch, span) || out.items.size() == query.limit || !seen.insert(span.trace_id).second)
          continue;
        store::TraceSummary each;
        each.trace_id = span.trace_id;
        each.root_service = batch.origins.at(span.origin).service;
        each.root_operation = span.name;
        each.start_unix_ns = span.start_unix_ns;
        each.end_unix_ns = span.end_unix_ns;
        each.spans = each.matched = 1;
        out.items.push_back(std::move(each));
      }
    return out;
  }
  base::Result<std::vector<std::string>> services(store::Deadline) override {
    std::unique_lock lock(mutex_);
    ++waiting_;
    wake_.notify_all();
    wake_.wait(lock, [this] { return !held_; });
    --waiting_;
    std::set<std::string> out;
    for (const auto& batch : batches_)
      for (const auto& origin : batch.origins) out.emplace(origin.service);
    return std::vector<std::string>(out.begin(), out.end());
  }
  base::Result<store::Page<store::OperationName>> operations(const store::OperationNamesQuery& query,
                                                             store::Deadline) override {
    const std::lock_guard lock(mutex_);
    std::map<std::pair<std::string, std::string>, std::uint8_t> kinds;
    for (const auto& batch : batches_)
      for (const auto& span : batch.spans) {
        const std::string service(batch.origins.at(span.origin).service);
        if (!query.service.empty() && service != query.service) continue;
        if (query.kind && span.kind != *query.kind) continue;
        kinds[{service, std::string(span.name)}] |= static_cast<std::uint8_t>(1U << span.kind);
      }
    store::Page<store::OperationName> out;
    for (const auto& [names, bits] : kinds) out.items.push_back({names.first, names.second, bits});
    return out;
  }
  base::Result<store::Page<store::Dependency>> dependencies(store::TimeRange range, store::Deadline) override {
    const std::lock_guard lock(mutex_);
    store::Page<store::Dependency> out;
    if (range.from_unix_ns <= 1 && range.to_unix_ns > 1) out.items.push_back({"gate", "shop", 7});
    asked_dependencies_ = range;
    return out;
  }
  store::TimeRange asked_dependencies() const {
    const std::lock_guard lock(mutex_);
    return asked_dependencies_;
  }
  // What latency() and groups() answer from now on, and what they and spans() were asked last.
  store::OperationsPage latencies;
  store::GroupPage grouped;
  store::OperationsQuery asked_latency;
  store::GroupsQuery asked_groups;
  store::SpanQuery asked_spans;

  base::Result<store::OperationsPage> latency(const store::OperationsQuery& query, store::Deadline) override {
    const std::lock_guard lock(mutex_);
    asked_latency = query;
    return latencies;
  }
  base::Result<store::GroupPage> groups(const store::GroupsQuery& query, store::Deadline) override {
    const std::lock_guard lock(mutex_);
    asked_groups = query;
    return grouped;
  }
  base::Result<store::Page<store::Session>> sessions(const store::SessionQuery& query, store::Deadline) override {
    store::Page<store::Session> out;
    for (auto& each : latest()) {
      using State = store::SessionQuery::State;
      if (query.state != State::any && (query.state == State::ended) != each.ended_unix_ns.has_value()) continue;
      if (!query.route.empty() && query.route != each.route) continue;
      const std::uint64_t ended = each.ended_unix_ns.value_or(UINT64_MAX);
      if (ended < query.ended.from_unix_ns || (ended >= query.ended.to_unix_ns && query.ended.to_unix_ns != UINT64_MAX))
        continue;
      if (query.abnormal && (each.end_reason == "normal" || each.end_reason == "drain" || !each.ended_unix_ns))
        continue;
      if (out.items.size() < query.limit) out.items.push_back(std::move(each));
    }
    return out;
  }
  base::Result<std::optional<store::Session>> session(const store::SessionId& id, store::Deadline) override {
    for (auto& each : latest())
      if (each.id == id) return std::optional(std::move(each));
    return std::optional<store::Session>();
  }
  base::Result<std::vector<store::SessionPoint>> points(const store::SessionId& id, store::TimeRange,
                                                        store::Deadline) override {
    const std::lock_guard lock(mutex_);
    std::vector<store::SessionPoint> out;
    for (const auto& batch : batches_)
      for (const auto& point : batch.points)
        if (point.id == id) out.push_back(point);
    return out;
  }
  base::Result<std::vector<store::FleetPoint>> fleet(const store::FleetQuery&, store::Deadline) override {
    const std::lock_guard lock(mutex_);
    std::vector<store::FleetPoint> out;
    for (const auto& batch : batches_) out.insert(out.end(), batch.fleet.begin(), batch.fleet.end());
    return out;
  }
  base::Result<std::vector<store::CloseCount>> closes(const store::ClosesQuery&, store::Deadline) override {
    return std::vector<store::CloseCount>();
  }
  base::Result<store::Lookup> lookup(const store::LookupQuery& query, store::Deadline) override {
    store::Lookup out;
    const auto note = [&](store::LookupPlace place, const std::string& value, std::uint64_t time) {
      auto& list = out.places[static_cast<std::size_t>(place)];
      for (auto& each : list.values)
        if (each.value == value) {
          ++each.count;
          return;
        }
      list.values.push_back({value, "", 1, time});
      list.total = list.values.size();
    };
    const auto holds = [&](const std::string& text) {
      const auto same = [](char a, char b) { return std::tolower(a) == std::tolower(b); };
      return !query.text.empty() &&
             std::search(text.begin(), text.end(), query.text.begin(), query.text.end(), same) != text.end();
    };
    for (auto& each : latest()) {
      std::string id = base::to_uuid(each.id);
      std::erase(id, '-');
      const std::string client = each.client.substr(0, each.client.find(':'));
      if (!query.digits.empty() && (id.starts_with(query.digits) || id.ends_with(query.digits))) {
        out.sessions.push_back(each);
        continue;
      }
      if (query.network && query.network->contains(*store::read_address(client))) {
        ++out.network_sessions;
        note(store::LookupPlace::client, client, each.opened_unix_ns);
      }
      if (query.network) continue;
      if (holds(each.client)) note(store::LookupPlace::client, client, each.opened_unix_ns);
      if (holds(each.target)) note(store::LookupPlace::target, each.target, each.opened_unix_ns);
      if (holds(each.route)) note(store::LookupPlace::route, each.route, each.opened_unix_ns);
      if (holds(each.end_reason)) note(store::LookupPlace::end, each.end_reason, each.opened_unix_ns);
    }
    const std::lock_guard lock(mutex_);
    for (const auto& batch : batches_)
      for (const auto& span : batch.spans)
        if (!query.digits.empty() && base::to_hex(span.trace_id).starts_with(query.digits))
          out.traces.push_back(span.trace_id);
    return out;
  }
  base::Result<store::Page<store::Happening>> happenings(const store::HappeningsQuery& query,
                                                         store::Deadline) override {
    using Key = std::tuple<std::uint64_t, bool, std::string, std::string, std::string, std::uint16_t>;
    ++happenings_asked;
    std::map<Key, store::Happening> found;
    const auto note = [&](std::uint64_t time, bool end, const store::Session& s) {
      if (time < query.time.from_unix_ns || time >= query.time.to_unix_ns) return;
      if (!query.route.empty() && s.route != query.route) return;
      auto& one = found[{time / query.step_ns * query.step_ns, end, s.route, s.instance, end ? s.end_reason : "",
                         end ? s.close_code : std::uint16_t{0}}];
      if (one.count++ == 0) one.first_unix_ns = time;
      one.first_unix_ns = std::min(one.first_unix_ns, time);
      one.last_unix_ns = std::max(one.last_unix_ns, time);
      one.reconnects += !end && s.reconnect_of ? 1U : 0U;
      if (one.sessions.size() < store::happening_samples) one.sessions.push_back(s.id);
    };
    for (const auto& each : latest()) {
      note(each.opened_unix_ns, false, each);
      if (each.ended_unix_ns) note(*each.ended_unix_ns, true, each);
    }
    store::Page<store::Happening> out;
    for (auto& [key, one] : found) {
      std::tie(one.time_unix_ns, one.end, one.route, one.instance, one.end_reason, one.close_code) = key;
      out.items.push_back(one);
    }
    return out;
  }
  base::Result<std::optional<std::uint64_t>> happening(const store::HappeningsQuery& query, bool last,
                                                       store::Deadline) override {
    ++happening_asked;
    std::optional<std::uint64_t> out;
    for (const auto& s : latest())
      for (const auto time : {s.opened_unix_ns, s.ended_unix_ns.value_or(UINT64_MAX)}) {
        if (time < query.time.from_unix_ns || time >= query.time.to_unix_ns) continue;
        if (!query.route.empty() && s.route != query.route) continue;
        if (!out || (last ? time > *out : time < *out)) out = time;
      }
    return out;
  }
  base::Result<std::vector<store::Presence>> presences(store::TimeRange, store::Deadline) override {
    const std::lock_guard lock(mutex_);
    std::vector<store::Presence> out;
    for (const auto& batch : batches_) out.insert(out.end(), batch.presences.begin(), batch.presences.end());
    return out;
  }
  base::Result<std::vector<store::RouteTotals>> totals(store::Deadline) override {
    const std::lock_guard lock(mutex_);
    std::map<std::pair<std::string, std::string>, store::RouteTotals> last;
    for (const auto& batch : batches_)
      for (const auto& each : batch.totals) last[{each.instance, each.route}] = each;
    std::vector<store::RouteTotals> out;
    for (const auto& [key, each] : last) out.push_back(each);
    return out;
  }
  store::StoreStats stats() override {
    store::StoreStats out;
    out.backend = "memory";
    out.spans = spans_kept();
    out.kept_since_unix_ns = kept_since_unix_ns;
    return out;
  }

 private:
  static bool matches(const store::SpanQuery& query, const store::Batch& batch, const store::Span& span) {
    if (!query.service.empty() && batch.origins.at(span.origin).service != query.service) return false;
    if (!query.operation.empty() && span.name != query.operation) return false;
    if (query.session && span.session != query.session) return false;
    if (query.status && span.status != *query.status) return false;
    if (query.not_error && span.status == 2) return false;
    if (query.kind && span.kind != *query.kind) return false;
    for (const auto& [key, value] : query.attributes) {
      const auto* found = store::find(batch.of(span.attributes), key);
      if (found == nullptr || (!value.empty() && found->text != value)) return false;
    }
    return true;
  }
  // Texts stay where they are: batches live as long as the store does.
  static void copy(const store::Batch& from, const store::Span& span, store::Batch& to) {
    const auto run = [](auto& list, auto items) {
      const store::Range out{static_cast<std::uint32_t>(list.size()), static_cast<std::uint32_t>(items.size())};
      list.insert(list.end(), items.begin(), items.end());
      return out;
    };
    store::Span copied = span;
    store::Origin origin = from.origins.at(span.origin);
    origin.resource = run(to.attributes, from.of(origin.resource));
    origin.scope = run(to.attributes, from.of(origin.scope));
    copied.origin = static_cast<std::uint32_t>(to.origins.size());
    to.origins.push_back(origin);
    copied.attributes = run(to.attributes, from.of(span.attributes));
    copied.events = run(to.events, from.events_of(span));
    copied.links = run(to.links, from.links_of(span));
    for (auto& event : std::span(to.events).subspan(copied.events.first))
      event.attributes = run(to.attributes, from.of(event.attributes));
    for (auto& link : std::span(to.links).subspan(copied.links.first))
      link.attributes = run(to.attributes, from.of(link.attributes));
    to.spans.push_back(copied);
  }
  // Each session as last written, latest first.
  std::vector<store::Session> latest() const {
    std::vector<store::Session> out;
    std::set<store::SessionId> seen;
    const auto kept = sessions_kept();
    for (auto at = kept.rbegin(); at != kept.rend(); ++at)
      if (seen.insert(at->id).second) out.push_back(*at);
    return out;
  }

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<store::Batch> batches_;
  store::Refusal refusal_ = store::Refusal::none;
  store::TimeRange asked_dependencies_;
  bool held_ = false, writes_held_ = false;
  std::deque<std::function<void()>> late_;
  int waiting_ = 0;
};

}  // namespace sockeye::console::test
