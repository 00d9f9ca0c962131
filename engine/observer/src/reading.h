// Reads the messages of one session for its dialect: which one it is, then what each message means. Beside the path of
// the bytes, never on it: whatever happens here, they pass.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench.h"
#include "invocation_signals.h"
#include "opening.h"
#include "sockeye/base/bytes.h"
#include "sockeye/base/prefetch.h"
#include "sockeye/dialect/registry.h"
#include "sockeye/dialect/session.h"
#include "sockeye/model/span.h"
#include "sockeye/observer/observation.h"

namespace sockeye::observer {

class Reading {
 public:
  using Insert = Observation::Insert;

  // What a call is about.
  struct At {
    const Opening& opening;
    Listener* listener;
    const Call& call;
  };

  ~Reading();
  // Null when the route wants no dialect, or the handshake has shown that there is none.
  static std::unique_ptr<Reading> of(const Options&, const dialect::HandshakeView&, const Call&);

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
  // All of it in one piece, uncompressed. Returns it with context in it, empty: as it came. Valid until the next call
  // with this workspace.
  base::Bytes whole(model::Side from, model::Opcode, base::Bytes payload, std::uint32_t mask, std::uint64_t on_wire,
                    const Insert&, const At&);
  // Or piece by piece: masked as those from `offset` on of their frame, or (mask 0) inflated.
  void piece(model::Side from, base::Bytes payload, std::uint32_t mask, std::uint64_t offset);
  base::Bytes complete(model::Side from, model::Opcode, std::uint64_t on_wire, const Insert&, const At&);
  // One that is not read: binary, or compressed where that is not inflated.
  void unread(model::Side from, model::Opcode, std::uint64_t on_wire, const At&);
  // One that cannot be read, since parts of it were not seen.
  void skip(model::Side from) { ++state_.messages[model::index(from)]; }
  // Any number of them may be missing here: what follows from that is nobody's doing.
  void missed() { state_.holes = true; }
  // What came of one will not be completed.
  void abandon(model::Side from);

  [[nodiscard]] bool inserts(model::Side from, model::Opcode, const Insert&) const;

  [[nodiscard]] base::Time next_deadline() const;
  void tick(const At&);
  // Whatever is open ends; before the connection's span.
  void finish(const At&);

  // Bytes it holds of messages that are not complete, and of calls that are open.
  [[nodiscard]] std::size_t held() const {
    return assembly_[0].bytes.capacity() + assembly_[1].bytes.capacity() + (session_ ? session_->held() : 0);
  }

  // Fetches what reading a message will touch beside this.
  void prefetch() const noexcept {
    if (!session_) return;
    const base::Bytes state = session_->state_bytes();
    base::prefetch(state.data(), state.size());
  }

  // What the dialect knows of the session, for the connection's span.
  void describe(model::Span& connection, const At&);
  void detail(model::SessionDetail& out) const;
  [[nodiscard]] std::uint32_t open() const { return session_ ? static_cast<std::uint32_t>(session_->open()) : 0; }

 private:
  struct Assembly {
    std::vector<base::Byte> bytes;
    bool overflow = false;
  };

  explicit Reading(base::Time now);

  void start_session(const dialect::HandshakeView&, dialect::Listener&, const Call&);
  base::Bytes message(model::Side from, model::Opcode, const dialect::Payload&, const Insert&, const At&);
  void detect(model::Side from, model::Opcode, const dialect::Payload&, dialect::Listener&, const Call&);
  [[nodiscard]] InvocationSignals signals(const At& at, bool context = false) {
    return {state_, at.opening, dialect(), at.listener, context, at.call};
  }
  // What belongs to the calling thread, for the session.
  void lend(dialect::Listener&, const Call&);

  dialect::Decision decision_;
  std::optional<dialect::Detector> detector_;
  std::optional<dialect::Session> session_;
  // What the handshake said, for a dialect that the first messages decide on. Gone once decided.
  struct KeptHandshake;
  std::unique_ptr<KeptHandshake> handshake_;
  std::array<Assembly, 2> assembly_;
  InvocationState state_;
  model::RouteMetrics* metrics_ = nullptr;  // the shard that open invocations stand in
};

}  // namespace sockeye::observer
