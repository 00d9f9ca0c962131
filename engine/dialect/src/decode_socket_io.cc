// Engine.IO 4 carrying Socket.IO 5 (what Socket.IO 3 and 4 speak); Socket.IO 2 (Engine.IO 3) differs in nothing that
// matters here. One WebSocket message is one Engine.IO packet; a Socket.IO packet with n binary attachments is followed
// by n binary messages and becomes one document when the last has come, its wire_bytes the sum of them all.
//
//   {"eio":"open|close|ping|pong|upgrade|noop","data":<the open packet's JSON>}
//   {"eio":"message","type":"connect|disconnect|event|ack|connect_error","ns":"/chat","ack":12,"event":"name",
//    "attachments":0,"data":<raw JSON as sent>}
//
// `ack` is absent when the packet has none, `event` when it is no event or its first element is no string of at most
// most_name bytes, `data` when there was none or when it is past what documents may hold (most_waiting with
// attachments). BINARY_EVENT and BINARY_ACK are event and ack with attachments > 0. `ns` is without a query (Socket.IO
// 2 puts credentials there). `data` comes last, and only if it is framed as one value.
//
// False: what the reference parser (socket.io-parser) refuses, data of the wrong kind included; what was half read is
// let go of then. A Socket.IO packet in the place of an attachment drops the packet that waited (counted), is decoded
// itself, and is false. Heartbeats may come between.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "decoders.h"

namespace sockeye::dialect {
namespace {

constexpr std::size_t most_waiting = 256U << 10U;      // of a document that waits for attachments, a side
constexpr std::size_t most_name = 1024;                // of a namespace, or of an event's name as JSON
constexpr std::size_t most_ack_digits = 15;            // JavaScript's integers end at 2^53
constexpr std::uint64_t most_attachments = 1U << 16U;  // only counted: what is refused are absurd promises

constexpr std::array<std::string_view, 7> engine_names{"open", "close", "ping", "pong", "message", "upgrade", "noop"};
constexpr std::array<std::string_view, 7> packet_names{"connect",       "disconnect", "event", "ack",
                                                       "connect_error", "event",      "ack"};
namespace packet {
enum Type : std::uint8_t { connect, disconnect, event, ack, connect_error, binary_event, binary_ack };
}

struct Packet {
  std::size_t type = packet::connect;
  std::uint64_t attachments = 0;
  std::string_view ns = "/";
  std::optional<std::uint64_t> id;
  std::string_view data;
};

// Takes a number from the front; none when there is no digit, or there are too many.
std::optional<std::uint64_t> take_number(std::string_view& text, std::size_t most_digits) {
  const std::size_t n = std::min(text.find_first_not_of("0123456789"), text.size());
  std::uint64_t value = 0;
  if (n == 0 || n > most_digits) return std::nullopt;
  std::from_chars(text.data(), text.data() + n, value);
  text.remove_prefix(n);
  return value;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// <type>[attachments-][namespace,][ackId][json]
bool parse(std::string_view text, Packet& p) {
  if (text.empty() || text[0] < '0' || text[0] > '6') return false;
  p.type = static_cast<std::size_t>(text[0] - '0');
  text.remove_prefix(1);
  if (p.type == packet::binary_event || p.type == packet::binary_ack) {
    const auto n = take_number(text, 9);
    if (!n || *n > most_attachments || !text.starts_with('-')) return false;
    p.attachments = *n;
    text.remove_prefix(1);
  }
  if (text.starts_with('/')) {
    const std::size_t end = text.find(',');
    p.ns = text.substr(0, end);
    if (p.ns.size() > most_name) return false;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    p.ns = p.ns.substr(0, p.ns.find('?'));
  }
  if (!text.empty() && is_digit(text[0])) {
    p.id = take_number(text, most_ack_digits);
    if (!p.id) return false;
  }
  p.data = text;
  switch (p.type) {
    case packet::connect:
      return text.empty() || text[0] == '{';
    case packet::disconnect:
      return text.empty();
    case packet::connect_error:
      return text.empty() || text[0] == '{' || text[0] == '"';
    default:
      return text.starts_with('[');
  }
}

// The first element of an event's array as the JSON string it is; empty when it is none.
std::string_view event_name(std::string_view data) {
  const std::size_t from = data.find_first_not_of(" \t\n\r", 1);
  if (from == std::string_view::npos || data[from] != '"') return {};
  const std::string_view text = data.substr(from, most_name);
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return text.substr(0, i + 1);
  }
  return {};
}

void write(std::string& to, const Packet& p, bool with_data) {
  to += R"({"eio":"message","type":")";
  to += packet_names[p.type];
  to += R"(","ns":)";
  append_json(to, p.ns);
  if (p.id) {
    to += R"(,"ack":)";
    append_number(to, *p.id);
  }
  if (const auto name = packet_names[p.type] == "event" ? event_name(p.data) : ""; !name.empty()) {
    to += R"(,"event":)";
    to += name;
  }
  to += R"(,"attachments":)";
  append_number(to, p.attachments);
  if (with_data) {
    to += R"(,"data":)";
    to += p.data;
  }
  to += '}';
}

