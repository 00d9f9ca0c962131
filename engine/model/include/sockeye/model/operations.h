// Invocations by the name of their operation: one row a name, made when the name is first seen, at most 200 of them on
// a route and worker and one more for the rest, because peers choose the names. About 3 KiB a row.
//
// Written by the worker only. Readers find a row through an atomic pointer that is set once, when the row is whole;
// rows live as long as the table. No lock, and nothing is allocated for a name that is known.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sockeye/base/time.h"
#include "sockeye/model/counters.h"
#include "sockeye/model/exemplar.h"
#include "sockeye/model/invocation.h"

namespace sockeye::model {

// A histogram that remembers for each bucket whose span fell into it last.
class ExemplarHistogram : public DurationHistogram {
 public:
  // For a duration that observe() counted, now or before.
  void keep(base::Duration d, const Exemplar& exemplar) { exemplars_[bucket(d)].store(exemplar); }
  [[nodiscard]] std::optional<Exemplar> exemplar(std::size_t i) const { return exemplars_[i].load(); }

 private:
  std::array<ExemplarSlot, buckets> exemplars_;
};

struct OperationRow {
  explicit OperationRow(std::string_view operation) : name(operation) {}
  const std::string name;  // as received
  Gauge active;
  std::array<Counter, 4> ended;           // by InvocationStatus
  ExemplarHistogram time_to_first_chunk;  // from its opening message
  ExemplarHistogram time_to_last_chunk;   // of those whose reply came to its own end
  DurationHistogram chunk_interval;       // between two chunks
  DurationHistogram duration;             // of all, however they ended
};

class OperationTable {
 public:
  static constexpr std::size_t names = 200;
  static constexpr std::size_t rows = names + 1;
  static constexpr std::uint16_t other = 0;  // the row of what has none of its own
  static constexpr std::string_view other_name = "other";

  OperationTable() = default;
  ~OperationTable();
  OperationTable(const OperationTable&) = delete;
  OperationTable& operator=(const OperationTable&) = delete;

  // The worker only. Finds or makes the row of that name.
  [[nodiscard]] std::uint16_t index_of(std::string_view operation);
  // The worker only; an index it was given, or `other`.
  [[nodiscard]] OperationRow& row(std::uint16_t index);

  // From any thread: the row, or null when there is none (yet).
  [[nodiscard]] const OperationRow* find(std::size_t index) const {
    return rows_[index].load(std::memory_order_acquire);
  }

 private:
  OperationRow& make(std::size_t index, std::string_view operation);

  std::array<std::atomic<OperationRow*>, rows> rows_{};
  std::uint16_t used_ = 0;                 // names that have a row
  std::array<std::uint8_t, 512> index_{};  // the worker's: open addressing by hash, 0 free
};

}  // namespace sockeye::model
