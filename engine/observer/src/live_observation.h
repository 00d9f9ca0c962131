// The Observation there is. One per session, with no memory of its own beyond this object, the handshake's texts, a
// flight recorder of at most 1 KiB, inflaters where messages are inflated, and, where it walks the frames itself, two
// parsers.
//
// Two words used throughout. A *stream* is what one peer sends; a *leg* is the transport to one peer.
//
// What is seen goes three ways: into counts (the call's metrics and this session's figures), into spans
// (observation_spans.cc), and to the Listener. Which of them there are is known here, so nothing is dispatched.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "opening.h"
#include "reading.h"
#include "sockeye/base/prefetch.h"
#include "sockeye/observer/observation.h"
#include "sockeye/session/pings.h"
#include "sockeye/session/recorder.h"
#include "sockeye/session/traffic.h"
#include "sockeye/signal/spans.h"
#include "sockeye/wire/frame_parser.h"
#include "sockeye/wire/inflate.h"
#include "sockeye/wire/utf8.h"
#include "watched_stream.h"

namespace sockeye::observer {

class LiveObservation final : public Observation {
 public:
  LiveObservation(Opening&& opening, std::unique_ptr<Reading> reading, Listener* listener, const Call& call);

  void bytes(model::Side from, base::Bytes, const Call&) override;
  void gap(model::Side from, std::optional<std::uint64_t> bytes, const Call&) override;
  [[nodiscard]] std::optional<std::uint64_t> to_next_frame(model::Side from) const override;
  void next_frame(model::Side from) override;
  void message(model::Side from, model::Opcode, base::Bytes payload, std::uint64_t wire_size, const Call&) override;
  void handled(model::Side from, base::Duration, const Call&) override;

  void received(model::Side from, std::size_t bytes, const Call&) override;
  Advance advance(model::Side from, wire::FrameParser&, base::Bytes rest, std::size_t came, bool one,
                  std::optional<wire::Piece>& piece, const Call&) override;
  [[nodiscard]] base::Bytes portion(model::Side from, const wire::FrameParser& parser,
                                    base::Bytes rest) const override {
    return portion(streams_[model::index(from)], parser, rest);
  }
  void parsed(model::Side from, base::Bytes raw, const wire::Piece&, const Call&) override;
  bool begin(model::Side from, const wire::FrameParser&, const wire::Piece&, const Call&) override;
  model::Anomaly inspect(model::Side from, const wire::FrameParser&, const wire::Piece&, Text*, const Call&) override;
  base::Bytes complete(model::Side from, const wire::FrameParser&, const wire::Piece&, const Insert&,
                       const Call&) override;
  [[nodiscard]] bool may_insert(model::Side from, model::Opcode, const Insert&) const override;
  CloseFrame read_close(base::Bytes payload, const Call&) override;
  void control(model::Side from, model::Opcode, base::Bytes payload, const Call&) override;
  void anomaly(model::Anomaly, const Call&) override;
  void probe_sent(model::Side leg, std::size_t payload, const Call&) override;
  void probe_answered(model::Side leg, std::optional<base::Duration> rtt, const Call&) override;
  void probe_missed(model::Side leg, bool late, const Call&) override;
  void close_sent(model::Side leg, std::size_t payload, const Call&) override;
  [[nodiscard]] bool reads() const override { return reading_ != nullptr; }
  void closing(const model::CloseInfo&) override;
  void closed() override;

  [[nodiscard]] std::size_t held() const override;
  void count_only(bool keep_inflating, const Call&) override;
  void raise(const model::Condition&, const Call&) override;
  void end(model::Side from, StreamEnd, const Call&) override;
  void cut(model::Side from, const wire::FrameParser&, bool unexpected, const Call&) override;
  void transport(model::Side leg, std::uint64_t unsent) override { legs_[model::index(leg)].unsent = unsent; }
  void tick(const Call&) override;
  void finish(const Call&) override;

