// An OTLP request of either transport → the store, and what to answer the sender. Acknowledged means stored: the answer
// waits for the store's commit.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>

#include "outstanding.h"
#include "sockeye/intake/decode.h"
#include "sockeye/store/store.h"
#include "workers.h"

namespace sockeye::console {

// As OTLP's specification maps them: what may be sent again and what never will be taken.
enum class Verdict : std::uint8_t { stored, invalid, unsupported_encoding, too_large, busy, unavailable };

struct Taken {
  Verdict verdict = Verdict::stored;
  intake::Tally tally = {};
  std::string message = {};          // of anything but `stored`
  std::uint64_t retry_after_ms = 0;  // of busy and unavailable
};

class Ingest {
 public:
  Ingest(store::Store& store, Workers& workers, std::size_t largest_unpacked)
      : store_(store), workers_(workers), largest_unpacked_(largest_unpacked) {}

  // `encoding`: of Content-Encoding; "" = as it is. `done` once, from any thread. What would have to wait long for its
  // turn is refused at once (busy): those before it have waited so long already.
  void take(intake::Signal, intake::Format, std::string encoding, std::string body, std::function<void(Taken)> done);
  // Returns when everything taken has been answered.
  void settle() { outstanding_.wait(); }

 private:
  [[nodiscard]] bool queue_up();                // false: it would wait too long
  std::chrono::steady_clock::duration begun();  // how long it waited
  void work(intake::Signal, intake::Format, const std::string& encoding, std::string body,
            std::function<void(Taken)> done);

  store::Store& store_;
  Workers& workers_;
  const std::size_t largest_unpacked_;
  std::mutex large_json_;
  std::mutex waiting_mutex_;
  std::deque<std::chrono::steady_clock::time_point> waiting_;  // since when; first come, first decoded
  Outstanding outstanding_;
};

}  // namespace sockeye::console
