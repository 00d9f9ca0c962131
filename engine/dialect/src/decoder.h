// Framing inside messages that rules cannot express: a decoder turns what a peer sends into JSON documents, and the
// dialect's rules then read those like any other. One per session; both directions, each with a state of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/model/frame.h"

namespace sockeye::dialect {

// What a decoder writes and rules read. Kept per worker and reused: no allocation once it has grown. Every document is
// followed by room for simdjson's padding before it is read.
class Documents {
 public:
  struct Document {
    std::size_t begin = 0, size = 0;  // in text()
    std::uint64_t wire_bytes = 0;     // of the message(s) it was made from
  };
  // At most this many from one message, and this much text in all: what is past it is dropped and counted.
  static constexpr std::size_t most = 1024;
  static constexpr std::size_t most_text = 1U << 20U;

  void clear() {
    text_.clear();
    documents_.clear();
    dropped_ = 0;
    wrapping_ = Wrapping::none;
  }
  // A document: begin(), append to text(), finish().
  void begin() { begun_ = text_.size(); }
  [[nodiscard]] std::string& text() { return text_; }
  void finish(std::uint64_t wire_bytes);
  void abandon() { text_.resize(begun_); }
  // Between begin() and finish(), instead of it: there was a document, but it is past a bound.
  void drop() {
    abandon();
    ++dropped_;
  }
  // Whether so much more text is within most_text: ask before copying what a peer made long.
  [[nodiscard]] bool fits(std::size_t bytes) const {
    return text_.size() <= most_text && bytes <= most_text - text_.size();
  }

  [[nodiscard]] const std::vector<Document>& documents() const { return documents_; }
  [[nodiscard]] std::string_view operator[](const Document& d) const { return {text_.data() + d.begin, d.size}; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

  // What is round the documents may say something itself.
  enum class Wrapping : std::uint8_t { none, open, heartbeat, close };
  void said(Wrapping what) { wrapping_ = what; }
  [[nodiscard]] Wrapping said() const { return wrapping_; }

 private:
  std::string text_;
  std::vector<Document> documents_;
  std::size_t begun_ = 0;
  std::uint64_t dropped_ = 0;
  Wrapping wrapping_ = Wrapping::none;
};

// Appends `text` as a JSON string, quotes included: escapes what RFC 8259 §7 requires; bytes that are not well-formed
// UTF-8 become U+FFFD.
void append_json(std::string& out, std::string_view text);

class Decoder {
 public:
  virtual ~Decoder() = default;
  // A complete message, unmasked and inflated. Appends the documents it completes: none, one or several (a message of
  // a byte-stream protocol may end in the middle of a packet, or hold many). False: not in the protocol's form; the
  // decoder has let go of what it held and goes on with the next message where that makes sense. Bounded memory
  // whatever comes in. Payload bodies are not copied into documents unless rules may need them (JSON bodies are); a
  // JSON body is known to be one balanced value, no more: it cannot leave its place in the document, but may be
  // invalid. Documents may come with false: what was completed before the fault, and behind it where the protocol has
  // delimiters.
  virtual bool decode(model::Side from, model::Opcode opcode, base::Bytes plain, Documents& out) = 0;
  // Bytes it holds of what is not complete, and room it keeps for that.
  [[nodiscard]] virtual std::size_t held() const { return 0; }
};

inline constexpr char record_separator = '\x1e';

enum class Decode : std::uint8_t {
  json,            // the message is the document; a top-level array is a batch where the dialect says so
  content_length,  // likewise, or behind a Content-Length header (language servers), however cut into messages
  records,         // JSON documents that each end with 0x1e (SignalR)
  socket_io,       // Engine.IO 4 carrying Socket.IO 5 packets
  phoenix,         // text messages are documents, binary ones Phoenix's binary frames
  stomp,           // STOMP 1.2 frames
  mqtt,            // MQTT 3.1.1 and 5 control packets
  none             // binary or text that no rule looks into
};
// Null for json and none: there is nothing to decode.
[[nodiscard]] std::unique_ptr<Decoder> make_decoder(Decode);

// A text message may be a document as it is: nothing has to be decoded, or not always.
[[nodiscard]] constexpr bool plain_text(Decode decode) {
  return decode == Decode::json || decode == Decode::content_length || decode == Decode::phoenix;
}

}  // namespace sockeye::dialect
