// Any bytes as the files of a spool: it opens, tells a consistent count, hands out only bodies whose checksum is true,
// empties, and works on. Input: two bytes a file length (little-endian) and the file, for `position` and up to three
// segments.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "sockeye/pipeline/spool.h"

namespace {

using namespace sockeye;

void check(bool good) {
  if (!good) std::abort();
}

const std::filesystem::path& folder() {
  static const std::filesystem::path path = [] {
    const std::filesystem::path shared = "/dev/shm";
    const auto base = std::filesystem::is_directory(shared) ? shared : std::filesystem::temp_directory_path();
    return base / ("sockeye-spool-fuzz-" + std::to_string(::getpid()));
  }();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::filesystem::remove_all(folder());
  std::filesystem::create_directory(folder());
  for (std::uint64_t file = 0; file < 4 && size >= 2; ++file) {
    const std::size_t wanted = static_cast<std::size_t>(data[0]) | (static_cast<std::size_t>(data[1]) << 8U);
    const std::size_t length = std::min(wanted, size - 2);
    const std::string name = file == 0 ? "position" : pipeline::spool_format::segment_name(file);
    std::ofstream(folder() / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(data) + 2, static_cast<std::streamsize>(length));
    data += 2 + length;
    size -= 2 + length;
  }

  auto opened =
      pipeline::Spool::open({.directory = folder().string(), .limit = 256U << 10U, .sync = std::chrono::hours(1)});
  check(opened.has_value());
  pipeline::Spool& spool = **opened;
  check(spool.spans() == spool.recovery().spans && spool.records() == spool.recovery().records);
  check(!spool.append({"the last one", 3, 0}, false).error.has_value());

  pipeline::Batch batch;
  std::uint64_t lost = 0;
  std::string last;
  for (std::uint64_t rounds = spool.records() + 1; !spool.empty(); --rounds) {
    check(rounds > 0);
    const auto before = spool.spans();
    switch (spool.peek(batch, lost)) {
      case pipeline::Spool::Peek::ready:
        check(batch.spans > 0 && !batch.body.empty());
        last = batch.body;
        spool.pop();
        check(before == spool.spans() + batch.spans);
        break;
      case pipeline::Spool::Peek::lost:
        check(before == spool.spans() + lost);
        break;
      default:
        check(false);
    }
  }
  check(last == "the last one");
  check(spool.spans() == 0 && spool.bytes() == 0);
  opened->reset();
  std::filesystem::remove_all(folder());
  return 0;
}
