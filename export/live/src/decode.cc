// Bytes to values. The bytes come from a peer that may be anybody: every list, text and number is bounded here, and a
// session must have its id, so that no message of two bytes can become a value of four hundred.
#include <limits>
#include <optional>
#include <protozero/pbf_reader.hpp>
#include <stdexcept>
#include <string_view>
#include <type_traits>

#include "fields.h"
#include "sockeye/base/utf8.h"
#include "sockeye/live/messages.h"
#include "sockeye/model/session.h"

namespace sockeye::live {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

// Ends a decoding; never leaves this file. `what` names the field.
struct Malformed {
  const char* what;
};

void expect(bool good, const char* what) {
  if (!good) throw Malformed{what};
}

// protozero asserts the wire type in debug builds only.
void expect_type(const pbf_reader& from, pbf_wire_type type, const char* what) {
  expect(from.wire_type() == type, what);
}

pbf_reader message(pbf_reader& from, const char* what) {
  expect_type(from, pbf_wire_type::length_delimited, what);
  return from.get_message();
}

std::string text(pbf_reader& from, const char* what) {
  expect_type(from, pbf_wire_type::length_delimited, what);
  const auto view = from.get_view();
  expect(view.size() <= longest_text, what);
  const std::string_view bytes(view.data(), view.size());
  expect(base::valid_utf8_prefix(bytes) == bytes.size(), what);
  return std::string(bytes);
}

template <class Id>
Id id_of(pbf_reader& from, const char* what) {
  expect_type(from, pbf_wire_type::length_delimited, what);
  const auto view = from.get_view();
  Id out;
  expect(view.size() == out.bytes.size(), what);
  std::copy_n(view.data(), view.size(), out.bytes.begin());
  return out;
}

template <class T = std::uint64_t>
T count(pbf_reader& from, const char* what, std::uint64_t most = std::numeric_limits<T>::max()) {
  expect_type(from, pbf_wire_type::varint, what);
  const std::uint64_t value = from.get_uint64();
  expect(value <= most, what);
  return static_cast<T>(value);
}

bool flag(pbf_reader& from, const char* what) { return count(from, what, 1) == 1; }

std::uint64_t time(pbf_reader& from, const char* what) {
  expect_type(from, pbf_wire_type::fixed64, what);
  return from.get_fixed64();
}

template <class T>
T& more(std::vector<T>& list, std::size_t most, const char* what) {
  expect(list.size() < most, what);
  return list.emplace_back();
}

Hello read_hello(pbf_reader from) {
  using namespace hello_field;
  Hello out;
  out.version = 0;
  while (from.next()) {
    switch (from.tag()) {
      case version:
        out.version = count<std::uint32_t>(from, "hello.version");
        break;
      case instance:
        out.instance = text(from, "hello.instance");
        break;
      case service:
        out.service = text(from, "hello.service");
        break;
      case host:
        out.host = text(from, "hello.host");
        break;
      case sockeye_version:
        out.sockeye_version = text(from, "hello.sockeye_version");
        break;
      case started_unix_ns:
        out.started_unix_ns = time(from, "hello.started_unix_ns");
        break;
      case open_sessions:
        out.open_sessions = count(from, "hello.open_sessions");
        break;
      default:
        from.skip();
    }
  }
  expect(out.version != 0, "hello.version");
  return out;
}

void read(pbf_reader from, model::SessionFacts& out) {
  using namespace opened_field;
  while (from.next()) {
    switch (from.tag()) {
      case id:
        out.id = id_of<base::SessionId>(from, "opened.id");
        break;
      case route:
        out.route = text(from, "opened.route");
        break;
      case client:
        out.client = text(from, "opened.client");
        break;
      case target:
        out.target = text(from, "opened.target");
        break;
      case host:
        out.host = text(from, "opened.host");
        break;
      case opened_field::subprotocol:
        out.subprotocol = text(from, "opened.subprotocol");
        break;
      case extensions:
        out.extensions = text(from, "opened.extensions");
        break;
      case server:
        out.server = text(from, "opened.server");
        break;
      case trace_id:
        out.trace_id = id_of<base::TraceId>(from, "opened.trace_id");
        break;
      case opened_unix_ns:
        out.opened_unix_ns = time(from, "opened.opened_unix_ns");
        break;
      case reconnect_of:
        out.reconnect_of = id_of<base::SessionId>(from, "opened.reconnect_of");
        break;
      default:
        from.skip();
    }
  }
  expect(!out.id.is_zero(), "opened.id");
}

void read(pbf_reader from, model::SessionUpdate& out) {
  using namespace changed_field;
  auto& figures = out.figures;
  while (from.next()) {
    const Tag tag = from.tag();
    switch (tag) {
      case id:
        out.id = id_of<base::SessionId>(from, "changed.id");
        break;
      case state:
        figures.state = static_cast<model::SessionState>(
            count<std::uint8_t>(from, "changed.state", static_cast<std::uint8_t>(model::SessionState::closed)));
        break;
      case dialect:
        figures.dialect = text(from, "changed.dialect");
        break;
      case messages:
      case messages + 1:
        figures.messages[tag - messages] = count(from, "changed.messages");
        break;
      case bytes:
      case bytes + 1:
        figures.bytes[tag - bytes] = count(from, "changed.bytes");
        break;
      case rtt_ns:
      case rtt_ns + 1:
        figures.rtt_ns[tag - rtt_ns] = count(from, "changed.rtt_ns");
        break;
      case buffered_bytes:
      case buffered_bytes + 1:
        figures.buffered_bytes[tag - buffered_bytes] = count(from, "changed.buffered_bytes");
        break;
      case misses:
      case misses + 1:
        figures.misses[tag - misses] = count<std::uint32_t>(from, "changed.misses");
        break;
      case missed_total:
        figures.missed_total = count(from, "changed.missed_total");
        break;
      case anomalies:
        figures.anomalies = count(from, "changed.anomalies");
        break;
      case invocations_open:
        figures.invocations_open = count<std::uint32_t>(from, "changed.invocations_open");
        break;
      case last_message_unix_ns:
      case last_message_unix_ns + 1:
        figures.last_message_unix_ns[tag - last_message_unix_ns] = time(from, "changed.last_message_unix_ns");
        break;
      default:
        from.skip();
    }
  }
  expect(!out.id.is_zero(), "changed.id");
}

void read(pbf_reader from, Recorded& out) {
  using namespace recorded_field;
  while (from.next()) {
    switch (from.tag()) {
      case time_unix_ns:
        out.time_unix_ns = time(from, "recorded.time_unix_ns");
        break;
      case length:
        out.length = count(from, "recorded.length");
        break;
      case side:
        out.side = count<std::uint8_t>(from, "recorded.side", 1);
        break;
      case opcode:
        out.opcode = count<std::uint8_t>(from, "recorded.opcode", 15);
        break;
      case compressed:
        out.compressed = flag(from, "recorded.compressed");
        break;
      case injected:
        out.injected = flag(from, "recorded.injected");
        break;
      case answered:
        out.answered = flag(from, "recorded.answered");
        break;
      default:
        from.skip();
    }
  }
}

void read(pbf_reader from, Ended& out) {
  using namespace ended_field;
  while (from.next()) {
    switch (from.tag()) {
      case last:
        out.last = {};
        read(message(from, "ended.last"), out.last);
        break;
      case ended_unix_ns:
        out.end.unix_ns = time(from, "ended.ended_unix_ns");
        break;
      case code:
        out.end.code = count<std::uint16_t>(from, "ended.code");
        break;
      case why:
        out.end.why = text(from, "ended.why");
        break;
      case initiator:
        out.end.initiator = text(from, "ended.initiator");
        break;
      case reason:
        out.end.reason = text(from, "ended.reason");
        break;
      case recorder:
        read(message(from, "ended.recorder"), more(out.recorder, most_recorded, "ended.recorder"));
        break;
      default:
        from.skip();
    }
  }
  expect(!out.last.id.is_zero(), "ended.last");
}

void read(pbf_reader from, Summary& out) {
  using namespace summary_field;
  while (from.next()) {
    const Tag tag = from.tag();
    switch (tag) {
      case route:
        out.route = text(from, "summary.route");
        break;
      case active:
        out.active = count(from, "summary.active");
        break;
      case accepted_total:
        out.accepted_total = count(from, "summary.accepted_total");
        break;
      case rejected_total:
        out.rejected_total = count(from, "summary.rejected_total");
        break;
      case closed_total:
        out.closed_total = count(from, "summary.closed_total");
        break;
      case reconnects_total:
        out.reconnects_total = count(from, "summary.reconnects_total");
        break;
      case missed_total:
        out.missed_total = count(from, "summary.missed_total");
        break;
      case messages_total:
      case messages_total + 1:
        out.messages_total[tag - messages_total] = count(from, "summary.messages_total");
        break;
      case bytes_total:
      case bytes_total + 1:
        out.bytes_total[tag - bytes_total] = count(from, "summary.bytes_total");
        break;
      case missing_pongs:
        out.missing_pongs = count(from, "summary.missing_pongs");
        break;
      case buffered_sessions:
        out.buffered_sessions = count(from, "summary.buffered_sessions");
        break;
      case buffered_bytes:
        out.buffered_bytes = count(from, "summary.buffered_bytes");
        break;
      case invocations_open:
        out.invocations_open = count(from, "summary.invocations_open");
        break;
      case rtt_p50_ns:
      case rtt_p50_ns + 1:
        out.rtt_p50_ns[tag - rtt_p50_ns] = count(from, "summary.rtt_p50_ns");
        break;
      case rtt_p99_ns:
      case rtt_p99_ns + 1:
        out.rtt_p99_ns[tag - rtt_p99_ns] = count(from, "summary.rtt_p99_ns");
        break;
      default:
        from.skip();
    }
  }
  expect(!out.route.empty(), "summary.route");
}

void read(pbf_reader from, OpenCall& out) {
  using namespace call_field;
  while (from.next()) {
    switch (from.tag()) {
      case number:
        out.number = count(from, "call.number");
        break;
      case operation:
        out.operation = text(from, "call.operation");
        break;
      case opened_by:
        out.opened_by = count<std::uint8_t>(from, "call.opened_by", 1);
        break;
      case opened_unix_ns:
        out.opened_unix_ns = time(from, "call.opened_unix_ns");
        break;
      case first_chunk_unix_ns:
        out.first_chunk_unix_ns = time(from, "call.first_chunk_unix_ns");
        break;
      case last_chunk_unix_ns:
        out.last_chunk_unix_ns = time(from, "call.last_chunk_unix_ns");
        break;
      case chunks:
        out.chunks = count(from, "call.chunks");
        break;
      case trace_id:
        out.trace_id = id_of<base::TraceId>(from, "call.trace_id");
        break;
      default:
        from.skip();
    }
  }
}

void read(pbf_reader from, Detail& out) {
  using namespace detail_field;
  while (from.next()) {
    switch (from.tag()) {
      case id:
        out.id = id_of<base::SessionId>(from, "detail.id");
        break;
      case recorder:
        read(message(from, "detail.recorder"), more(out.recorder, most_recorded, "detail.recorder"));
        break;
      case calls:
        read(message(from, "detail.calls"), more(out.calls, most_calls, "detail.calls"));
        break;
      default:
        from.skip();
    }
  }
  expect(!out.id.is_zero(), "detail.id");
}

void read(pbf_reader from, Report& out) {
  using namespace report_field;
  while (from.next()) {
    switch (from.tag()) {
      case time_unix_ns:
        out.time_unix_ns = time(from, "time_unix_ns");
        break;
      case hello:
        out.hello = read_hello(message(from, "hello"));
        break;
      case opened:
        read(message(from, "opened"), more(out.opened, most_items, "opened"));
        break;
      case changed:
        read(message(from, "changed"), more(out.changed, most_items, "changed"));
        break;
      case ended:
        read(message(from, "ended"), more(out.ended, most_items, "ended"));
        break;
      case summaries:
        read(message(from, "summaries"), more(out.summaries, most_items, "summaries"));
        break;
      case details:
        read(message(from, "details"), more(out.details, most_watched, "details"));
        break;
      case all_told:
        out.all_told = flag(from, "all_told");
        break;
      default:
        from.skip();
    }
  }
}

void read(pbf_reader from, Ask& out) {
  while (from.next()) {
    if (from.tag() != ask_field::watch) {
      from.skip();
      continue;
    }
    auto& watched = more(out.watch, most_watched, "watch");
    watched = id_of<base::SessionId>(from, "watch");
    expect(!watched.is_zero(), "watch");
  }
}

void read(pbf_reader from, std::vector<Recorded>& out) {
  while (from.next()) {
    if (from.tag() != recorder_field::messages) {
      from.skip();
      continue;
    }
    read(message(from, "messages"), more(out, most_recorded, "messages"));
  }
}

// `what`: the message's name in errors.
template <class T>
base::Result<T> decode(base::Bytes bytes, const std::string& what) {
  if (bytes.size() > largest_message)
    return base::fail(what + ": " + std::to_string(bytes.size()) + " bytes; at most " +
                      std::to_string(largest_message) + " are taken");
  try {
    T out;
    read(pbf_reader(reinterpret_cast<const char*>(bytes.data()), bytes.size()), out);
    return out;
  } catch (const Malformed& fault) {
    return base::fail(what + ": " + fault.what + " is missing, malformed or out of range");
  } catch (const std::exception& fault) {
    return base::fail(what + ": malformed protobuf: " + fault.what());
  }
}

}  // namespace

base::Result<Report> decode_report(base::Bytes bytes) { return decode<Report>(bytes, "live report"); }
base::Result<Ask> decode_ask(base::Bytes bytes) { return decode<Ask>(bytes, "live ask"); }
base::Result<std::vector<Recorded>> decode_recorder(base::Bytes bytes) {
  return decode<std::vector<Recorded>>(bytes, "flight recorder");
}

}  // namespace sockeye::live
