// An Observation around another: passes on what it is told, and has it written down.
//
// A vantage that only watches has the bytes recorded as they come: from the first on, or, of a recording that began
// later, from a frame's header. Without payload they are also left out where framing is lost, until it is found.
//
// Of a session that was carried from its first byte on, the bytes are recorded as the carrier had them walked, each
// piece that it had to decide on with the steps that followed. Of one whose recording began later they are recorded
// from a frame's header on, without the pongs to the carrier's own pings, and need no steps.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "recorder.h"
#include "sockeye/wire/frame_parser.h"

namespace sockeye::capture {

class RecordedObservation final : public observer::Observation {
 public:
  // `begun`: where bytes() may be recorded from: the first byte, a frame's header, or (by a carrier, too) a header of
  // a session that was open.
  enum class Begun : std::uint8_t { at_once, at_frame, late };
  RecordedObservation(std::unique_ptr<observer::Observation> inner, std::unique_ptr<Recorder> recorder, Begun begun);

  void bytes(model::Side, base::Bytes, const observer::Call&) override;
  void gap(model::Side, std::optional<std::uint64_t> bytes, const observer::Call&) override;
  [[nodiscard]] std::optional<std::uint64_t> to_next_frame(model::Side from) const override {
    return inner_->to_next_frame(from);
  }
  void next_frame(model::Side from) override { inner_->next_frame(from); }
  // Messages without frames have no bytes to record.
  void message(model::Side, model::Opcode, base::Bytes payload, std::uint64_t wire_size,
               const observer::Call&) override;
  void handled(model::Side, base::Duration, const observer::Call&) override;

  void received(model::Side, std::size_t bytes, const observer::Call&) override;
  Advance advance(model::Side, wire::FrameParser&, base::Bytes rest, std::size_t came, bool one,
                  std::optional<wire::Piece>& piece, const observer::Call&) override;
  [[nodiscard]] std::size_t held() const override { return inner_->held(); }
  // Not recorded: a replay has the memory that was short here.
  void count_only(bool keep_inflating, const observer::Call& call) override {
    inner_->count_only(keep_inflating, call);
  }
  [[nodiscard]] base::Bytes portion(model::Side from, const wire::FrameParser& parser,
                                    base::Bytes rest) const override {
    return inner_->portion(from, parser, rest);
  }
  void parsed(model::Side, base::Bytes raw, const wire::Piece&, const observer::Call&) override;
  bool begin(model::Side, const wire::FrameParser&, const wire::Piece&, const observer::Call&) override;
  model::Anomaly inspect(model::Side, const wire::FrameParser&, const wire::Piece&, Text*,
                         const observer::Call&) override;
  base::Bytes complete(model::Side, const wire::FrameParser&, const wire::Piece&, const Insert&,
                       const observer::Call&) override;
  [[nodiscard]] bool may_insert(model::Side, model::Opcode, const Insert&) const override;
  CloseFrame read_close(base::Bytes payload, const observer::Call&) override;
  void control(model::Side, model::Opcode, base::Bytes payload, const observer::Call&) override;
  void anomaly(model::Anomaly, const observer::Call&) override;
  void probe_sent(model::Side, std::size_t payload, const observer::Call&) override;
  void probe_answered(model::Side, std::optional<base::Duration> rtt, const observer::Call&) override;
  void probe_missed(model::Side, bool late, const observer::Call&) override;
  void close_sent(model::Side, std::size_t payload, const observer::Call&) override;
  [[nodiscard]] bool reads() const override { return inner_->reads(); }
  void closing(const model::CloseInfo&) override;
  void closed() override;

  void raise(const model::Condition&, const observer::Call&) override;
  void end(model::Side, observer::StreamEnd, const observer::Call&) override;
  void cut(model::Side, const wire::FrameParser&, bool unexpected, const observer::Call&) override;
  void transport(model::Side leg, std::uint64_t unsent) override { inner_->transport(leg, unsent); }
  void tick(const observer::Call&) override;
  void finish(const observer::Call&) override;

  [[nodiscard]] const base::SessionId& id() const override { return inner_->id(); }
  [[nodiscard]] const observer::Options& options() const override { return inner_->options(); }
  [[nodiscard]] const wire::Extensions& extensions() const override { return inner_->extensions(); }
  [[nodiscard]] const std::optional<model::CloseInfo>& close_info() const override { return inner_->close_info(); }
  [[nodiscard]] base::Time last_data() const override { return inner_->last_data(); }
  [[nodiscard]] base::Time last_received(model::Side leg) const override { return inner_->last_received(leg); }
  [[nodiscard]] model::SessionFacts facts(base::WallOffset wall) const override { return inner_->facts(wall); }
  [[nodiscard]] model::SessionFigures figures(base::WallOffset wall) const override { return inner_->figures(wall); }
  [[nodiscard]] std::string_view dialect() const override { return inner_->dialect(); }
  [[nodiscard]] model::SessionDetail detail() const override { return inner_->detail(); }
  [[nodiscard]] std::vector<model::RecordedMessage> recorder() const override { return inner_->recorder(); }

 private:
  // `raw` was walked, up to a piece somebody decides on, where there is one; it begins at `at`.
  void walked(model::Side, base::Bytes raw, std::uint64_t came, const wire::Piece*, const base::Byte* at,
              const observer::Call&);
  void walked_late(model::Side, base::Bytes raw, const wire::Piece*, const base::Byte* at, const observer::Call&);
  void passed(model::Side, base::Bytes, std::uint64_t came, bool watched, const observer::Call&);
  base::Bytes from_next_frame(model::Side, base::Bytes, const observer::Call&);
  void step(model::Side, Step, const observer::Call&);
  void simple(Event::Kind, model::Side, std::optional<std::uint64_t> count, bool flag, const observer::Call&);
  void moved() { deadline_ = inner_->next_deadline(); }

  std::unique_ptr<observer::Observation> inner_;
  std::unique_ptr<Recorder> recorder_;
  // A recording that began late, by sender: it has come to a frame's header; bytes of a frame whose fate is open.
  struct Late {
    bool aligned = false;
    std::string held;
    bool decides = false;  // `held` is a whole control frame
  };
  std::array<Late, 2> late_;
  std::array<bool, 2> follows_;  // what a vantage that only watches sees is recorded; by sender
  model::Side stopped_{};        // whose piece was decided on last
  bool attached_;
};

}  // namespace sockeye::capture
