// The Connection behind carry(). One per session: its policies' state, two parsers, and the Observation.
//
// A read's way: feed() steps over the frames of the read (Observation::advance) and hands maximal contiguous ranges to
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

#include "rewriter.h"
#include "sockeye/base/prefetch.h"
#include "sockeye/relay/connection.h"
#include "sockeye/session/heartbeat.h"
#include "sockeye/session/lifecycle.h"
#include "sockeye/session/rate.h"
#include "sockeye/wire/frame_parser.h"

namespace sockeye::relay {

class LiveConnection final : public Connection {
 public:
  LiveConnection(std::unique_ptr<observer::Observation> observation, const Options& options, Outlet& outlet,
                 std::uint64_t nth, const Call& call);

  using Connection::feed;
  std::size_t feed(model::Side from, base::Bytes bytes, std::size_t came, const Call&) override;
  void eof(model::Side leg, const Call&) override;
  void reset(model::Side leg, const Call&) override;
  void reading(model::Side leg, bool paused, base::Time now) override;
  void shut(model::EndReason why, std::uint16_t code, std::string_view reason, const Call&) override;
  [[nodiscard]] base::Time next_deadline() const override;
  void tick(const Call&) override;
  void finish(const Call&) override;
  void count_only(const Call& call) override { observation_->count_only(rewriter_ != nullptr, call); }
  void observe(const Around& around) override { observation_ = around(std::move(observation_)); }
  [[nodiscard]] const observer::Observation& observed() const override { return *observation_; }
  [[nodiscard]] bool heartbeat(model::Side side) const override {
    return legs_[model::index(side)].heartbeat.enabled();
  }
  void transport(model::Side side, std::uint64_t unsent) override { observation_->transport(side, unsent); }

  void prefetch(model::Side from) const noexcept {
    base::prefetch(this);
    base::prefetch(&streams_[model::index(from)], Stream::hot);
    base::prefetch(legs_.data(), sizeof legs_);
  }

 private:
  enum class Flow : std::uint8_t {
    pass,    // forwarded
    drain,   // no longer forwarded, but its Close is awaited
    discard  // its Close, or the session's end, is behind us
  };
  // Whether what was forwarded of a stream ends on a frame boundary, where the parser no longer knows.
  enum class Edge : std::uint8_t { as_parsed, boundary, inside };

  // What a frame touches is its first `hot` bytes.
  struct alignas(64) Stream {
    explicit Stream(const wire::FrameRules& rules, std::uint32_t control_rate) : parser(rules), control(control_rate) {}
    static constexpr std::size_t hot = 128;
    Flow flow = Flow::pass;
    Edge edge = Edge::as_parsed;
    bool held = false;  // the message last started goes through the rewriter, and nothing of it has been forwarded
    bool heard_close = false;
    bool ended = false;         // FIN or reset
    bool counted_late = false;  // bytes behind its Close are counted once
    bool counted_flood = false;
    wire::FrameParser parser;
    session::RateLimit control;
  };
  struct Leg {
    session::Heartbeat heartbeat;
    bool close_sent = false;      // a Close went to it: the last frame it gets
    bool close_waits = false;     // ours, for a frame boundary
    bool wants_boundary = false;  // ours or a ping
    bool finished = false;
    bool paused = false;  // not read
  };
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
  struct Forwarding;  // what of a read is not forwarded yet

  [[nodiscard]] Stream& stream(model::Side from) { return streams_[model::index(from)]; }
  [[nodiscard]] Leg& leg(model::Side side) { return legs_[model::index(side)]; }
  [[nodiscard]] bool strict() const { return options_.conformance == Conformance::strict; }
  [[nodiscard]] const std::optional<model::CloseInfo>& close() const { return observation_->close_info(); }
  // Our own frame may be put on the leg now.
  [[nodiscard]] bool at_boundary(model::Side to) const;

  // connection.cc: the path of a message.
  // False: nothing came but whole pongs to our pings. `taken`: of the bytes.
  bool walk(model::Side from, base::Bytes bytes, std::size_t came, std::size_t& taken, const Call&);
  observer::Observation::Advance next(model::Side from, base::Bytes rest, std::optional<wire::Piece>& piece,
                                      const Call&);
  model::Anomaly data(model::Side from, const wire::Piece&, const observer::Observation::Advance&, Forwarding&,
                      const Call&);
  void drain(model::Side from, base::Bytes bytes, const Call&);
  Verdict control(model::Side from, const wire::Piece&, model::Anomaly& violation, const Call&);
  // True when what was found (and counted) ends the session.
  [[nodiscard]] bool is_violation(model::Anomaly kind);

  // connection_insert.cc: messages that something may be put into.
  model::Anomaly data_with_insertion(model::Side from, const wire::Piece&, Forwarding&, const Call&);
  void hold(model::Side from, base::Bytes lead, base::Bytes raw);
  void release(model::Side from, bool complete, base::Bytes instead);
  [[nodiscard]] observer::Observation::Insert insertion(model::Side from) const {
    return {.wanted = from == model::Side::client ? options_.insert.to_server : options_.insert.to_client,
            .tolerated = options_.insert.tolerated};
  }

  // connection_life.cc: its end, and all about time.
  void begin_close(std::uint16_t code, model::Initiator by, model::EndReason why, std::string_view reason);
  void end_for(model::Side from, model::Anomaly violation, const Call&);
  void carry_out(session::Actions actions, model::Side self, const Parting& words, const Call&);
  void happened(session::Event event, model::Side who, const Parting& words, const Call&);
  void tell(model::Side to, const Parting& words, const Call&);
  void boundary_reached(model::Side to, const Call&);
  void finish_leg(model::Side side, Finish how);
  void send_ping(model::Side to, const Call&);
  void beat(model::Side side, const Call&);
  void give_up_on(model::Side side, const Call&);
  [[nodiscard]] bool over() const { return legs_[0].finished && legs_[1].finished; }

  const Options& options_;
  Outlet* outlet_;
  std::unique_ptr<observer::Observation> observation_;
  std::unique_ptr<Rewriter> rewriter_;  // null: nothing is put into any message
  base::Time close_deadline_ = base::never;
  session::Lifecycle life_;
  std::uint16_t parting_code_ = 1000;  // of a Close that waits for a boundary; close_info() has its reason
  bool finished_ = false;
  std::array<Stream, 2> streams_;  // by sender
  std::array<Leg, 2> legs_;
};

}  // namespace sockeye::relay
