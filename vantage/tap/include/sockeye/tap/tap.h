// A vantage that only looks: packets → TCP streams → (TLS) → Observations of the WebSockets among them. It enforces
// nothing and sends nothing.
//
//   Tap tap(options);  tap.run(*source);  …another file…  tap.finish();
//
// Time is the capture's, in Unix nanoseconds; the same packets and seed give the same observations. run() and finish()
// are one thread's; what SessionSource has, totals() and stop() may be called from any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "sockeye/base/result.h"
#include "sockeye/capture/recordings.h"
#include "sockeye/model/session_source.h"
#include "sockeye/model/span.h"
#include "sockeye/observer/options.h"
#include "sockeye/tap/source.h"

namespace sockeye::tap {

struct TapOptions {
  observer::Options observation;  // of every session
  std::string key_log;            // a file of TLS secrets (SSLKEYLOGFILE), followed as it grows; "": none
  // Instead of key_log: that file, open already (by one who has given up root since). The tap closes it.
  int key_log_descriptor = -1;
  std::size_t streams = 131'072;  // TCP connections followed, or remembered as closed, at a time
  // Bytes that all streams together hold of what is no session yet: heads that are not whole, and streams that are
  // searched for frames. A stream that wants more is given up.
  std::size_t held = 128U << 20U;
  std::uint64_t seed = 1;                     // of identifiers, with the first packet of each source
  model::SpanSink* spans = nullptr;           // null: no tracing
  capture::Recordings* recordings = nullptr;  // null: nothing is recorded; outlives the tap
  capture::When record;                       // a tap raises no conditions of its own: `all` and `anomaly`
  // A session is over, or was open when the capture ended (its row has no end then). Called from run() and finish().
  std::function<void(const model::SessionRow&)> ended;
  // Called from run() every 16 MiB of packets, and when a live source is idle.
  std::function<void(Source&)> progress;
};

// Since the beginning.
struct TapTotals {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;              // captured of them
  std::uint64_t not_tcp = 0;            // packets of other protocols
  std::uint64_t malformed = 0;          // packets whose headers contradict themselves, or were cut off
  std::uint64_t unknown_link = 0;       // packets of a link layer that is not understood
  std::uint64_t fragments_dropped = 0;  // IP datagrams whose fragments did not all come
  std::uint64_t dropped = 0;            // packets that the kernel had no room for
  std::uint64_t connections = 0;        // TCP
  std::uint64_t begun_before = 0;       // of them: not seen from their beginning
  std::uint64_t evicted = 0;            // of them: dropped from a full table
  std::uint64_t given_up = 0;           // of them: no longer followed, too much was held of what was none yet
  std::uint64_t websockets = 0;         // of them: found to be WebSockets
  std::uint64_t attached = 0;           // of them: in their midst, without a handshake
  std::uint64_t open = 0;               // WebSockets now
  std::uint64_t gaps = 0;               // holes in TCP streams that were followed
  std::uint64_t gap_bytes = 0;
  std::uint64_t out_of_order = 0;    // segments
  std::uint64_t repeated = 0;        // segments: retransmitted, or captured twice
  std::uint64_t contradictions = 0;  // segments that differ from what was seen of the same bytes
  std::uint64_t tls = 0;             // connections
  std::uint64_t tls_decrypted = 0;
  std::uint64_t tls_without_secrets = 0;
  std::uint64_t tls_not_understood = 0;  // version, cipher suite or use
  std::uint64_t tls_incomplete = 0;      // the handshake is not all in the capture
  std::uint64_t tls_wrong_secrets = 0;
  std::uint64_t tls_bytes = 0;  // of connections that could not be read
  std::string truncation;       // what a file that ends amid a packet is said to; "": none did
  base::Time now{};             // of the last packet
};

class Tap final : public model::SessionSource {
 public:
  // Fails when the key log cannot be read.
  [[nodiscard]] static base::Result<std::unique_ptr<Tap>> open(TapOptions options);
  ~Tap() override;
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;

  // Takes all the source has: until it ends, or stop(). Fails where the source does; what came before is observed.
  [[nodiscard]] base::Result<void> run(Source& source);
  // Nothing more comes: every session that is left is over for us. Once, and last.
  void finish();
  // Lets run() return soon. Also from a signal handler.
  void stop() noexcept;

  [[nodiscard]] TapTotals totals() const;
  // Records an open session from here on. From any thread, as sessions().
  [[nodiscard]] capture::Recorded record(const base::SessionId&);

  [[nodiscard]] std::vector<model::SessionRow> sessions() const override;
  [[nodiscard]] std::optional<Found> session(const base::SessionId&) const override;
  [[nodiscard]] std::vector<model::SessionRow> ended() const override;
  void follow(std::size_t ended_kept) override;
  [[nodiscard]] model::SessionDeltas changes(const model::DeltaRequest&) override;
  [[nodiscard]] std::vector<model::RouteCounters> metrics() const override;
  [[nodiscard]] bool draining() const override;

 private:
  class Live;
  explicit Tap(TapOptions options);
  std::unique_ptr<Live> live_;
};

}  // namespace sockeye::tap
