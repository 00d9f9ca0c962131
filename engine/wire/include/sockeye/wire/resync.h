// Finds the frames of a stream again whose beginning was not seen, or a part of it.
//
// Theory of operation. A frame header is two bytes of which few values make sense, followed by a length that says where
// the next one must be. By chance a byte is a plausible header in one of 20 cases; a run of them by chance is not: each
// header of a run is evidence, and framing is taken for found when a run has `enough` of it. More weighs a header that
// begins where the sender's write began (a segment of the capture, but for the first, which may begin anywhere), and
// text that is UTF-8. A run of real headers may have begun by chance, with bytes that happened to lead to the first
// of them: what counts begins at the first header with such weight, or else at the third.
//
// What is held is bounded (most_held bytes, most_candidates runs); what falls out is lost, never miscounted: messages
// whose frames are not all in a found run are not reported.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/base/time.h"
#include "sockeye/model/frame.h"

namespace sockeye::wire {

class Resync {
 public:
  static constexpr std::size_t most_held = 256U << 10U;
  static constexpr std::size_t most_candidates = 64;
  static constexpr unsigned enough = 36;  // bits: one wrong find in some 10^6 streams of random bytes

  // `sender`: whose stream it is; none: masking will tell.
  explicit Resync(std::optional<model::Side> sender = std::nullopt) : sender_(sender) {}

  // The next bytes, as they came in one piece. True: found; nothing more is to be fed.
  bool feed(base::Bytes segment, base::Time now);
  // Bytes are missing here: what was held goes, the search starts over.
  void gap();

  // Once found: who masks so is the client, who does not the server.
  [[nodiscard]] model::Side sender() const { return found_.masked ? model::Side::client : model::Side::server; }
  // And what is held from the first frame of the run on, with when it came. Valid while this is.
  struct Chunk {
    base::Bytes bytes;
    base::Time at;
  };
  [[nodiscard]] std::vector<Chunk> held() const;
  // When the oldest bytes that are held came; none: there are none.
  [[nodiscard]] std::optional<base::Time> since() const {
    return buffer_.empty() ? std::nullopt : std::optional(segments_.front().at);
  }
  // Bytes that were fed and belong to no frame that was found.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  // Likewise when nothing more comes.
  [[nodiscard]] std::uint64_t unfound() const { return dropped_ + buffer_.size(); }

 private:
  struct Candidate {
    std::uint64_t begin = 0;  // of the first header that counts and is still held; offsets are of the stream
    std::uint64_t last = 0;   // of its last header
    std::uint64_t next = 0;   // where the next header must be
    unsigned evidence = 0;
    std::uint32_t headers = 0;
    std::uint32_t repeated = 0;  // empty frames in a row that nothing speaks for
    bool sure = false;           // of where it begins
    bool masked = false;
    enum class Message : std::uint8_t { unknown, none, open } message = Message::unknown;
  };
  enum class Look : std::uint8_t { more, no, yes };

  [[nodiscard]] std::uint64_t end() const { return base_ + buffer_.size(); }
  Look look(Candidate&) const;  // at the header at next
  [[nodiscard]] bool begins_segment(std::uint64_t offset) const;
  [[nodiscard]] unsigned segment_weight() const;
  // Follows a run as far as what is held goes; true: found.
  bool follow(Candidate&, bool& pending) const;
  void keep(const Candidate&);
  void trim();

  std::optional<model::Side> sender_;
  std::vector<base::Byte> buffer_;
  std::uint64_t base_ = 0;    // offset of buffer_[0]
  std::uint64_t origin_ = 0;  // where the search began
  std::uint64_t scanned_ = 0;
  struct Segment {
    std::uint64_t offset;
    base::Time at;
  };
  std::vector<Segment> segments_;
  std::vector<Candidate> pending_;
  Candidate found_;
  std::uint64_t dropped_ = 0;
};

}  // namespace sockeye::wire
