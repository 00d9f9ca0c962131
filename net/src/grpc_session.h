// One HTTP/2 connection of a gRPC server, without its socket: bytes and time come in, bytes come out, calls are handed
// to their owner. nghttp2 reads and writes the frames; what a peer may cost is decided here.
//
// Theory of operation. Header fields are judged when their block is complete, so that nothing of a body is kept for
// whom the site refuses, and what is kept is leased from the site first. Windows are small until a first call was let
// in. Every frame that brings nothing is paid for from a purse that refills with time and with calls answered: one
// account for rapid resets, floods of PING, SETTINGS, PRIORITY, empty DATA, CONTINUATION and nonsense. Whoever has
// emptied it is told ENHANCE_YOUR_CALM and cut off. One strand at a time.
// Source: RFC 9113 §10.5 (denial-of-service considerations); CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2024-28182.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/net/grpc.h"

struct nghttp2_session;

namespace sockeye::net {

class GrpcSession {
 public:
  using Time = std::chrono::steady_clock::time_point;

  static constexpr std::uint32_t streams_at_once = 100;  // those reset by the peer count until they are answered
  static constexpr std::size_t field_bytes = 16 << 10;   // of a request, as RFC 9113 §6.5.2 counts them
  static constexpr std::size_t field_count = 128;
  static constexpr int purse = 1024, refill_per_second = 64, earned_by_call = 16;
  static constexpr std::size_t least_data = 1024;  // in a DATA frame that costs nothing
  static constexpr std::uint32_t shy_window = 16 << 10, stream_window = 256 << 10, connection_window = 1 << 20;
  static constexpr std::size_t first_lease = 16 << 10;  // of a message; doubled as it grows, up to its length
  static constexpr std::size_t bytes_a_coin = 4096;     // that belong to no message
  // A message that brings less than this in such a time is too slow, and so is one that takes longer in all.
  static constexpr std::size_t body_progress = 64 << 10;
  static constexpr std::chrono::seconds body_patience{10}, longest_body{120};
  static constexpr std::chrono::seconds answer_patience{20};  // for a peer to open its window for an answer

  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void take(std::int32_t stream, GrpcCall&&) = 0;  // answer() is due, not from within this
    virtual void let_in() = 0;                               // the first call was admitted
  };

  // All arguments outlive it; `peer` holds what is known of whoever asks: address, port, TLS.
  GrpcSession(const GrpcSite& site, const Request& peer, Owner& owner, Time now);
  ~GrpcSession();
  GrpcSession(const GrpcSession&) = delete;
  GrpcSession& operator=(const GrpcSession&) = delete;

  // False: the connection ends when what output() gives is written.
  [[nodiscard]] bool receive(std::string_view bytes, Time now);
  // Replaces `out` by what is to be written, up to about 64 KiB; "" when there is nothing.
  void output(std::string& out);
  void answer(std::int32_t stream, GrpcAnswer answer, Time now);
  // For time to pass: slow bodies are refused. False: as receive().
  [[nodiscard]] bool tick(Time now);
  // Takes no more calls; over() once those under way are answered.
  void leave();
  [[nodiscard]] bool over() const;

  [[nodiscard]] std::size_t streams() const { return calls_.size(); }
  [[nodiscard]] std::size_t outstanding() const { return outstanding_; }  // taken by the owner, not yet answered
  [[nodiscard]] bool misbehaved() const { return misbehaved_; }
  [[nodiscard]] std::uint64_t slow_bodies() const { return slow_bodies_; }

 private:
  friend struct GrpcCallbacks;
  struct Call {
    enum class State : std::uint8_t { head, body, taken, answering } state = State::head;
    Request request;
    GrpcAdmission admission;
    std::vector<std::shared_ptr<void>> leases;
    std::string prefix;  // of the message: whether it is compressed, and its length
    std::size_t length = 0;
    std::string body;  // of the message; then the answer with its prefix
    std::size_t fields = 0, field_bytes = 0, leased = 0, sent = 0;
    std::size_t progress = 0;  // of the body, at …
    Time since, began;         // … this time; or when it was answered
  };

  // Callbacks, from within receive(). False: enough, the connection ends.
  bool pay(int cost);
  bool begin(std::int32_t stream);
  bool field(std::int32_t stream, std::string_view name, std::string_view value);
  void head_complete(std::int32_t stream, bool last);
  void data(std::int32_t stream, std::string_view bytes);
  void finish(std::int32_t stream);

  [[nodiscard]] std::optional<GrpcStatus> judge(Call& call);
  [[nodiscard]] std::optional<GrpcStatus> keep(Call& call, std::string_view bytes);
  void welcome();
  void refuse(std::int32_t stream, Call& call, const GrpcStatus& status);
  void refuse_http(std::int32_t stream, Call& call, std::string_view status);
  void become_answered(Call& call, std::string body);
  [[nodiscard]] Call* find(std::int32_t stream);

  const GrpcSite& site_;
  const Request& peer_;
  Owner& owner_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, Call> calls_;
  std::size_t outstanding_ = 0;
  std::uint64_t slow_bodies_ = 0;
  Time now_, refilled_;
  int purse_ = purse;
  std::size_t idle_bytes_ = 0;  // that belong to no message, unpaid; modulo bytes_a_coin
  bool let_in_ = false, leaving_ = false, misbehaved_ = false, broken_ = false;
};

}  // namespace sockeye::net
