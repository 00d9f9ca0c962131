// Records one session while it is observed: an Observation around another that writes down what it is told.
//
//   Recording ──▶ requested() ──▶ accepted(), beside a Handshake ──▶ observe(observation) ──▶ as any Observation
//
// or attached(), beside observer::attach(), before observe(); or, for a session that is open already, observe() alone.
// What is recorded is what the observation was told, not what a socket read, so that a replay needs no policy of the
// carrier's. Without payload nothing of it is kept: masking keys and payload are zeros, but for the code of a Close.
// Credentials are redacted as in spans, and of header fields only those are kept that are known to be none.
//
// For a vantage whose sessions begin in a ByteStream or an UnknownStream RecordedOpenings does all that.
//
// Nothing here opens a file: encoded bytes go to a Sink, whole records at a time. One thread at a time, as the
// Observation's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sockeye/capture/format.h"
#include "sockeye/observer/handshake.h"
#include "sockeye/observer/observation.h"

namespace sockeye::capture {

class Sink {
 public:
  virtual ~Sink() = default;
  // The next bytes of the file, in order. False: they could not be taken; the recording ends, and a last call may say
  // so (`truncated`), which must be taken.
  virtual bool write(std::string bytes, bool last) = 0;
  // The recording has come to its limit: what is written next is the last.
  virtual void limited() {}
};

struct RecordingOptions {
  bool payload = false;
  std::uint64_t limit = 64U << 20U;                                    // bytes of the file
  std::uint64_t most_fragments = 0, most_frame = 0, most_message = 0;  // what the carrier takes for too much; 0: none
};

// While it lives, the workspace makes the recorded session's identifiers.
class Identifiers {
 public:
  Identifiers() = default;
  Identifiers(base::Random& own, observer::Workspace& of);
  ~Identifiers();
  Identifiers(const Identifiers&) = delete;
  Identifiers& operator=(const Identifiers&) = delete;

 private:
  base::Random* own_ = nullptr;
  observer::Workspace* of_ = nullptr;
};

class Recording {
 public:
  // `seed`: of the session's identifiers, so that a replay gives the same.
  Recording(const RecordingOptions&, std::uint64_t seed);
  ~Recording();
  Recording(Recording&&) noexcept;
  Recording& operator=(Recording&&) noexcept;

  // Where it goes, before accepted() or, of an open session, observe().
  void to(std::unique_ptr<Sink>);
  // To be held while the Handshake is made, told its request, and accepted; or while the session is attached to.
  [[nodiscard]] Identifiers identifiers(observer::Workspace&);
  // At the same times as the Handshake is told, with the same heads.
  void requested(const observer::Endpoints&, base::Time first_byte, const model::HttpHead& request,
                 const observer::Options&, const observer::Call&);
  void passed_on(model::Anomaly);
  void reconnect_of(const base::SessionId&, model::ReconnectBasis);
  void accepted(const base::SessionId&, const model::HttpHead& response, const observer::Options&,
                const observer::Call&);
  // Of a session that was open before anything was seen of it, whose observation has just been made.
  void attached(const base::SessionId&, const observer::Endpoints&, const observer::Options&, const observer::Call&);
  // The Observation to go on with. Not to be given to observer::prefetch() or object_size(). `endpoints`: of a session
  // that is open already, whose recording begins here.
  [[nodiscard]] std::unique_ptr<observer::Observation> observe(std::unique_ptr<observer::Observation>,
                                                               const observer::Endpoints& endpoints,
                                                               const observer::Call&) &&;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sockeye::capture
