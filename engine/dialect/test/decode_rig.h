// Feeds decoders and compares: whole, at every message boundary, and split at every byte.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../src/decoder.h"

namespace sockeye::dialect::test {

using namespace std::string_literals;
using namespace std::string_view_literals;
using model::Opcode;
using model::Side;

struct Decoded {
  std::vector<std::string> documents{};
  std::vector<std::uint64_t> wire_bytes{};
  bool good = true;  // of all messages
  std::uint64_t dropped = 0;
  friend bool operator==(const Decoded&, const Decoded&) = default;
};

class DecodeSession {
 public:
  explicit DecodeSession(Decode decode, Opcode opcode = Opcode::text)
      : decoder_(make_decoder(decode)), opcode_(opcode) {}

  bool feed(std::string_view message, Side from = Side::client) { return feed(message, from, opcode_); }
  bool feed(std::string_view message, Side from, Opcode opcode) {
    last_.clear();
    const bool good = decoder_->decode(from, opcode, base::as_bytes(message), last_);
    for (const auto& d : last_.documents()) {
      all_.documents.emplace_back(last_[d]);
      all_.wire_bytes.push_back(d.wire_bytes);
    }
    all_.good = all_.good && good;
    all_.dropped += last_.dropped();
    return good;
  }
  // The documents of this message.
  std::vector<std::string> operator()(std::string_view message, Side from = Side::client) {
    const std::size_t before = all_.documents.size();
    feed(message, from);
    return {all_.documents.begin() + static_cast<std::ptrdiff_t>(before), all_.documents.end()};
  }
  [[nodiscard]] const Decoded& all() const { return all_; }

 private:
  std::unique_ptr<Decoder> decoder_;
  Opcode opcode_;
  Documents last_;
  Decoded all_;
};

inline Decoded decode(Decode kind, Opcode opcode, std::initializer_list<std::string_view> messages,
                      Side from = Side::client) {
  DecodeSession session(kind, opcode);
  for (const auto message : messages) session.feed(message, from);
  return session.all();
}

// The stream in one message, in two at every place, and a byte at a time: all the same, documents that are `aside`
// apart.
inline Decoded decode_stream(Decode kind, Opcode opcode, std::string_view stream, Side from = Side::client,
                             std::string_view aside = {}) {
  const auto without = [&](Decoded all) {
    for (std::size_t i = all.documents.size(); i-- > 0;) {
      if (all.documents[i] != aside) continue;
      all.documents.erase(all.documents.begin() + static_cast<std::ptrdiff_t>(i));
      all.wire_bytes.erase(all.wire_bytes.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return all;
  };
  const Decoded whole = without(decode(kind, opcode, {stream}, from));
  for (std::size_t cut = 1; cut < stream.size(); ++cut)
    EXPECT_EQ(whole, without(decode(kind, opcode, {stream.substr(0, cut), stream.substr(cut)}, from)))
        << "cut at " << cut;
  DecodeSession bytes(kind, opcode);
  for (std::size_t i = 0; i < stream.size(); ++i) bytes.feed(stream.substr(i, 1), from);
  EXPECT_EQ(whole, without(bytes.all())) << "byte by byte";
  return whole;
}

inline void PrintTo(const Decoded& d, std::ostream* os) {
  *os << (d.good ? "good" : "BAD") << ", dropped " << d.dropped;
  for (std::size_t i = 0; i < d.documents.size(); ++i)
    *os << "\n  " << d.wire_bytes[i] << " " << d.documents[i].substr(0, 300);
}

using Texts = std::vector<std::string>;

}  // namespace sockeye::dialect::test
