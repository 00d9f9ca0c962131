// The Connection behind make_connection(). One per session, on one thread, with no memory of its own beyond this
// object, the handshake's texts, a flight recorder of at most 1 KiB, and inflaters where compression is observed.
//
// A read's way: feed() walks the frames of the read (wire::FrameParser) and hands maximal contiguous ranges to
// Outlet::forward. A range ends where something must not pass (a pong to our ping, a frame that breaks a rule), where
// something of ours goes in between, or at the read's end.
//
// Two words used throughout. A *stream* is what one peer sends; a *leg* is the transport to one peer. The stream of the
// client goes to the server's leg, and whether our own frame may be put on a leg depends on the stream that feeds it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "meaning.h"
#include "opening.h"
#include "rewriter.h"
#include "sockeye/base/fetch.h"
#include "sockeye/observer/connection.h"
#include "sockeye/session/heartbeat.h"
#include "sockeye/session/lifecycle.h"
#include "sockeye/session/rate.h"
#include "sockeye/session/recorder.h"
#include "sockeye/session/traffic.h"
#include "sockeye/signal/spans.h"
#include "sockeye/wire/frame_parser.h"
#include "sockeye/wire/inflate.h"
#include "sockeye/wire/utf8.h"

namespace sockeye::observer {

class LiveConnection final : public Connection {
 public:
  LiveConnection(Opening&& opening, Outlet& outlet, base::Time now, std::unique_ptr<Meaning> meaning);

  void feed(model::Side from, base::Bytes bytes, base::Time now) override;
  void eof(model::Side leg, base::Time now) override;
  void reset(model::Side leg, base::Time now) override;
  void reading(model::Side leg, bool paused, base::Time now) override;
  void shut(model::EndReason why, std::uint16_t code, std::string_view reason, base::Time now) override;
  [[nodiscard]] base::Time next_deadline() const override;
  void tick(base::Time now) override;
  void finish(base::Time now) override;
  [[nodiscard]] const std::optional<model::CloseInfo>& close_info() const override { return close_; }
  [[nodiscard]] const base::SessionId& id() const override { return opening_.id; }
  [[nodiscard]] base::Bytes footprint() const override {
    return {reinterpret_cast<const base::Byte*>(this), sizeof *this};
  }
  void warm(unsigned ahead) const noexcept override {
    if (!meaning_) return;
    if (ahead == 2)
      base::fetch(meaning_.get(), sizeof(Meaning));
    else
      meaning_->warm();
  }
  [[nodiscard]] SessionView view(base::Time now) const override;
  [[nodiscard]] Glance glance() const override;
  [[nodiscard]] std::vector<model::RecordedMessage> recorder() const override { return recorder_.messages(); }

 private:
  enum class Flow : std::uint8_t {
    pass,    // forwarded
    drain,   // no longer forwarded, but its Close is awaited
    discard  // its Close, or the session's end, is behind us
  };
  enum class Inspect : std::uint8_t { nothing, utf8, inflate };
  // Whether what was forwarded of a stream ends on a frame boundary, where the parser no longer knows.
  enum class Edge : std::uint8_t { as_parsed, boundary, inside };

  struct Stream {
    explicit Stream(const wire::FrameRules& rules, std::uint32_t control_rate, base::Time opened)
        : parser(rules), gaps(opened), control(control_rate) {}
    wire::FrameParser parser;
    model::DirectionCounts counts;
    session::Gaps gaps;
    session::RateLimit control;
    std::unique_ptr<wire::Inflater> inflater;  // compression is observed
    wire::Utf8 utf8;
    Flow flow = Flow::pass;
    Inspect inspect = Inspect::nothing;  // of the message last started
    bool misspelt = false;               // it is text and not UTF-8, which was counted
    bool read = false;                   // so is it for its meaning
    bool traced = false;                 // it has spans of its own
    std::uint32_t frames = 0;            // of it, where it is traced
    base::Time began{};                  // likewise
    bool held = false;                   // it goes through the rewriter, and nothing of it has been forwarded
    Edge edge = Edge::as_parsed;
    bool heard_close = false;
    bool ended = false;         // FIN or reset
    bool counted_late = false;  // bytes behind its Close are counted once
    bool counted_flood = false;
  };
  struct Leg {
    session::Heartbeat heartbeat;
    base::Time last_received;
    bool told = false;            // a Close went to it: the last frame it gets
    bool close_waits = false;     // ours, for a frame boundary
    bool wants_boundary = false;  // ours or a ping
    bool finished = false;
    bool paused = false;  // not read
  };
  // Counts of one feed(), added to the session's and the route's once.
  class Batch;
  enum class Verdict : std::uint8_t {
    pass,
    swallow,
    last,   // a Close: nothing passes behind it
    answer  // a Close that answers ours: it is for us, and the last we hear
  };
  struct Parting {  // what we say when we end the session
    std::uint16_t code = 1000;
    std::string_view reason;
  };

