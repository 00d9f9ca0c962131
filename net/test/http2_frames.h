// HTTP/2 by hand: frames a client might send, well-behaved or not, and what a server's frames say.
#pragma once

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sockeye::net::test {

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::uint8_t data_frame = 0, headers_frame = 1, priority_frame = 2, reset_frame = 3, settings_frame = 4,
                       ping_frame = 6, goaway_frame = 7, window_frame = 8, continuation_frame = 9;
constexpr std::uint8_t end_stream = 1, end_headers = 4, ack = 1;

inline std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out += static_cast<char>(value >> static_cast<unsigned>(shift));
  return out;
}

inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload = {}) {
  std::string out = big_endian(payload.size(), 3);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  return (out += big_endian(stream, 4)).append(payload);
}

// Literals without indexing (RFC 7541 §6.2.2), so that blocks stand on their own.
inline std::string block(const std::vector<std::pair<std::string, std::string>>& fields) {
  const auto text = [](const std::string& s) {
    std::string out;
    if (s.size() < 127) return std::string(1, static_cast<char>(s.size())) + s;
    out += '\x7f';
    std::size_t rest = s.size() - 127;
    for (; rest >= 128; rest >>= 7U) out += static_cast<char>(128 | (rest & 127U));
    return out + static_cast<char>(rest) + s;
  };
  std::string out;
  for (const auto& [name, value] : fields) out += '\0' + text(name) + text(value);
  return out;
}

using FieldList = std::vector<std::pair<std::string, std::string>>;
inline FieldList call_fields(const std::string& path = "/shop.Cart/Add", const FieldList& more = {}) {
  FieldList out{{":method", "POST"}, {":scheme", "http"}, {":path", path},
                {":authority", "x"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

inline std::string message(std::string_view text, bool compressed = false) {
  return (std::string(1, compressed ? '\1' : '\0') + big_endian(text.size(), 4)).append(text);
}

inline std::string opening() { return std::string(preface) + frame(settings_frame, 0, 0); }
inline std::string call_head(std::uint32_t stream, const FieldList& fields = call_fields()) {
  return frame(headers_frame, end_headers, stream, block(fields));
}
inline std::string call(std::uint32_t stream, std::string_view text, const FieldList& fields = call_fields()) {
  return call_head(stream, fields) + frame(data_frame, end_stream, stream, message(text));
}

// What a server said.
class HeardFrames {
 public:
  struct Stream {
    std::map<std::string, std::string> fields;  // trailers among them
    std::string data;
    bool ended = false;
    int reset = -1;  // error code
  };
  HeardFrames() { nghttp2_hd_inflate_new(&inflater_); }
  ~HeardFrames() { nghttp2_hd_inflate_del(inflater_); }
  HeardFrames(const HeardFrames&) = delete;
  HeardFrames& operator=(const HeardFrames&) = delete;

  void hear(std::string_view bytes) {
    rest_ += bytes;
    while (rest_.size() >= 9) {
      const std::size_t length = number(0, 3);
      if (rest_.size() < 9 + length) return;
      one(static_cast<std::uint8_t>(rest_[3]), static_cast<std::uint8_t>(rest_[4]),
          static_cast<std::uint32_t>(number(5, 4)), rest_.substr(9, length));
      rest_.erase(0, 9 + length);
    }
  }
  [[nodiscard]] std::string status(std::uint32_t stream) { return streams[stream].fields["grpc-status"]; }

  std::map<std::uint32_t, Stream> streams;
  int goaway = -1;  // error code
  std::size_t pongs = 0;

 private:
  [[nodiscard]] std::size_t number(std::size_t at, std::size_t bytes) const {
    std::size_t out = 0;
    for (std::size_t i = 0; i < bytes; ++i) out = out << 8U | static_cast<unsigned char>(rest_[at + i]);
    return out;
  }
  void one(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string payload) {
    const auto code = [&](std::size_t at) { return static_cast<int>(number(9 + at, 4)); };
    if (type == data_frame) streams[stream].data += payload;
    if (type == headers_frame) inflate(streams[stream], std::move(payload));
    if ((type == data_frame || type == headers_frame) && (flags & end_stream) != 0) streams[stream].ended = true;
    if (type == reset_frame) streams[stream].reset = code(0);
    if (type == goaway_frame) goaway = code(4);
    if (type == ping_frame && (flags & ack) != 0) ++pongs;
  }
  void inflate(Stream& stream, std::string payload) {
    auto* at = reinterpret_cast<std::uint8_t*>(payload.data());
    std::size_t left = payload.size();
    for (;;) {
      nghttp2_nv field;
      int flags = 0;
      const auto n = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, 1);
      if (n < 0) return;
      at += n;
      left -= static_cast<std::size_t>(n);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
        stream.fields[{reinterpret_cast<char*>(field.name), field.namelen}] = {reinterpret_cast<char*>(field.value),
                                                                               field.valuelen};
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && left == 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
  }

  nghttp2_hd_inflater* inflater_ = nullptr;
  std::string rest_;
};

}  // namespace sockeye::net::test