  [[nodiscard]] const base::SessionId& id() const override { return opening_.id; }
  [[nodiscard]] const Options& options() const override { return *opening_.options; }
  [[nodiscard]] const wire::Extensions& extensions() const override { return opening_.extensions; }
  [[nodiscard]] const std::optional<model::CloseInfo>& close_info() const override { return close_; }
  [[nodiscard]] base::Time last_data() const override { return std::max(streams_[0].last_data, streams_[1].last_data); }
  [[nodiscard]] base::Time last_received(model::Side leg) const override {
    return streams_[model::index(leg)].last_received;
  }
  [[nodiscard]] model::SessionFacts facts(base::WallOffset) const override;
  [[nodiscard]] model::SessionFigures figures(base::WallOffset) const override;
  [[nodiscard]] std::string_view dialect() const override { return reading_ ? reading_->dialect() : "none"; }
  [[nodiscard]] model::SessionDetail detail() const override;
  [[nodiscard]] std::vector<model::RecordedMessage> recorder() const override { return recorder_.messages(); }

  // What it leads to, for prefetch.h.
  [[nodiscard]] const Reading* reading() const { return reading_.get(); }
  void prefetch_self(model::Side from) const noexcept {
    base::prefetch(this);
    base::prefetch(&streams_[model::index(from)], sizeof(Stream));
  }
  void prefetch_rest(model::Side from) const noexcept {
    recorder_.prefetch();
    if (watched_) base::prefetch(&watched_->streams[model::index(from)], WatchedStream::hot);
  }

 private:
  // `cut`: it inflates to more than is read of any message; what came out of it so far is what will be read.
  enum class Inspect : std::uint8_t { nothing, utf8, inflate, cut };
  // All that its messages touch, in two cache lines.
  struct alignas(64) Stream {
    explicit Stream(base::Time opened) : last_received(opened), last_data(opened), gaps(opened) {}
    model::DirectionCounts counts;
    base::Time last_received;  // any byte
    base::Time last_data;      // of a data frame
    session::Gaps gaps;
    std::unique_ptr<wire::Inflater> inflater;
    wire::Utf8 utf8;
    Inspect inspect = Inspect::nothing;  // of the message last started
    bool misspelt = false;               // it is text and not UTF-8, which was counted
    bool read = false;                   // so is it for its dialect
    bool traced = false;                 // it has spans of its own
    bool holed = false;                  // a part of it is missing
    bool heard_close = false;
    bool ended = false;         // FIN or reset
    bool counted_late = false;  // bytes behind its Close are counted once
    bool alarmed = false;       // its leg has misses or conditions, which the next byte clears
  };
  static_assert(sizeof(Stream) == 128);
  // Of the message last started in a stream, where that is traced.
  struct Traced {
    std::uint32_t frames = 0;
    base::Time began{};
  };
  struct Leg {
    session::Pings pings;
    std::optional<base::Duration> rtt;
    base::Duration rtt_min = base::Duration::max();
    std::uint64_t unsent = 0;
    std::uint32_t misses = 0;
    std::uint32_t missed_total = 0;
    std::uint32_t late_total = 0;
    using Raised = std::array<std::optional<model::Condition>, static_cast<std::size_t>(model::ConditionKind::count_)>;
    std::unique_ptr<Raised> raised;  // null: nothing is
  };
  // Counts of one call, added to the session's and the route's once.
  class Batch;

  [[nodiscard]] Stream& stream(model::Side from) { return streams_[model::index(from)]; }
  [[nodiscard]] Leg& leg(model::Side side) { return legs_[model::index(side)]; }
  [[nodiscard]] Reading::At at(const Call& call) const { return {opening_, listener_, call}; }

