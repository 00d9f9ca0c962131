// What tests turn and nobody else needs to.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "sockeye/sqlite/open.h"

namespace sockeye::sqlite {

struct Tuning {
  std::int64_t most_pages = 0;  // PRAGMA max_page_count; 0: no bound but the disk's
  std::chrono::milliseconds sweep_every{1000};
  std::int64_t checkpoint_pages = 4096;  // of the write-ahead log: 64 MiB
  std::size_t readers = 4;
};

[[nodiscard]] base::Result<std::unique_ptr<store::Store>> open_with(Options options, const Tuning& tuning);

}  // namespace sockeye::sqlite
