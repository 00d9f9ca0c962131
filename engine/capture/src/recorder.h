// Events of one session on their way to the file: bounded, scrubbed, handed to the sink a few records at a time.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "scrubber.h"
#include "sockeye/base/random.h"
#include "sockeye/capture/recording.h"

namespace sockeye::capture {

class Recorder {
 public:
  Recorder(const RecordingOptions& options, std::uint64_t seed) : options_(options), random_(seed) {}

  void to(std::unique_ptr<Sink> sink) { sink_ = std::move(sink); }

  void begin(const Session&);
  void event(Event, const observer::Call&);
  // At the time of the one before.
  void event(Event);
  // `event.data` is what `event.side` sent.
  void bytes(Event, const observer::Call&);
  // So many bytes of the sender's are missing here: without payload, nothing that follows can be told from a header
  // unless they all lie inside a frame.
  void gap(model::Side, std::optional<std::uint64_t> bytes);
  // What the sender's next bytes begin with is a header, whatever came before.
  void frame(model::Side of) { scrubbers_[model::index(of)] = {}; }
  // What there is goes out, and nothing more comes.
  void finish();
  // The identifiers of this session, while its Observation is called.
  [[nodiscard]] base::Random& random() { return random_; }
  [[nodiscard]] const RecordingOptions& options() const { return options_; }

 private:
  void hand_over(bool last);
  void truncate();

  RecordingOptions options_;
  std::unique_ptr<Sink> sink_;
  Encoder encoder_;
  std::array<Scrubber, 2> scrubbers_;  // by sender
  std::vector<base::Byte> scratch_;
  base::Random random_;
  base::WallOffset wall_;
  base::Time handed_over_, last_;
  std::uint64_t written_ = 0;
  bool over_ = false;
};

}  // namespace sockeye::capture
