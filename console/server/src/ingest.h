// An OTLP request of either transport → the store, and what to answer the sender. Acknowledged means stored: the answer
// waits for the store's commit.
//
// Clients have their turns (fair_queue.h). A request that is large, or becomes so when it is unpacked, goes to a lane
// of its own, where they are taken one at a time: what is unpacked at once is bounded by that, and the small ones of
// others do not wait for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "fair_queue.h"
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
  static constexpr std::size_t small = 4 << 20;                  // unpacked bytes; of JSON a quarter
  static constexpr std::size_t most_waiting = 256;               // in either lane, half of it of one address
  static constexpr std::chrono::milliseconds longest_wait{500};  // to be decoded; of a large one four times that

  Ingest(store::Store& store, Workers& workers, std::size_t largest_unpacked)
      : store_(store), workers_(workers), largest_unpacked_(largest_unpacked) {}

  // `encoding`: of Content-Encoding; "" = as it is. `done` once, from any thread. What has waited too long for its turn
  // is refused (busy).
  void take(intake::Signal, intake::Format, Sender, std::string encoding, std::string body,
            std::function<void(Taken)> done);
  // Returns when everything taken has been answered; the workers have finished.
  void settle() {
    large_worker_.finish();
    outstanding_.wait();
  }

 private:
  struct Job {
    intake::Signal signal;
    intake::Format format;
    Sender sender;
    std::string encoding, body;
    std::function<void(Taken)> done;
    std::chrono::steady_clock::time_point since;
  };
  using Lane = FairQueue<Job>;

  void queue(Lane& lane, Workers& workers, Job&& job);
  void next(Lane& lane);
  void unpack(Job job, bool large);
  void decode(Job job);

  store::Store& store_;
  Workers& workers_;
  const std::size_t largest_unpacked_;
  std::mutex mutex_;  // of the lanes
  Lane small_{most_waiting}, large_{most_waiting};
  Outstanding outstanding_;
  Workers large_worker_{1, most_waiting};
};

}  // namespace sockeye::console
