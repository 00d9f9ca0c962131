#include "load.h"

#include <cstring>
#include <string>

namespace sockeye::bench {
namespace {

template <class Id>
Id id_of(std::uint64_t high, std::uint64_t low) {
  Id out;
  std::memcpy(out.bytes.data(), &high, 8);
  if constexpr (sizeof(Id) == 16) std::memcpy(out.bytes.data() + 8, &low, 8);
  return out;
}

}  // namespace

std::uint64_t scrambled(std::uint64_t n) { return base::Random(n)() | 1U; }
base::TraceId trace_of(std::uint64_t span) {
  const std::uint64_t trace = span / spans_a_trace;
  return id_of<base::TraceId>(scrambled(trace), scrambled(trace + (1ULL << 40U)));
}
base::SessionId session_of(std::uint64_t span) {
  // As UUIDv7: the front ascends. A thousand sessions are open side by side.
  const std::uint64_t session = span / (spans_a_session * 1000) * 1000 + span / spans_a_trace % 1000;
  return id_of<base::SessionId>(__builtin_bswap64(session << 20U), scrambled(session + (1ULL << 41U)));
}

store::Batch Load::next(std::uint64_t count) {
  store::Batch out;
  const auto text = [&](std::string_view key, const std::string& value) {
    auto& to = out.attributes.emplace_back();
    to.key = key;
    to.value.type = store::Value::Type::text;
    to.value.text = out.keep(value);
  };
  const auto integer = [&](std::string_view key, std::uint64_t value) {
    auto& to = out.attributes.emplace_back();
    to.key = key;
    to.value.type = store::Value::Type::integer;
    to.value.integer = static_cast<std::int64_t>(value);
  };
  const auto real = [&](std::string_view key, double value) {
    auto& to = out.attributes.emplace_back();
    to.key = key;
    to.value.type = store::Value::Type::real;
    to.value.real = value;
  };
  for (std::uint64_t i = 0; i < 20; ++i) {
    const auto first = static_cast<std::uint32_t>(out.attributes.size());
    text("service.name", "service-" + std::to_string(i));
    text("service.version", "1.4.2");
    text("host.name", "node-" + std::to_string(i % 7) + ".example.internal");
    auto& origin = out.origins.emplace_back();
    origin.service = out.attributes[first].value.text;
    origin.resource = {first, 3};
    origin.scope_name = "sockeye";
  }
  for (std::uint64_t i = 0; i < count; ++i, ++made_) {
    const std::uint64_t n = made_;
    store::Span span;
    span.trace_id = trace_of(n);
    span.span_id = id_of<base::SpanId>(scrambled(n + (1ULL << 42U)), 0);
    if (n % spans_a_trace != 0)
      span.parent_id = id_of<base::SpanId>(scrambled(n / spans_a_trace * spans_a_trace + (1ULL << 42U)), 0);
    const std::uint64_t operation = random_() % operations_;
    span.origin = static_cast<std::uint32_t>(operation % 20);
    span.name = out.keep("operation/" + std::to_string(operation / 20));
    span.kind = 2;
    span.status = random_() % 100 == 0 ? 2 : 0;
    // Arrives when it ended; a few are of long sessions.
    const double length = random_() % 64 == 0 ? random_.unit() * 3600 : 0.005 / (random_.unit() + 0.001);
    span.end_unix_ns = day_begins + static_cast<std::uint64_t>(static_cast<double>(n) / static_cast<double>(total_) *
                                                               static_cast<double>(seconds_) * 1e9);
    span.start_unix_ns = span.end_unix_ns - static_cast<std::uint64_t>(length * 1e9);
    span.session = session_of(n);
    span.attributes.first = static_cast<std::uint32_t>(out.attributes.size());
    text("websocket.session.id", base::to_uuid(*span.session));
    text("network.protocol.name", "websocket");
    text("sockeye.route", "route-" + std::to_string(operation % 5));
    text("url.path", "/api/v1/stream");
    text("client.address", "10.1." + std::to_string(n / 40 % 200) + "." + std::to_string(n / 8000 % 200));
    integer("client.port", 1024 + n / 40 % 60'000);
    integer("websocket.invocation.number", n % spans_a_session);
    text("websocket.invocation.status", random_() % 50 == 0 ? "cancelled" : "ok");
    integer("websocket.invocation.request_bytes", random_() % 4096);
    real("websocket.time_to_first_chunk", length / 3);
    real("websocket.time_to_last_chunk", length);
    if (n % 100'003 == 17) {
      text("customer.tier", "rare-" + std::to_string(n / 100'003 % 4));
    } else {
      text("customer.tier", n % 3 == 0 ? "gold" : "free");
    }
    span.attributes.count = static_cast<std::uint32_t>(out.attributes.size()) - span.attributes.first;
    out.spans.push_back(span);
  }
  return out;
}

}  // namespace sockeye::bench
