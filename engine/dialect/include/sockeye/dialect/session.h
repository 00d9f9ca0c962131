// The dialect of one connection: messages in, invocations out. Used by one thread; no clock, no I/O. In steady state
// nothing is allocated for a message that opens or ends nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/base/time.h"
#include "sockeye/dialect/program.h"
#include "sockeye/model/dialect_error.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/http_head.h"
#include "sockeye/model/invocation.h"

namespace sockeye::dialect {

using DialectError = model::DialectError;

enum class Effect : std::uint8_t {
  open,
  accept,
  bind,
  chunk,
  attrs,
  note,
  cancel,
  end,
  event,
  session,
  media,
  beat,
  error,
  ignore
};
[[nodiscard]] std::string_view name(Effect);

// Hears what messages mean. Views and references are valid during the call.
class Listener {
 public:
  virtual ~Listener() = default;
  // May fill the invocation's place in its trace.
  virtual void opened(model::Invocation&) = 0;
  virtual void chunk(const model::Invocation&, std::optional<base::Duration> since_last) = 0;
  virtual void ended(model::Invocation&&) = 0;
  virtual void media(model::Side, std::string_view name, std::uint64_t bytes, base::Time) = 0;
  // An application heartbeat; the round trip where its answer was recognised.
  virtual void beat(model::Side, std::string_view name, std::optional<base::Duration> rtt, base::Time) = 0;
  virtual void session_attribute(std::string_view key, const model::AttributeValue&) = 0;
  virtual void event(std::string_view name, model::Side, base::Time) = 0;
  // A message that reports an error of the session, of no invocation.
  virtual void error(model::Side, std::string_view type, base::Time) = 0;
  virtual void dialect_error(DialectError, model::Side, std::uint64_t count, base::Time) = 0;
  // For `sockeye dialect test`: a rule matched, and then did this.
  virtual void matched(std::string_view /*rule*/) {}
  virtual void effect(Effect) {}
  // A piece of something whose rest is still to come; a reply or chunk that was under way when its opener ended what it
  // belongs to.
  virtual void partial() {}
  virtual void late() {}
};

struct Limits {
  std::uint32_t open = 256;      // invocations of one session; the oldest gives way
  std::size_t text = 1U << 20U;  // bytes of one message that are looked into
  // A cancelled one that nobody ends; what is under way when its opener ends one.
  base::Duration cancel_grace = std::chrono::seconds(10);
};

// What the handshake said. Read during the call only.
struct HandshakeView {
  std::string_view path{}, query{}, subprotocol{};
  const model::HttpHead* head = nullptr;  // the request; null: no header is known
};

// What the sessions of one thread share: parsers and buffers, reused from message to message.
class Workspace {
 public:
  Workspace();
  ~Workspace();
  struct Parts;
  [[nodiscard]] Parts& parts() { return *parts_; }
  // Room for a message of `size` bytes, with what a parser wants behind it. Valid until the next call.
  [[nodiscard]] base::MutableBytes stage(std::size_t size);

 private:
  std::unique_ptr<Parts> parts_;
};

// A whole message. Masked bytes are unmasked only as far as somebody looks.
struct Payload {
  base::Bytes bytes;          // in one piece
  std::size_t readable = 0;   // bytes from bytes.data() on that may be read, those of the message included
  std::uint64_t on_wire = 0;  // payload bytes as they were sent, for chunk and byte counts
  bool cut = false;           // these are only its first bytes
};

// Trace context as it is written into a message.
struct TraceText {
  std::string_view traceparent, tracestate;
};

class Intake;

class Session {
 public:
  // Borrows the workspace and the listener, until others are lent. `seed` is secret to this process: keys of open
  // invocations are kept hashed. `begun`: Detector::begun(), of what was said before the first message; it is moved
  // from.
  Session(ProgramRef, const HandshakeView&, const Limits&, Workspace&, Listener&, std::uint64_t seed,
          Intake* begun = nullptr);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // What belongs to the caller's thread, for the calls that follow: a session may go to another thread between two.
  void lend(Workspace&, Listener&);

  // Whether messages of this kind are looked into at all; if not, message() may be called with an empty payload.
  [[nodiscard]] bool wants(model::Side from, model::Opcode) const;
  // A complete data message, unmasked and inflated. Of one that is cut, or longer than limits.text, the first bytes are
  // looked at: where they say enough for a rule (a reply with its id in front) it does what they say. It is counted as
  // too_large in any case.
  void message(model::Side from, model::Opcode, const Payload&, base::Time now);
  // One that was longer than limits.text, or could not be read (a compressed one that is passed).
  void unread(model::Side from, model::Opcode, std::uint64_t on_wire, base::Time now);

  // Whether context may ever be put into messages of this kind: the dialect reserves a place, or tolerates one.
  [[nodiscard]] bool inserts(model::Side from, model::Opcode, bool tolerated) const;
  // The message that message() was just given, with `context` in it, into `out`. False, and nothing is done: it did not
  // open exactly one invocation, or it has no place for context.
  [[nodiscard]] bool insert(base::Bytes message, const TraceText& context, bool tolerated, std::string& out);

  [[nodiscard]] base::Time next_deadline() const;
  void tick(base::Time now);
  // The session is over: whatever is open ends incomplete.
  void finish(base::Time now);

  // Where its state lies, to be prefetched into the processor's caches. Not to be read.
  [[nodiscard]] base::Bytes state_bytes() const;

  [[nodiscard]] const Program& program() const;
  [[nodiscard]] std::size_t open() const;
  // Bytes it holds: of calls that are open, and of what has come of a message inside others.
  [[nodiscard]] std::size_t held() const;
  // Oldest first.
  void for_each_open(void (*each)(void* context, const model::Invocation&), void* context) const;
  void for_each_open(void (*each)(void* context, model::Invocation&), void* context);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sockeye::dialect