class SocketIo final : public Decoder {
 public:
  bool decode(model::Side from, model::Opcode opcode, base::Bytes plain, Documents& out) override {
    Waiting& w = waiting_[model::index(from)];
    std::string_view text = base::as_text(plain);
    if (opcode == model::Opcode::binary || text.starts_with('b'))  // or in base64, where binary is not supported
      return attachment(w, text.size(), out);
    if (text.empty() || text[0] < '0' || text[0] > '6') {
      w.let_go(out);
      return false;
    }
    const auto kind = static_cast<std::size_t>(text[0] - '0');
    text.remove_prefix(1);
    return engine_names[kind] == "message" ? message(w, text, out) : engine(w, kind, text, out);
  }

 private:
  // A packet whose attachments have not all come.
  struct Waiting {
    std::string document;
    std::uint64_t attachments = 0;  // 0: none waits
    std::uint64_t wire_bytes = 0;

    bool let_go(Documents& out) {
      if (attachments == 0) return false;
      attachments = 0;
      out.begin();
      out.drop();
      return true;
    }
  };

  static bool engine(Waiting& w, std::size_t kind, std::string_view data, Documents& out) {
    const bool opens = engine_names[kind] == "open";  // what else carries data says "probe"
    if (opens && !(data.starts_with('{') && is_one_value(data))) {
      w.let_go(out);
      return false;
    }
    out.begin();
    std::string& to = out.text();
    to += R"({"eio":")";
    to += engine_names[kind];
    to += '"';
    if (opens && out.fits(data.size())) {
      to += R"(,"data":)";
      to += data;
    }
    to += '}';
    out.finish(1 + data.size());
    return true;
  }

  static bool message(Waiting& w, std::string_view text, Documents& out) {
    const bool interrupted = w.let_go(out);
    Packet p;
    if (!parse(text, p)) return false;
    const bool waits = p.attachments > 0;
    constexpr std::size_t around = 8 * most_name;  // what surrounds the data, with room to spare
    const bool with_data =
        !p.data.empty() && (waits ? p.data.size() + around <= most_waiting : out.fits(p.data.size() + around));
    if (with_data && !is_one_value(p.data)) return false;
    if (waits) {
      w.document.clear();
      write(w.document, p, with_data);
      w.attachments = p.attachments;
      w.wire_bytes = 1 + text.size();
    } else {
      out.begin();
      write(out.text(), p, with_data);
      out.finish(1 + text.size());
    }
    return !interrupted;
  }

  static bool attachment(Waiting& w, std::size_t size, Documents& out) {
    if (w.attachments == 0) return false;
    w.wire_bytes += size;
    if (--w.attachments > 0) return true;
    out.begin();
    if (out.fits(w.document.size())) {
      out.text() += w.document;
      out.finish(w.wire_bytes);
    } else {
      out.drop();
    }
    return true;
  }

  std::array<Waiting, 2> waiting_;
};

}  // namespace

std::unique_ptr<Decoder> make_socket_io_decoder() { return std::make_unique<SocketIo>(); }

}  // namespace sockeye::dialect
