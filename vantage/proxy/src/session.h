// A live session: two legs and the engine's relay::Connection between them. Bytes are read into the worker's buffer,
// shown to the Connection, and what it forwards is written with one sendmsg(2) from where it lies; nothing is parsed,
// copied or allocated here for a message that the receiving socket takes.
//
// Back-pressure. What a socket does not take is copied to its leg's queue, and from then on the other leg is not read
// until the queue is gone. So the queue holds at most the rest of one read, and a read is at most limits.buffered.
//
// Turns. What a read costs depends on what is in it: 256 KiB may be one message or forty thousand. So each feed has a
// turn (observer::Turn); what it does not get through is put aside until the next, after everybody else's, and the
// reads of that leg become as small as what it gets through. One message may take longer than a turn: so a leg that has
// used up its turns lately leaves its place to others once a round has been long enough. And one that has not caught up
// for `longest_behind` has its messages counted and no longer read: then it does.
//
// A leg leaves the session in one of three ways: handed to a Linger when the Connection finished it with flush, closed
// at once when it finished it with abort, or closed when its socket died, which the Connection learns. When both have
// left the session is over.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "active_listener.h"
#include "leg.h"
#include "reconnects.h"
#include "slots.h"
#include "sockeye/base/prefetch.h"
#include "sockeye/capture/recording.h"
#include "sockeye/observer/memory.h"
#include "sockeye/observer/observation.h"
#include "sockeye/observer/prefetch.h"
#include "sockeye/proxy/proxy.h"
#include "sockeye/relay/connection.h"
#include "sockeye/relay/prefetch.h"

