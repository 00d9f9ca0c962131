// Where packets come from: capture files and live interfaces.
//
// A source hands on what a capture holds, packet by packet; it knows nothing of what is in them. Its time is the
// capture's own, never a clock of ours. One thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "sockeye/base/bytes.h"
#include "sockeye/base/result.h"
#include "sockeye/base/time.h"

namespace sockeye::tap {

struct Packet {
  base::Time time{};            // Unix time in ns: a capture is stamped with the wall's clock (WallOffset{0})
  base::Bytes bytes;            // what was captured of it, from its link header on; valid until the next Source::next
  std::uint32_t wire_size = 0;  // bytes it had on the wire, at least bytes.size()
  std::uint32_t link_type = 0;  // LINKTYPE_ value, https://www.tcpdump.org/linktypes.html
};

class Source {
 public:
  enum class Event : std::uint8_t {
    packet,   // `packet` is filled in
    secrets,  // secrets() has lines of a TLS key log that were kept in the capture
    idle,     // live: nothing came within the wait; `packet.time` is the present
    end,      // no more packets; truncation() may say that there should be
    failed    // error() says why; what came before is good
  };

  virtual ~Source() = default;
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  [[nodiscard]] virtual Event next(Packet& packet) = 0;
  // Further packets that are at hand already, as many as there is room for: what to prefetch while others are looked
  // at. Valid as long as the one that next() gave.
  [[nodiscard]] virtual std::size_t more(std::span<Packet>) { return 0; }
  // Valid until the next call of next().
  [[nodiscard]] virtual base::Bytes secrets() const { return {}; }
  [[nodiscard]] virtual const base::Error& error() const = 0;
  // "FILE: cut off at byte N, ..." when the file ends amid a packet; "" otherwise.
  [[nodiscard]] virtual const std::string& truncation() const = 0;
  // Packets that the kernel had no room for, as far as it, or the file, says.
  [[nodiscard]] virtual std::uint64_t dropped() { return 0; }
  // Bytes of the file read so far, and in all (0: not known).
  [[nodiscard]] virtual std::uint64_t position() const { return 0; }
  [[nodiscard]] virtual std::uint64_t size() const { return 0; }
};

// A capture file, "-" for standard input: pcap (either byte order, micro- or nanoseconds, "modified") or pcapng. Fails
// when it cannot be read, is compressed, or is no capture at all.
// A pipe is waited for until `stopped` (borrowed) is true, which then was its end; null: for ever.
[[nodiscard]] base::Result<std::unique_ptr<Source>> open_capture(const std::string& path,
                                                                 const std::atomic<bool>* stopped = nullptr);

struct LiveOptions {
  std::string interface;              // its name, or "any"
  std::string filter;                 // pcap-filter(7); "" takes every TCP packet and every fragment
  std::uint32_t snap_length = 65535;  // bytes kept of each packet
  std::uint32_t buffer = 32U << 20U;  // bytes of the kernel's ring
  bool immediate = false;             // each packet as it comes, rather than a block of the ring at a time
  bool promiscuous = false;
  base::Duration wait = std::chrono::milliseconds(100);  // how long next() waits before it says idle
};

[[nodiscard]] base::Result<std::unique_ptr<Source>> open_live(const LiveOptions& options);

// Gives up what opening took, for good: root becomes `user`, anyone else loses every capability. For the whole process
// (capabilities: for this thread and those it starts), so after everything that needs privileges is open and before
// other threads start. Fails when something could not be given up.
[[nodiscard]] base::Result<void> drop_privileges(const std::string& user = "nobody");

}  // namespace sockeye::tap
