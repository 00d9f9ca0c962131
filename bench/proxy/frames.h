// What a client of the bench sends, masked and laid out before anything is timed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace sockeye::bench {

// The sender's bytes: one frame repeated, so that what is owed leaves with one send.
struct Frames {
  std::vector<std::uint8_t> bytes;
  std::vector<std::uint8_t> payload;
  std::size_t frame = 0;
  std::size_t count = 0;

  Frames(std::size_t size, bool text, bool media, std::size_t at_once, std::size_t most_bytes) : payload(size) {
    for (std::size_t i = 0; i < size; ++i) {
      payload[i] =
          text ? static_cast<std::uint8_t>('a' + i % 26) : static_cast<std::uint8_t>((i * 131U + (i >> 8U)) & 0xffU);
    }
    if (media) {
      // A Twilio media message whose audio fills it up; either side sends them.
      const std::string_view head =
          R"({"event":"media","streamSid":"MZ18ad3ab5a668481ce02b83e7395059f0","media":{"payload":")";
      const std::string_view tail = R"("}})";
      if (size < head.size() + tail.size()) throw std::invalid_argument("--media takes at least 100 bytes");
      std::copy(head.begin(), head.end(), payload.begin());
      std::copy(tail.begin(), tail.end(), payload.end() - static_cast<std::ptrdiff_t>(tail.size()));
    }
    // A zero key leaves payload as it is; text is masked as browsers do, so that whoever validates it must unmask.
    const std::uint8_t key[4] = {std::uint8_t(text ? 0x5a : 0), std::uint8_t(text ? 0xc3 : 0),
                                 std::uint8_t(text ? 0x17 : 0), std::uint8_t(text ? 0x88 : 0)};
    std::vector<std::uint8_t> one{static_cast<std::uint8_t>(text ? 0x81 : 0x82)};
    if (size < 126) {
      one.push_back(static_cast<std::uint8_t>(0x80U | size));
    } else {
      const int width = size < 65536 ? 2 : 8;
      one.push_back(width == 2 ? 0xfe : 0xff);
      for (int i = width - 1; i >= 0; --i)
        one.push_back(static_cast<std::uint8_t>((size >> (8U * unsigned(i))) & 0xffU));
    }
    one.insert(one.end(), key, key + 4);
    for (std::size_t i = 0; i < size; ++i) one.push_back(payload[i] ^ key[i & 3U]);
    frame = one.size();
    count = std::clamp<std::size_t>(most_bytes / frame, 1, std::max<std::size_t>(at_once, 1));
    for (std::size_t i = 0; i < count; ++i) bytes.insert(bytes.end(), one.begin(), one.end());
  }
};

}  // namespace sockeye::bench
