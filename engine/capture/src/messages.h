// The data messages in what one peer sent, put together and inflated, bounded.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "sockeye/wire/extensions.h"
#include "sockeye/wire/frame_parser.h"
#include "sockeye/wire/inflate.h"
#include "sockeye/wire/resync.h"

namespace sockeye::capture {

struct Message {
  model::Opcode opcode{};
  std::uint64_t length = 0;  // payload bytes on the wire
  std::string data;
  bool whole = true;  // `data` is all of it, as its sender had it
};

class Messages {
 public:
  // `limit`: bytes kept of one message.
  Messages(model::Side sender, const wire::Extensions& extensions, std::uint64_t limit)
      : sender_(sender),
        parser_({.sender = sender, .deflate = extensions.deflate, .judge_reserved = !extensions.other}),
        limit_(limit) {
    const auto& p = extensions.parameters;
    const bool client = sender == model::Side::client;
    if (extensions.deflate)
      inflater_.emplace(client ? p.client_max_window_bits : p.server_max_window_bits,
                        client ? p.client_no_context_takeover : p.server_no_context_takeover, longest_inflated);
  }

  // `take` gets each message as it is complete, and when.
  template <class Take>
  void feed(base::Bytes in, base::Time now, const Take& take) {
    if (!resync_) return walk(in, now, take);
    if (in.empty() || !resync_->feed(in, now)) return;
    const auto found = std::move(resync_);
    this->found();
    for (const auto& [held, at] : found->held()) walk(held, at, take);
  }
  // So many bytes are missing here; none: nobody knows how many.
  template <class Take>
  void gap(std::optional<std::uint64_t> bytes, base::Time now, const Take& take) {
    lose_context();
    if (resync_) return resync_->gap();
    wire::Piece piece;
    if (!bytes || !parser_.skip(*bytes, piece)) return lose();
    if (piece.message_done) complete(now, take);
  }
  // Where the next frame begins is not known; and is known again.
  void lose() {
    lose_context();
    resync_ = std::make_unique<wire::Resync>(sender_);
  }
  void found() {
    resync_.reset();
    parser_.resume();
  }
  [[nodiscard]] bool lost() const { return resync_ != nullptr; }

 private:
  static constexpr std::uint64_t longest_inflated = 1ULL << 30U;  // of one message, looked through but not kept

  template <class Take>
  void walk(base::Bytes in, base::Time now, const Take& take) {
    while (!in.empty()) {
      const wire::Piece piece = parser_.next(in);
      in = in.subspan(piece.used);
      if (piece.kind != wire::Piece::Kind::data || !parser_.in_message_frame()) continue;
      if (piece.starts && parser_.header().opcode != model::Opcode::continuation) begin();
      add(piece);
      if (piece.message_done) complete(now, take);
    }
  }
  template <class Take>
  void complete(base::Time now, const Take& take) {
    message_.length = parser_.message_length();
    take(std::exchange(message_, {}), now);
  }
  void begin() {
    message_ = {};
    message_.opcode = parser_.message_opcode();
    legible_ = true;
  }
  // What compressed messages refer back to was not seen, nor the rest of the message under way.
  void lose_context() {
    if (inflater_) inflater_->lose_context();
    message_.whole = false;
    legible_ = legible_ && !parser_.message_compressed();
  }
  // Of the message under way nothing more can be had.
  void illegible() {
    message_.whole = false;
    legible_ = false;
  }
  void keep(base::Bytes bytes) {
    const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(limit_ - message_.data.size(), bytes.size()));
    message_.data += base::as_text(bytes.first(room));
    message_.whole = message_.whole && room == bytes.size();
  }
  void add(const wire::Piece& piece) {
    const model::FrameHeader& header = parser_.header();
    const bool compressed = parser_.message_compressed();
    // A reserved bit beside permessage-deflate's: what an extension made of the message that is not known here.
    const bool starts = header.opcode != model::Opcode::continuation;
    if ((header.rsv & ~(compressed && starts ? 4U : 0U)) != 0) {
      message_.data.clear();
      illegible();
    }
    if (!legible_) {
      message_.whole = false;
      return;
    }
    if (!compressed) {
      std::string plain(piece.payload.size(), '\0');
      wire::unmask(piece.payload, header.mask, piece.offset, reinterpret_cast<base::Byte*>(plain.data()));
      return keep(base::as_bytes(plain));
    }
    const auto output = [](void* self, base::Bytes bytes) {
      static_cast<Messages*>(self)->keep(bytes);
      return true;
    };
    if (!inflater_) return illegible();
    auto result = inflater_->feed(piece.payload, header.mask, piece.offset, output, this);
    if (result == wire::Inflater::Result::ok && piece.message_done) result = inflater_->end(output, this);
    if (result == wire::Inflater::Result::ok) return;
    illegible();
    if (result != wire::Inflater::Result::unknown)
      return inflater_.reset();  // what the next ones refer to is not known
    message_.data.clear();
    inflater_->lose_context();  // the next one may refer to nothing before itself
  }

  model::Side sender_;
  wire::FrameParser parser_;
  std::unique_ptr<wire::Resync> resync_;  // where the next frame begins is not known; null: it is
  std::optional<wire::Inflater> inflater_;
  std::uint64_t limit_;
  Message message_;
  bool legible_ = true;  // the message under way, so far
};

}  // namespace sockeye::capture