namespace sockeye::proxy {

class Worker;

class Session final : public Deletable,
                      public LegOwner,
                      public Timer,
                      public relay::Outlet,
                      public observer::Listener,
                      public InSlots<Session> {
 public:
  // Takes over both legs. observe() must follow, then begin(). `recording`: of a session that is, from its handshake
  // on.
  Session(Worker& worker, ActiveListenerPtr listener, int route, SessionSlot slot, Reconnects::Seat seat,
          std::unique_ptr<Leg> client, std::unique_ptr<Leg> server);
  ~Session() override;
  void observe(std::unique_ptr<observer::Observation> observation, std::optional<capture::Recording> recording);
  // `answer`: the 101. It goes out once the session is counted, so that a client that has it finds itself counted.
  // The others: what came behind the request's and the response's head.
  void begin(base::Bytes answer, base::Bytes from_client, base::Bytes from_server);

  // Records it from here on.
  [[nodiscard]] capture::Recorded record();
  void shut(model::EndReason why, std::uint16_t code, std::string_view reason);
  // Ends now: what can be written at once is, then both legs are closed.
  void kill();

  // Looks at the bytes on their way, and corrects the route's gauges by what changed since.
  void sample();
  [[nodiscard]] model::SessionRow row() const;
  [[nodiscard]] model::SessionRecord record() const;
  // For a delta: its figures, but for the dialect, which is a text; and whether these differ from those reported last
  // (which they then are).
  [[nodiscard]] model::SessionFigures figures() const;
  [[nodiscard]] bool reported_in(std::uint32_t epoch) const { return reported_epoch_ == epoch; }
  bool changed(const model::SessionFigures&, std::uint32_t epoch);
  [[nodiscard]] const std::string& route_name() const { return route().name; }
  // Prefetches what figures() will look at.
  void prefetch() const noexcept {
    base::prefetch(this);
    base::prefetch(observed_, observer::object_size(*observed_));
  }
  [[nodiscard]] const observer::Observation& observed() const { return connection_->observed(); }

  void leg_ready(Leg&, std::uint32_t events) override;
  void leg_fault(Leg&) noexcept override { kill(); }
  void prefetch(const Leg&, unsigned ahead) const noexcept override;
  void expired(base::Time now) override;
  void timer_fault() noexcept override { kill(); }

  void forward(model::Side from, base::Bytes bytes) override;
  void inject(model::Side to, base::Bytes frame) override;
  void finish(model::Side leg, relay::Finish how) override;
  bool advancing(model::Side leg) override;
  void raised(const model::Condition&) override;
  void anomaly(model::Anomaly, base::Time) override;

 private:
  static constexpr std::uint32_t first_read = 32 * 1024;
  struct Aside {
    Aside(base::Bytes left, observer::Memory& counted) : bytes(left.begin(), left.end()), memory(counted) {
      memory.add(static_cast<std::int64_t>(bytes.size()));
    }
    Aside(const Aside&) = delete;
    Aside& operator=(const Aside&) = delete;
    ~Aside() { memory.add(-static_cast<std::int64_t>(bytes.size())); }
    [[nodiscard]] base::Bytes left() const { return base::Bytes(bytes).subspan(at); }
    std::vector<base::Byte> bytes;
    std::size_t at = 0;  // of the first that is left
    observer::Memory& memory;
  };
  struct Half {
    std::unique_ptr<Leg> leg;  // null: it has left
    // Where a frame of ours is on its way, for advancing(): counted in bytes the peer has acknowledged (TCP), or in
    // bytes it has not taken (Unix sockets, which tell no more).
    std::uint64_t mark = 0;       // when last asked
    std::uint64_t frame_end = 0;  // TCP: acknowledged once the frame has arrived
    enum class Frame : std::uint8_t { none, fresh, queued } frame = Frame::none;
    base::Time heavy_until{};               // what it sent lately took most of a turn, or more
    base::Time behind_since = base::never;  // something was left over from each turn since
    std::uint32_t read_size = first_read;   // bytes of the next read
    std::unique_ptr<Aside> aside;           // read, and not taken in its turn
    bool moved = false;                     // the queue shrank since last asked
    bool paused = false;                    // not read: the other leg's queue is not empty
    bool ended = false;                     // the peer's FIN was read
    bool write_failed = false;              // takes no more; its last words are read before it is declared dead
    bool finishing = false;                 // the Connection has nothing more for it
    bool fin_sent = false;
    relay::Finish how = relay::Finish::flush;
  };
  [[nodiscard]] Half& half(model::Side side) { return halves_[model::index(side)]; }
  [[nodiscard]] const Half& half(model::Side side) const { return halves_[model::index(side)]; }

  void prefetch(model::Side from) const noexcept;
  void read(model::Side side, base::Time now);
  // Feeds what there is; puts aside what is not taken. `came`: bytes of it that are new.
  void feed(model::Side side, base::Bytes bytes, base::Time now);
  void feed_aside(model::Side side, base::Time now);
  void fell_behind(Half& h, base::Time now);
  // Its messages are counted and no longer read.
  void count_only(const std::string& why, base::Time now);
  // Gives its observation up if memory is short and it holds much of it.
  void bound_memory(base::Time now);
  [[nodiscard]] std::size_t take(model::Side side, base::Bytes bytes, std::size_t came, base::Time now);
  // There is something to feed, or may be something to read.
  [[nodiscard]] static bool has_work(const Half& h) { return h.leg && (h.aside || h.leg->readable()); }
  void put(model::Side to, base::Bytes bytes);
  void write(model::Side to);
  // After every call into the Connection: writes what it gave, does what it asked, and sets the timer.
  void after(base::Time now);
  void want_recording();
  void settle(base::Time now);
  void settle(model::Side side, base::Time now);
  void leave(model::Side side);
  void dying(model::Side side, base::Time now);
  void lost(model::Side side, base::Time now);
  void track_frame(Half& h);
  void end(base::Time now);
  [[nodiscard]] std::uint64_t buffered(model::Side to) const;
  [[nodiscard]] const Route& route() const { return listener_->table[route_].config(); }
  [[nodiscard]] const RouteStats& stats() const;
  [[nodiscard]] model::RouteMetrics& metrics() const;
  [[nodiscard]] observer::Call call(base::Time now) const;

  Worker& worker_;
  ActiveListenerPtr listener_;
  std::unique_ptr<relay::Connection> connection_;
  const observer::Observation* observed_ = nullptr;  // its Observation, known without asking it
  std::array<Half, 2> halves_;
  SessionSlot slot_;
  Reconnects::Seat seat_;
  std::uint64_t reported_ = 0;       // hash of the figures that were reported last
  std::uint64_t sampled_ = 0;        // bytes on their way at the last sample, as they stand in the gauge
  base::Time doomed_ = base::never;  // until when a dead leg's last words may wait for the other leg's queue
  std::uint32_t read_limit_;         // bytes of one read, so of what a queue may have to hold
  int route_;
  std::uint32_t reported_epoch_ = 0;  // which resync its facts were reported in; 0: none yet
  bool recorded_ = false;             // what is observed goes through a recording
  bool record_wanted_ = false;        // it is to, once the call is over that is under way
  bool record_tried_ = false;         // something was raised that begins a recording
  bool wrote_ = false;                // since the last sample
  bool attention_ = false;            // settle() has something to do
  bool over_ = false;
  bool only_counted_ = false;  // its observation was given up
};

}  // namespace sockeye::proxy
