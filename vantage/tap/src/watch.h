// What is made of one TCP stream: HTTP and the WebSocket it becomes, a WebSocket that was under way, either of them
// inside TLS, or nothing that is ours.
//
// A stream seen from its beginning is HTTP until it is upgraded. One that is not, or of whose HTTP something is
// missing, is searched for frames; where a request begins in its midst, it is HTTP from there. What turns out to be
// neither is ignored from then on.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "sockeye/capture/openings.h"
#include "sockeye/model/metrics.h"
#include "sockeye/model/session_source.h"
#include "sockeye/observer/byte_stream.h"
#include "sockeye/observer/call.h"
#include "sockeye/observer/options.h"
#include "stream.h"
#include "tls_stream.h"

namespace sockeye::tap {

class Watch;

// What all streams of a tap share. One thread's.
struct Shared {
  static constexpr std::size_t ended_kept = 64;  // as a proxy's worker has them

  observer::Options options;
  observer::Workspace workspace;
  model::RouteMetrics metrics;
  TlsShared tls;
  capture::Recordings* recordings = nullptr;            // null: nothing is recorded
  std::optional<capture::RecordedOpenings> record_all;  // of all sessions, from their beginning
  bool record_anomalous = false;
  std::function<void(const model::SessionRow&)> on_ended;

  std::uint64_t websockets = 0;
  std::uint64_t attached = 0;
  std::uint64_t tls_unread_bytes = 0;
  std::size_t max_held = 0;  // as TapOptions has it
  std::size_t held = 0;
  std::uint64_t given_up = 0;
  std::vector<Watch*> sessions;
  std::deque<model::SessionRow> ended;  // newest first
  std::size_t delta_kept = 0;           // 0: nobody follows
  std::deque<model::EndedSession> delta_ended;
  std::uint64_t delta_lost = 0;

  observer::Call call(base::Time now) { return {workspace, metrics, now}; }
  void keep_ended(model::SessionRow row, std::vector<model::RecordedMessage> recorder);
};

class alignas(64) Watch final : public TlsListener {
 public:
  Watch(Shared& shared, Stream& stream) : shared_(shared), stream_(stream) {}
  ~Watch() override;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void bytes(model::Side from, base::Bytes bytes, base::Time time);
  void gap(model::Side from, std::uint64_t count, base::Time time);
  void finished(model::Side from, Finish how, base::Time time);
  // The last call.
  void closed(Closed why, base::Time time);
  void tick(base::Time now);

  // Records its session from here on. Of one that is in Shared::sessions.
  capture::Recorded record(base::Time now);

  // For what comes soon: `ahead` 3 where this lies, 2 its session, 1 what that leads to.
  static void prefetch(const Watch& watch, model::Side from, unsigned ahead) noexcept;

  // Of one that is in Shared::sessions.
  [[nodiscard]] const observer::Observation& session() const { return *session_; }
  [[nodiscard]] model::SessionRow row() const;
  // Whether its facts were reported since that resync, and whether its figures differ from those reported last (which
  // these then are).
  [[nodiscard]] bool reported_in(std::uint32_t epoch) const { return reported_epoch_ == epoch; }
  bool changed(const model::SessionFigures& figures, std::uint32_t epoch);

 private:
  void plain(model::Side from, base::Bytes bytes, base::Time time) override;
  void plain_gap(model::Side from, std::optional<std::uint64_t> count, base::Time time) override;

  void begin(model::Side from, base::Bytes first);
  void begin_http(model::Side client);
  void begin_search();
  void end_search();
  // What it holds now, of max_held. Gives up when that is too much.
  void hold(std::size_t bytes);
  void hold_search();
  void look_at_http(const observer::Call& call);
  void search(model::Side from, base::Bytes bytes, base::Time now);
  void attach(base::Time now);
  void found(observer::Observation& session);
  [[nodiscard]] observer::Listener* listener();
  [[nodiscard]] observer::Openings* openings() { return shared_.record_all ? &*shared_.record_all : nullptr; }
  // Between two calls to the session, whose observation may be another then.
  void after(const observer::Call& call) {
    if (record_wanted_) [[unlikely]]
      static_cast<void>(record(call.now));
  }
  void ignore();
  [[nodiscard]] observer::Endpoints endpoints() const;
  // The client is who asked, or who masks: not always whom the ports made it.
  [[nodiscard]] model::Side side(model::Side from) const { return swapped_ ? model::other(from) : from; }
  // Time does not go back, for a session.
  base::Time at(base::Time time) { return last_ = std::max(last_, time); }

  Shared& shared_;
  Stream& stream_;
  bool begun_ = false;
  bool swapped_ = false;
  bool gap_seen_ = false;
  bool recorded_ = false;       // session_ goes through a recording
  bool record_wanted_ = false;  // it is to
  base::Time last_{};
  std::unique_ptr<TlsStream> tls_;
  observer::Observation* session_ = nullptr;  // http_'s or attached_
  // What is above is all that a message touches.
  // Hears of anomalies, where they begin a recording.
  struct Alarm final : observer::Listener {
    explicit Alarm(Watch& of) : Listener(false), watch(of) {}
    void anomaly(model::Anomaly, base::Time) override {
      if (!std::exchange(heard, true)) watch.record_wanted_ = true;
    }
    Watch& watch;
    bool heard = false;
  };
  std::unique_ptr<Alarm> alarm_;
  std::unique_ptr<observer::ByteStream> http_;
  std::unique_ptr<observer::UnknownStream> search_;
  std::size_t held_ = 0;
  std::unique_ptr<observer::Observation> attached_;
  std::size_t place_ = 0;  // in Shared::sessions

  std::uint32_t reported_epoch_ = 0;
  model::SessionFigures reported_;
};

}  // namespace sockeye::tap
