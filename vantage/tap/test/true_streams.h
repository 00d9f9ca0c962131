// What two peers truly sent, and a listener that holds what is handed on against it: each byte where it belongs, each
// gap as long as what is left out, nothing beyond the end, and calls only in an order that is allowed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "../src/reassembly.h"

namespace sockeye::tap::test {

class TrueStreams final : public StreamListener {
 public:
  // The byte that `side` sends at `position`.
  static base::Byte byte(model::Side side, std::uint64_t position) {
    const auto x = (position + (side == model::Side::server ? 7'919U : 0U)) * 0x9e3779b97f4a7c15ULL;
    return static_cast<base::Byte>(x >> 56U);
  }

  struct Direction {
    std::uint32_t first = 1;  // the sequence number of the first byte
    std::uint64_t size = 0;   // all that was sent
    std::uint64_t at = 0;     // how far it was handed on
    std::uint64_t bytes = 0;
    std::uint64_t gaps = 0;  // bytes
    bool begun = false;
    bool finished = false;
  };

  Direction& operator[](model::Side side) { return directions_[model::index(side)]; }
  bool fail_once(const std::string& why) {
    if (wrong_.empty()) wrong_ = why;
    return false;
  }
  [[nodiscard]] const std::string& wrong() const { return wrong_; }
  int open = 0;
  std::uint64_t opened_count = 0;
  std::map<Closed, int> ends;

  void opened(Stream& stream, base::Time) override {
    if (stream.context != nullptr) fail_once("a new stream has a context");
    stream.context = this;
    ++open;
    ++opened_count;
    for (auto& direction : directions_) direction.begun = direction.finished = false;
  }
  void bytes(Stream& stream, model::Side from, base::Bytes bytes, base::Time) override {
    auto& direction = reach(stream, from);
    if (bytes.empty()) fail_once("no bytes");
    for (const auto b : bytes) {
      if (direction.at >= direction.size) {
        fail_once("a byte beyond the end");
        return;
      }
      if (b != byte(from, direction.at++))
        fail_once("a byte that is not the one at " + std::to_string(direction.at - 1));
    }
    direction.bytes += bytes.size();
  }
  void gap(Stream& stream, model::Side from, std::uint64_t count, base::Time) override {
    auto& direction = reach(stream, from);
    if (count == 0) fail_once("a gap of nothing");
    direction.at += count;
    direction.gaps += count;
    if (direction.at > direction.size + 1) fail_once("a gap beyond the end");  // + 1: a FIN that was not captured
  }
  void finished(Stream& stream, model::Side from, Finish how, base::Time) override {
    auto& direction = reach(stream, from);
    if (how == Finish::fin && direction.at != direction.size) fail_once("finished at " + std::to_string(direction.at));
    direction.finished = true;
  }
  void closed(Stream& stream, Closed why, base::Time) override {
    if (stream.context != this) fail_once("closed twice");
    --open;
    ++ends[why];
  }

 private:
  Direction& reach(Stream& stream, model::Side from) {
    auto& direction = directions_[model::index(from)];
    if (stream.context != this) fail_once("a call about a stream that is not open");
    if (direction.finished) fail_once("a call behind the end");
    if (!direction.begun) {  // a stream seen from its middle starts where it says
      direction.begun = true;
      direction.at = stream.half(from).base - direction.first;
    }
    return direction;
  }

  Direction directions_[2];
  std::string wrong_;
};

}  // namespace sockeye::tap::test
