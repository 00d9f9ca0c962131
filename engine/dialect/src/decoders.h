// The decoders behind make_decoder(), one file each, and the JSON they share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "decoder.h"

namespace sockeye::dialect {

[[nodiscard]] std::unique_ptr<Decoder> make_records_decoder();
[[nodiscard]] std::unique_ptr<Decoder> make_socket_io_decoder();
[[nodiscard]] std::unique_ptr<Decoder> make_stomp_decoder();
[[nodiscard]] std::unique_ptr<Decoder> make_mqtt_decoder();
[[nodiscard]] std::unique_ptr<Decoder> make_content_length_decoder();
[[nodiscard]] std::unique_ptr<Decoder> make_phoenix_decoder();
// What is inside SockJS's frames goes to `inner`; null: each of its messages is a document.
[[nodiscard]] std::unique_ptr<Decoder> make_sockjs_decoder(std::unique_ptr<Decoder> inner);

// Most that is kept of a record or body that spans messages, in bytes, a side.
inline constexpr std::size_t most_held = 256U << 10U;

void append_number(std::string& out, std::uint64_t number);

// Whether `text` is framed as one JSON value, spaces around it aside: brackets balanced (by count, as simdjson skips),
// strings closed, no more behind its end, no backslash outside a string. What is inside may still be invalid, but such
// text cannot end the object it is put into, and so cannot add members to it.
[[nodiscard]] bool is_one_value(std::string_view text);

}  // namespace sockeye::dialect