  [[nodiscard]] Stream& stream(model::Side from) { return streams_[model::index(from)]; }
  [[nodiscard]] Leg& leg(model::Side side) { return legs_[model::index(side)]; }
  [[nodiscard]] bool strict() const { return opening_.options->conformance == Conformance::strict; }
  // Our own frame may be put on the leg now.
  [[nodiscard]] bool at_boundary(model::Side to) const;

  // connection.cc: the path of a message.
  void drain(model::Side from, base::Bytes bytes, base::Time now);
  Verdict control(model::Side from, const wire::FrameParser::Piece& piece, base::Time now, model::Anomaly& violation);
  model::Anomaly read_close(model::Side from, base::Bytes payload);
  model::Anomaly inspect(model::Side from, const wire::FrameParser::Piece& piece);
  [[nodiscard]] Inspect choose_inspection(const Stream& from) const;
  void message_done(model::Side from, Batch& batch, base::Time now);
  void note(model::Side from, model::Opcode opcode, std::uint64_t length, bool compressed, bool injected,
            base::Time now);
  void count(model::Anomaly kind);
  // Counts; true when it ends the session.
  [[nodiscard]] bool is_violation(model::Anomaly kind);

  // connection_life.cc: its end, and all about time.
  void begin_close(std::uint16_t code, model::Initiator by, model::EndReason why, std::string_view reason);
  void end_for(model::Side from, model::Anomaly violation, base::Time now);
  void carry_out(session::Actions actions, model::Side self, const Parting& words, base::Time now);
  void happened(session::Event event, model::Side who, const Parting& words, base::Time now);
  void tell(model::Side to, const Parting& words, base::Time now);
  void boundary_reached(model::Side to, base::Time now);
  void finish_leg(model::Side side, Finish how);
  void send_ping(model::Side to, base::Time now);
  void beat(model::Side side, base::Time now);
  void give_up_on(model::Side side, base::Time now);
  void emit_segment(base::Time now);
  [[nodiscard]] signal::ConnectionFigures figures() const;
  [[nodiscard]] bool over() const { return legs_[0].finished && legs_[1].finished; }
  [[nodiscard]] model::SessionState state() const {
    return life_.state() != session::State::closed && over() ? model::SessionState::closed : life_.reported();
  }

  // connection.cc: messages that something may be put into.
  void hold(model::Side from, base::Bytes lead, base::Bytes raw);
  void release(model::Side from, bool complete);

  [[nodiscard]] bool choose_traced();
  void emit_message(model::Side from, std::uint64_t number, base::Time now);

  // connection.cc: what a message means.
  [[nodiscard]] bool wanted(model::Side from, const wire::FrameParser::Piece& piece) const;
  void read(model::Side from, const wire::FrameParser::Piece& piece, base::Time now);
  void drop_meaning();
  [[nodiscard]] signal::SessionFacts facts() const;

  Opening opening_;
  std::unique_ptr<Meaning> meaning_;    // null: nothing is read
  std::unique_ptr<Rewriter> rewriter_;  // null: nothing is put into any message
  Outlet* outlet_;
  std::array<Stream, 2> streams_;  // by sender
  std::array<Leg, 2> legs_;
  session::Lifecycle life_;
  session::Turn turn_;
  session::Recorder recorder_;
  std::optional<model::CloseInfo> close_;
  base::Time last_data_;  // data frame bytes, either way
  base::Time close_deadline_ = base::never;
  base::Time segment_begin_;
  base::Time segment_end_ = base::never;
  signal::Totals segment_before_;
  std::uint32_t segments_ = 0;
  std::uint32_t anomalies_ = 0;
  bool traces_messages_ = false;
  std::uint16_t parting_code_ = 1000;  // of a Close that waits for a boundary; close_ has its reason
  bool finished_ = false;
};

}  // namespace sockeye::observer
