// A recorded session as a file (docs/formats/capture.md): a line with the version, then records, each with its type and
// its length. One session a file.
//
// Encoder and Reader know the format and no more. Recording makes such a file of a session, Replay a session of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/base/ids.h"
#include "sockeye/base/result.h"
#include "sockeye/base/time.h"
#include "sockeye/model/anomaly.h"
#include "sockeye/model/condition.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/http_head.h"
#include "sockeye/model/session.h"

namespace sockeye::capture {

inline constexpr unsigned version = 1;
inline constexpr std::size_t most_text = 64U << 10U;   // bytes of a text in a file
inline constexpr std::size_t most_fields = 4096;       // of a head, and options
inline constexpr std::size_t most_bytes = 16U << 20U;  // of one peer in one record, zero runs filled in

struct Head {
  std::string method, target;  // a request's
  int status = 0;              // a response's
  std::string reason;
  std::vector<std::pair<std::string, std::string>> fields;
  [[nodiscard]] model::HttpHead view() const;  // into this
};

// Everything about the session that is known when it opens, and what the observation was told then.
struct Session {
  base::SessionId id;
  std::uint64_t seed = 0;  // of the identifiers: with it a replay gives the same ones
  bool payload = false;    // kept; else payload bytes and masking keys are zeros
  bool attached = false;   // the session was open when its recording began: there are no heads
  std::string client_address, server_address;
  std::uint16_t client_port = 0, server_port = 0;
  bool tls = false;                       // on the client's side
  std::vector<std::string> passed_on;     // names of what was wrong with the handshake and passed on
  std::optional<base::SessionId> before;  // it is the reconnect of that session
  model::ReconnectBasis basis{};
  base::Time first_byte, requested, opened;                            // of the vantage's monotonic clock
  base::WallOffset wall, wall_opened;                                  // when the request was read, and at `opened`
  std::uint64_t most_fragments = 0, most_frame = 0, most_message = 0;  // the carrier's limits; 0: none
  Head request, response;                                              // redacted
  std::vector<std::pair<std::string, std::string>> options;            // observer::Options, as texts
};

// What was done with the frame at the end of the bytes before it, where somebody had to decide.
enum class Step : std::uint8_t { begin = 1, inspect = 2, complete = 3, read_close = 4, control = 5 };

struct Event {
  enum class Kind : std::uint8_t {
    bytes = 2,           // `data` from `side`, walked up to a decision; `count` received, 0: counted before
    step = 3,            // `step`
    received = 4,        // `count` bytes from `side` that nobody looked into
    gap = 5,             // `count` of `side` are missing; none: nobody knows how many
    end = 6,             // the stream from `side` ended; `flag`: with a reset
    cut = 7,             // likewise, told by a carrier; `flag`: unexpectedly
    probe_sent = 8,      // to `side`, `count` bytes of payload
    probe_answered = 9,  // by `side`, after `count` ns
    probe_missed = 10,   // by `side`; `flag`: but other bytes came
    close_sent = 11,     // to `side`, `count` bytes of payload
    closing = 12,        // `close`
    closed = 13,
    condition = 14,  // `condition` was raised
    anomaly = 15,    // `anomaly`
    tick = 16,
    finish = 17,
    wall = 18,       // `wall` from here on
    truncated = 19,  // the recording was ended by its limit, or could not be kept up
    frame = 20       // the next `bytes` of `side` begin with a frame's header, whatever was before
  };
  Kind kind{};
  base::Time at;
  model::Side side{};
  base::Bytes data;      // valid until the next call to the reader
  bool watched = false;  // bytes: by a vantage that only watches, which has no steps
  std::optional<std::uint64_t> count;
  bool flag = false;
  Step step{};
  model::Anomaly anomaly{};
  model::CloseInfo close;
  model::Condition condition;
  base::WallOffset wall;
};

class Encoder {
 public:
  // The line with the version, and the session. First.
  void session(const Session&);
  void event(const Event&);
  [[nodiscard]] std::size_t size() const { return out_.size(); }
  [[nodiscard]] std::string take() { return std::exchange(out_, {}); }

 private:
  void record(std::uint8_t type);
  std::string out_, body_;
  base::Time last_;
};

class Reader {
 public:
  // `file` is borrowed. Fails on what is no capture, one of another version, or a session record that cannot be read.
  [[nodiscard]] static base::Result<Reader> open(base::Bytes file);

  [[nodiscard]] const Session& session() const { return session_; }
  // None: that was all. Errors name the byte they were found at. A record of an unknown type is passed over.
  [[nodiscard]] base::Result<std::optional<Event>> next();
  // The file ends inside a record, or without the session's end: its writer was interrupted.
  [[nodiscard]] bool incomplete() const { return incomplete_; }

 private:
  explicit Reader(base::Bytes file) : file_(file) {}
  struct Raw {
    std::uint8_t type = 0;
    std::size_t at = 0;
    base::Bytes body;
  };
  [[nodiscard]] base::Result<std::optional<Raw>> raw();

  base::Bytes file_;
  std::size_t at_ = 0;
  Session session_;
  base::Time last_;
  std::vector<base::Byte> data_;
  bool incomplete_ = false, finished_ = false;
};

}  // namespace sockeye::capture
