// A collector in memory, behind the transport seam: keeps what it took, span by span, and answers as a test tells it.
#pragma once

#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "sockeye/pipeline/pipeline.h"

namespace sockeye::pipeline::test {

// A span that is known by its number, which its id carries.
inline model::Span numbered(std::uint64_t number) {
  model::Span span;
  span.name = "n";
  span.trace_id.bytes[0] = 1;
  std::memcpy(span.span_id.bytes.data(), &number, sizeof(number));
  span.span_id.bytes[7] = 1;
  return span;
}

inline std::uint64_t number_of(const char* id) {
  std::uint64_t number = 0;
  std::memcpy(&number, id, 7);
  return number;
}

enum class Answer {
  take,
  away,         // certainly not delivered
  lose_answer,  // delivered, but the sender cannot know
  refuse,       // never
  refuse_one,   // all but one span
  later,        // not delivered, with a wish
};

// Shared by the collector's test and its transports, of which a restarted pipeline makes a new one.
class FakeCollector {
 public:
  // What the n-th attempt gets, from 0; `take` when unset.
  void answer_with(std::function<Answer(std::uint64_t attempt)> answers) {
    const std::lock_guard lock(mutex_);
    answers_ = std::move(answers);
  }
  void answer_with(Answer always) {
    answer_with([always](std::uint64_t) { return always; });
  }
  // What `later` asks for.
  void wish(std::chrono::milliseconds wait) {
    const std::lock_guard lock(mutex_);
    wish_ = wait;
  }
  // While held, attempts wait (or end when cancelled).
  void hold(bool on) {
    const std::lock_guard lock(mutex_);
    held_ = on;
    changed_.notify_all();
  }
  bool wait_attempts(std::uint64_t count, std::chrono::seconds limit = std::chrono::seconds(20)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return attempts_ >= count; });
  }
  std::vector<std::uint64_t> taken() const {
    const std::lock_guard lock(mutex_);
    return taken_;
  }
  std::vector<std::uint32_t> batches() const {
    const std::lock_guard lock(mutex_);
    return batches_;
  }
  std::uint64_t attempts() const {
    const std::lock_guard lock(mutex_);
    return attempts_;
  }
  std::map<std::uint64_t, int> times() const {
    std::map<std::uint64_t, int> out;
    for (const auto n : taken()) ++out[n];
    return out;
  }
  std::unique_ptr<Transport> transport();

 private:
  friend class FakeTransport;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::function<Answer(std::uint64_t)> answers_;
  std::chrono::milliseconds wish_{300};
  bool held_ = false;
  std::uint64_t attempts_ = 0;
  std::vector<std::uint64_t> taken_;
  std::vector<std::uint32_t> batches_;
};

class FakeTransport final : public Transport {
 public:
  explicit FakeTransport(FakeCollector& collector) : collector_(collector) {}
  Batch encode(std::span<const model::Span> spans) override {
    Batch batch;
    for (const auto& span : spans) batch.body.append(reinterpret_cast<const char*>(span.span_id.bytes.data()), 8);
    batch.spans = static_cast<std::uint32_t>(spans.size());
    batch.encoding = 9;
    return batch;
  }
  Delivery send(const Batch& batch) override {
    FakeCollector& c = collector_;
    std::unique_lock lock(c.mutex_);
    const auto attempt = c.attempts_++;
    c.changed_.notify_all();
    c.changed_.wait(lock, [&] { return !c.held_ || cancelled_; });
    Delivery delivery;
    if (cancelled_ || batch.encoding != 9 || batch.body.size() != batch.spans * 8U) {
      delivery.message = "cancelled";
      return delivery;
    }
    const Answer answer = c.answers_ ? c.answers_(attempt) : Answer::take;
    const std::uint32_t refused = answer == Answer::refuse_one ? 1 : 0;
    if (answer == Answer::take || answer == Answer::lose_answer || answer == Answer::refuse_one) {
      for (std::uint32_t i = refused; i < batch.spans; ++i) c.taken_.push_back(number_of(batch.body.data() + i * 8U));
      c.batches_.push_back(batch.spans);
    }
    switch (answer) {
      case Answer::take:
        delivery.outcome = Outcome::accepted;
        break;
      case Answer::away:
        delivery.error = ErrorKind::connect;
        break;
      case Answer::lose_answer:
        delivery.error = ErrorKind::reset;
        delivery.maybe_delivered = true;
        break;
      case Answer::refuse:
        delivery.outcome = Outcome::rejected;
        delivery.error = ErrorKind::refused;
        break;
      case Answer::refuse_one:
        delivery.outcome = Outcome::partial;
        delivery.error = ErrorKind::partial;
        delivery.rejected_spans = 1;
        break;
      case Answer::later:
        delivery.error = ErrorKind::throttled;
        delivery.retry_after = c.wish_;
        break;
    }
    return delivery;
  }
  void cancel() override {
    const std::lock_guard lock(collector_.mutex_);
    cancelled_ = true;
    collector_.changed_.notify_all();
  }
  std::string destination() const override { return "fake"; }

 private:
  FakeCollector& collector_;
  bool cancelled_ = false;
};

inline std::unique_ptr<Transport> FakeCollector::transport() { return std::make_unique<FakeTransport>(*this); }

}  // namespace sockeye::pipeline::test
