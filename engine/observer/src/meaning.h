// What the messages of one connection mean: detection, the dialect's session, and what becomes of invocations (spans,
// counts). Beside the path of the bytes, never on it: whatever happens here, they pass.
//
// Where an invocation's span stands (signals.md): in the context its message carried; else under the one it serves;
// else, by trace.scope, under the connection, or in a trace of its own that links to the connection. `auto` begins with
// the first and goes over to the second when the session has grown too long or too large for one trace.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "opening.h"
#include "sockeye/base/bytes.h"
#include "sockeye/base/fetch.h"
#include "sockeye/dialect/registry.h"
#include "sockeye/dialect/session.h"
#include "sockeye/model/span.h"
#include "sockeye/observer/connection.h"
#include "sockeye/signal/invocations.h"

namespace sockeye::observer {

// What the connections of one worker share.
struct Workbench {
  dialect::Workspace workspace;
  // Of the message just read: the context of what it opened, and that message with it.
  std::string traceparent, tracestate, rewritten;
};

class Meaning final : private dialect::Listener {
 public:
  // Null when the route wants no dialect, or the handshake has shown that there is none.
  ~Meaning() override;
  static std::unique_ptr<Meaning> of(const RouteOptions&, Environment&, const dialect::Facts&);
  // Before any message; `opening` is the connection's and stays where it is.
  void begin(const Opening& opening, base::Time now);

  // The name of the dialect that was decided on, "none" while there is none; lives as long as this.
  [[nodiscard]] std::string_view dialect() const { return dialect::name(*decision_.program); }
  [[nodiscard]] std::string_view basis() const { return dialect::name(decision_.basis); }
  // False: nothing will ever be read here, this may be given up.
  [[nodiscard]] bool of_use() const { return session_.has_value() || (detector_ && detector_->open()); }
  // It pairs requests with replies: their time is known, not guessed by turns.
  [[nodiscard]] bool pairs() const { return session_.has_value(); }

  // A data message begins: is its text wanted? `first`: its first byte, where that can be seen; `size`: bytes of its
  // first frame.
  [[nodiscard]] bool reads(model::Side from, model::Opcode, std::optional<base::Byte> first, std::uint64_t size) const;
  // All of it in one piece, uncompressed.
  void whole(model::Side from, model::Opcode, base::Bytes payload, std::uint32_t mask, base::Time now);
  // Or piece by piece: masked as those from `offset` on of their frame, or (mask 0) inflated.
  void piece(model::Side from, base::Bytes payload, std::uint32_t mask, std::uint64_t offset);
  void complete(model::Side from, model::Opcode, std::uint64_t on_wire, base::Time now);
  // One that is not read: binary, or compressed where compression is passed.
  void unread(model::Side from, model::Opcode, std::uint64_t on_wire, base::Time now);

  // Something may be put into messages of this connection; into this one.
  [[nodiscard]] bool may_insert() const;
  [[nodiscard]] bool inserts(model::Side from, model::Opcode) const;
  // The message just read, with what was put into it; empty: as it came. Until the next one.
  [[nodiscard]] base::Bytes rewritten() const { return base::as_bytes(environment_.workbench->rewritten); }

  [[nodiscard]] base::Time next_deadline() const;
  void tick(base::Time now);
  // Whatever is open ends; before the connection's span.
  void finish(base::Time now);

  // Fetches what reading a message will touch beside this.
  void warm() const noexcept {
    if (!session_) return;
    const base::Bytes state = session_->footprint();
    base::fetch(state.data(), state.size());
  }

  // What the dialect knows of the session, for the connection's span.
  void describe(model::Span& connection);
  void view(SessionView& out) const;
  [[nodiscard]] std::uint32_t open() const { return session_ ? static_cast<std::uint32_t>(session_->open()) : 0; }

 private:
  struct Assembly {
    std::vector<base::Byte> bytes;
    bool overflow = false;
  };
  struct Burst {
    signal::Transfer transfer;
    bool running = false;
  };

  Meaning(const RouteOptions& options, Environment& environment);

  void start_session(const dialect::Facts&);
  void message(model::Side from, model::Opcode, const dialect::Payload&, base::Time now);
  void put_context(model::Side from, base::Bytes message);
  void place(model::Invocation&);
  [[nodiscard]] bool keeps(const model::Invocation&) const;
  [[nodiscard]] bool may_export(const model::Invocation&) const;
  void remember_event(std::string_view what, std::string_view type, base::Time at);
  void end_burst(Burst&);
  void report_open(base::Time now);

  void opened(model::Invocation&) override;
  void chunk(const model::Invocation&, std::optional<base::Duration> since_last) override;
  void ended(model::Invocation&&) override;
  void media(model::Side, std::string_view name, std::uint64_t bytes, base::Time) override;
  void beat(model::Side, std::string_view name, std::optional<base::Duration> rtt, base::Time) override;
  void session_attribute(std::string_view key, const model::AttributeValue&) override;
  void event(std::string_view name, model::Side, base::Time) override;
  void error(model::Side, std::string_view type, base::Time) override;
  void odd(dialect::Oddity, model::Side, std::uint64_t count, base::Time) override;

  const RouteOptions& options_;
  Environment& environment_;
  const Opening* opening_ = nullptr;
  dialect::Decision decision_;
  std::optional<dialect::Detector> detector_;
  std::optional<dialect::Session> session_;
  // What the handshake said, for a dialect that the first messages decide on. Gone once decided.
  struct KeptFacts;
  std::unique_ptr<KeptFacts> facts_;

  std::array<Assembly, 2> assembly_;
  std::array<Burst, 2> bursts_;
  model::Attributes attributes_;
  std::vector<model::SpanEvent> events_;
  std::optional<base::Duration> beat_rtt_;
  base::Time last_beat_ = base::never;
  base::Time begun_{};
  base::Time burst_check_ = base::never;
  base::Time next_report_ = base::never;  // of invocations that are open for long
  std::uint64_t invocations_ = 0;
  std::array<std::uint64_t, 2> messages_{};  // data messages so far, by sender
};

}  // namespace sockeye::observer
