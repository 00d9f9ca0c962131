// A byte stream between two peers, watched from its first byte: HTTP/1.1, keep-alive and pipelined, until a request is
// upgraded to a WebSocket; from then on an Observation. What is neither is passed over.
//
// For vantages that have bytes and enforce nothing: a tap, an agent, a server watching itself. Calls never overlap.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "sockeye/base/bytes.h"
#include "sockeye/base/time.h"
#include "sockeye/model/anomaly.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/http_head.h"
#include "sockeye/observer/observation.h"

namespace sockeye::observer {

// An opening handshake whose request was read; refused, accepted, or neither where its stream ends before.
class Upgrade {
 public:
  virtual ~Upgrade() = default;
  virtual void passed_on(model::Anomaly, const Call&) = 0;
  virtual void refused(int status, model::Anomaly, std::string_view why, const Call&) = 0;
  virtual std::unique_ptr<Observation> accepted(const model::HttpHead& request, const model::HttpHead& response,
                                                Listener*, const Call&) = 0;
};

// How the sessions of a stream begin, for a vantage that does more with them than observe: records them, say. Without
// one they begin with a Handshake, or with attach().
class Openings {
 public:
  virtual ~Openings() = default;
  virtual std::unique_ptr<Upgrade> upgrade(const Options&, const Endpoints&, base::Time first_byte,
                                           const model::HttpHead& request, const Call&) = 0;
  virtual std::unique_ptr<Observation> attach(const Options&, const Endpoints&, Listener*, const Call&) = 0;
};

class ByteStream {
 public:
  static constexpr std::size_t longest_head = 64U << 10U;  // bytes; a longer one is no HTTP to us
  static constexpr std::size_t most_pipelined = 64;        // requests without an answer

  // `options`, `listener` and `openings` outlive it; the last two may be null. The client is who opened the connection.
  ByteStream(const Options& options, Endpoints endpoints, Listener* listener, Openings* openings = nullptr);
  ~ByteStream();
  ByteStream(ByteStream&&) noexcept;
  ByteStream& operator=(ByteStream&&) noexcept;

  void bytes(model::Side from, base::Bytes, const Call&);
  void gap(model::Side from, std::optional<std::uint64_t> bytes, const Call&);
  void end(model::Side from, StreamEnd, const Call&);
  [[nodiscard]] base::Time next_deadline() const;
  void tick(const Call&);
  // Nothing more comes. An upgrade that had no answer yet is counted as refused.
  void finish(const Call&);

  enum class State : std::uint8_t { http, websocket, other };
  [[nodiscard]] State state() const;
  // Bytes of heads that are not whole, or wait for their answer. Bounded by the two above, which is much where many
  // peers do it: who watches many streams bounds the sum.
  [[nodiscard]] std::size_t held() const;
  [[nodiscard]] Observation* observation();  // null: no WebSocket (yet)
  // From here on another Observation is told, made of the one before, which there must be: a recording around it.
  using Around = std::function<std::unique_ptr<Observation>(std::unique_ptr<Observation>)>;
  void observe(const Around&);

 private:
  struct Live;
  std::unique_ptr<Live> live_;
};

// A byte stream that was under way when the vantage came: who is the client, and that it is a WebSocket at all, follows
// from its frames (masked ones are the client's, RFC 6455 §5.1). Ends are named by who they are to the vantage.
class UnknownStream {
 public:
  static constexpr std::size_t most_held = 512U << 10U;  // bytes of both directions; past it this is no WebSocket

  // The next bytes of end 0 or 1. True: they are a WebSocket's; take() has the Observation.
  bool bytes(unsigned end, base::Bytes, base::Time now);
  void gap(unsigned end);
  // Bytes of what is held. Who watches many streams bounds the sum.
  [[nodiscard]] std::size_t held() const;
  // Nothing was found in most_held bytes, nor will be.
  [[nodiscard]] bool given_up() const { return given_up_; }
  // Which end is the client. Once found.
  [[nodiscard]] unsigned client() const { return client_; }
  // Attached, and given all that was held. `endpoints` are those of client() and the other.
  std::unique_ptr<Observation> take(const Options&, const Endpoints&, Listener*, const Call&,
                                    Openings* openings = nullptr);

  UnknownStream();
  ~UnknownStream();
  UnknownStream(UnknownStream&&) noexcept;
  UnknownStream& operator=(UnknownStream&&) noexcept;

 private:
  struct Held;
  void give_up();
  std::unique_ptr<Held> held_;
  unsigned client_ = 0;
  bool given_up_ = false;
};

}  // namespace sockeye::observer