  // observation.cc: the path of a message.
  Advance step_over(model::Side from, wire::FrameParser&, base::Bytes rest, bool one, std::optional<wire::Piece>& piece,
                    const Call&);
  void receive(model::Side from, std::size_t bytes, const Call&);
  void begin_message(model::Side from, const wire::FrameParser&, const wire::Piece&, const Call&);
  model::Anomaly content(model::Side from, const wire::FrameParser&, const wire::Piece&, Batch&, Text*, const Call&);
  base::Bytes pass(model::Side from, const wire::FrameParser&, const wire::Piece&, Batch&, const Insert&, const Call&);
  void message_done(model::Side from, const wire::FrameParser&, Batch&, const Call&);
  [[nodiscard]] static base::Bytes portion(const Stream&, const wire::FrameParser&, base::Bytes rest);
  [[nodiscard]] Inspect choose_inspection(const Stream&, const wire::FrameParser&) const;
  [[nodiscard]] bool wanted(model::Side from, const wire::FrameParser&, const wire::Piece&) const;
  base::Bytes read(model::Side from, const wire::FrameParser&, const wire::Piece&, const Insert&, const Call&);
  model::Anomaly look(model::Side from, const wire::FrameParser&, const wire::Piece&, Text*, Turn&);
  model::Anomaly inflate(Stream&, model::Side from, const wire::FrameParser&, const wire::Piece&, Text*, Turn&);
  [[nodiscard]] std::uint64_t most_inflated(const Stream&, const Text*) const;
  model::Anomaly inflate_failed(Stream&, model::Side from, wire::Inflater::Result);
  void drop_reading();
  void stop_reading(bool keep_inflating);
  void shed(model::Side from, const Call&);
  // What it holds may have changed.
  void account(const Call& call) {
    if (call.workspace.memory != nullptr && (reading_ || streams_[0].inflater || accounted_ != 0)) account_held(call);
  }
  void account_held(const Call&);
  void note(model::Side from, model::Opcode, std::uint64_t length, bool compressed, bool injected, const Call&);

  // observation_watch.cc: frames that are walked here.
  [[nodiscard]] WatchedStream& watched(model::Side from);
  void found(model::Side from, const Call&);
  // Walks them, now or once what came before them is found.
  void watch(model::Side from, base::Bytes, const Call&);
  void miss(model::Side from, std::optional<std::uint64_t> bytes, const Call&);
  void tell_other(model::Side of);
  [[nodiscard]] bool waits(model::Side from, base::Time now);
  void wait(WatchedStreams::Waiting&&, const Call&);
  std::vector<WatchedStreams::Waiting> take_waiting();
  void again(const WatchedStreams::Waiting&, const Call&);
  void wait_no_longer(const Call&);
  void count_unfound();
  [[nodiscard]] bool waited_long(base::Time now) const {
    return watched_ && !watched_->waiting.empty() && now - watched_->waiting.front().at >= WatchedStreams::patience;
  }
  void walk(model::Side from, wire::FrameParser&, base::Bytes, const Call&);
  void watch_control(model::Side from, const wire::FrameParser&, const wire::Piece&, const Call&);
  void lose_context(model::Side from);

  // observation_life.cc
  void clear(model::Side of);
  // After whatever may move it.
  void set_deadline();
  [[nodiscard]] model::SessionState state() const;

  // observation_spans.cc
  [[nodiscard]] signal::SessionAttributes span_attributes() const;
  [[nodiscard]] signal::ConnectionFigures span_figures() const;
  void emit_segment(const Call&);
  void emit_message(model::Side from, const wire::FrameParser&, std::uint64_t number, const Call&);
  void emit_connection(const Call&);

  // What a message touches is what lies before opening_; the first line of it, whoever sent it.
  std::unique_ptr<Reading> reading_;         // null: nothing is read
  std::unique_ptr<WatchedStreams> watched_;  // made with the first bytes(); null: somebody else walks
  session::Turn turn_;
  session::Recorder recorder_;
  bool hears_messages_;
  bool traces_messages_ = false;
  bool closed_ = false;
  bool finished_ = false;
  std::uint32_t anomalies_ = 0;
  std::array<Stream, 2> streams_;  // by sender

  Opening opening_;
  Listener* listener_;  // null: nobody listens
  std::array<Leg, 2> legs_;
  std::array<Traced, 2> traced_;
  std::optional<model::CloseInfo> close_;
  base::Time segment_begin_;
  base::Time segment_end_ = base::never;
  signal::Totals segment_before_;
  std::uint32_t segments_ = 0;
  std::size_t accounted_ = 0;                           // of held(), in the workspace's memory
  std::array<std::uint64_t, 2> lost_{}, unreadable_{};  // bytes that are missing; messages not read; by sender
};

}  // namespace sockeye::observer
