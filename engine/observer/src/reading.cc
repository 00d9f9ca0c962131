#include "reading.h"

#include <algorithm>
#include <string>

#include "sockeye/wire/frame_parser.h"

namespace sockeye::observer {

using base::Bytes;
using base::Time;
using model::Invocation;
using model::Opcode;
using model::Side;

namespace {

constexpr std::size_t kept_capacity = 2048;  // bytes an assembly buffer may keep between messages
constexpr std::size_t padding = 64;
constexpr std::size_t first_bytes = 2048;  // what is kept of a message that is too long: more than a session looks at

// Hears nothing: of a session that begins.
class Silence final : public dialect::Listener {
  void opened(Invocation&) override {}
  void chunk(const Invocation&, std::optional<base::Duration>) override {}
  void ended(Invocation&&) override {}
  void media(Side, std::string_view, std::uint64_t, Time) override {}
  void beat(Side, std::string_view, std::optional<base::Duration>, Time) override {}
  void session_attribute(std::string_view, const model::AttributeValue&) override {}
  void event(std::string_view, Side, Time) override {}
  void error(Side, std::string_view, Time) override {}
  void dialect_error(dialect::DialectError, Side, std::uint64_t, Time) override {}
};

}  // namespace

struct Reading::KeptHandshake {
  std::string path, query, subprotocol;
  std::vector<std::pair<std::string, std::string>> fields;
};

Reading::Reading(Time now) : decision_{.program = dialect::none()} { state_.begun = now; }
Reading::~Reading() = default;

std::unique_ptr<Reading> Reading::of(const Options& options, const dialect::HandshakeView& handshake,
                                     const Call& call) {
  using Mode = DialectOptions::Mode;
  if (options.dialect.mode == Mode::none) return nullptr;
  std::unique_ptr<Reading> reading(new Reading(call.now));
  if (options.dialect.mode == Mode::fixed) {
    reading->decision_ = {options.dialect.program, dialect::Basis::configured};
  } else {
    reading->detector_.emplace(options.dialect.known ? *options.dialect.known : dialect::built_in(), handshake,
                               bench_of(call.workspace).workspace);
    reading->decision_ = reading->detector_->decision();
    if (reading->decision_.program == dialect::none() && !reading->detector_->open()) return nullptr;
  }
  if (reading->decision_.program != dialect::none()) {
    reading->detector_.reset();
    Silence silence;
    reading->start_session(handshake, silence, call);
    return reading;
  }
  auto kept = std::make_unique<KeptHandshake>();
  kept->path = handshake.path;
  kept->query = handshake.query;
  kept->subprotocol = handshake.subprotocol;
  if (handshake.head != nullptr)
    for (const model::HttpField& field : handshake.head->fields)
      if (reading->detector_->reads_header(field.name)) kept->fields.emplace_back(field.name, field.value);
  reading->handshake_ = std::move(kept);
  return reading;
}

void Reading::start_session(const dialect::HandshakeView& handshake, dialect::Listener& listener, const Call& call) {
  session_.emplace(decision_.program, handshake, dialect::Limits{}, bench_of(call.workspace).workspace, listener,
                   call.workspace.random(), detector_ ? detector_->begun() : nullptr);
}

void Reading::lend(dialect::Listener& listener, const Call& call) {
  session_->lend(bench_of(call.workspace).workspace, listener);
  if (metrics_ == &call.metrics) return;
  // Another thread's shard: what is open goes on being counted there, under its name's row there.
  if (metrics_ != nullptr)
    session_->for_each_open(
        [](void* context, Invocation& invocation) {
          invocation.operation_row =
              static_cast<const Call*>(context)->metrics.operations.index_of(invocation.operation);
        },
        const_cast<Call*>(&call));
  metrics_ = &call.metrics;
}

// --- messages ----------------------------------------------------------------------------------------------------

bool Reading::reads(Side from, Opcode opcode, std::optional<base::Byte> first, std::uint64_t size) const {
  return session_ ? session_->wants(from, opcode) : detector_ && detector_->cares(opcode, first, size);
}

Bytes Reading::whole(Side from, Opcode opcode, Bytes payload, std::uint32_t mask, std::uint64_t on_wire,
                     const Insert& insert, const At& at) {
  const std::size_t size = payload.size();
  if (mask == 0) return message(from, opcode, {.bytes = payload, .readable = size, .on_wire = on_wire}, insert, at);
  const bool cut = size > dialect::Limits{}.text;
  if (cut) payload = payload.first(first_bytes);
  const base::MutableBytes room = bench_of(at.call.workspace).workspace.stage(payload.size());
  wire::unmask(payload, mask, 0, room.data());
  return message(from, opcode,
                 {.bytes = room.first(payload.size()), .readable = room.size(), .on_wire = on_wire, .cut = cut}, insert,
                 at);
}

void Reading::piece(Side from, Bytes payload, std::uint32_t mask, std::uint64_t offset) {
  Assembly& assembly = assembly_[model::index(from)];
  if (assembly.overflow) return;
  const std::size_t at = assembly.bytes.size();
  assembly.overflow = at + payload.size() > dialect::Limits{}.text;
  if (assembly.overflow) payload = payload.first(std::min(payload.size(), first_bytes - std::min(at, first_bytes)));
  assembly.bytes.resize(at + payload.size());
  wire::unmask(payload, mask, offset, assembly.bytes.data() + at);
  if (assembly.overflow && assembly.bytes.size() > first_bytes) {
    assembly.bytes.resize(first_bytes);
    assembly.bytes.shrink_to_fit();
  }
}

void Reading::abandon(Side from) {
  Assembly& assembly = assembly_[model::index(from)];
  assembly.overflow = false;
  if (assembly.bytes.capacity() > kept_capacity)
    assembly.bytes = std::vector<base::Byte>();  // = {} would keep the capacity
  else
    assembly.bytes.clear();
}

Bytes Reading::complete(Side from, Opcode opcode, std::uint64_t on_wire, const Insert& insert, const At& at) {
  Assembly& assembly = assembly_[model::index(from)];
  const std::size_t size = assembly.bytes.size();
  assembly.bytes.resize(size + padding);
  const Bytes instead = message(from, opcode,
                                {.bytes = Bytes(assembly.bytes).first(size),
                                 .readable = size + padding,
                                 .on_wire = on_wire,
                                 .cut = assembly.overflow},
                                insert, at);
  abandon(from);
  return instead;
}

void Reading::unread(Side from, Opcode opcode, std::uint64_t on_wire, const At& at) {
  ++state_.messages[model::index(from)];
  if (!session_) {
    detector_->passed();
    if (!detector_->open()) handshake_.reset();
    return;
  }
  InvocationSignals heard = signals(at);
  lend(heard, at.call);
  if (session_->wants(from, opcode))
    session_->unread(from, opcode, on_wire, at.call.now);
  else
    session_->message(from, opcode, {.bytes = {}, .readable = 0, .on_wire = on_wire}, at.call.now);
}

// The messages that tell what is spoken here.
void Reading::detect(Side from, Opcode opcode, const dialect::Payload& payload, dialect::Listener& heard,
                     const Call& call) {
  detector_->lend(bench_of(call.workspace).workspace);
  if (payload.cut) {
    detector_->passed();
  } else {
    const bool decided = detector_->message(from, opcode, payload);
    decision_ = detector_->decision();
    if (decided) {
      model::HttpHead head;
      for (const auto& [name, value] : handshake_->fields) head.fields.push_back({name, value});
      start_session(
          {.path = handshake_->path, .query = handshake_->query, .subprotocol = handshake_->subprotocol, .head = &head},
          heard, call);
    }
  }
  if (!detector_->open()) handshake_.reset();
}

Bytes Reading::message(Side from, Opcode opcode, const dialect::Payload& payload, const Insert& insert, const At& at) {
  ++state_.messages[model::index(from)];
  if (detector_ && detector_->open()) {
    Silence silence;
    detect(from, opcode, payload, silence, at.call);
  }
  if (!session_) return {};
  Bench& bench = bench_of(at.call.workspace);
  bench.traceparent.clear();
  InvocationSignals heard = signals(at, insert.wanted);
  lend(heard, at.call);
  session_->message(from, opcode, payload, at.call.now);
  if (bench.traceparent.empty() || payload.cut) return {};
  if (!session_->insert(payload.bytes, {bench.traceparent, bench.tracestate}, insert.tolerated, bench.rewritten))
    return {};
  return base::as_bytes(bench.rewritten);
}

bool Reading::inserts(Side from, Opcode opcode, const Insert& insert) const {
  // While it is not known what is spoken here, each message that is read may be the one that tells, and opens a call.
  return insert.wanted && (!session_ || session_->inserts(from, opcode, insert.tolerated));
}

// --- time --------------------------------------------------------------------------------------------------------

Time Reading::next_deadline() const {
  const Time own = session_ ? session_->next_deadline() : base::never;
  return std::min(own, state_.next_deadline());
}

void Reading::tick(const At& at) {
  InvocationSignals heard = signals(at);
  if (session_) {
    lend(heard, at.call);
    session_->tick(at.call.now);
  }
  heard.tick(session_ ? &*session_ : nullptr);
}

void Reading::finish(const At& at) {
  InvocationSignals heard = signals(at);
  if (session_) {
    lend(heard, at.call);
    session_->finish(at.call.now);
  }
  heard.finish();
}

void Reading::describe(model::Span& connection, const At& at) { signals(at).describe(connection, basis()); }

void Reading::detail(model::SessionDetail& out) const {
  out.dialect_basis = basis();
  out.application_rtt = state_.beat_rtt;
  if (state_.last_beat != base::never) out.last_application_beat = state_.last_beat;
  if (!session_) return;
  session_->for_each_open(
      [](void* context, const Invocation& invocation) {
        model::OpenInvocation open;
        open.number = invocation.number;
        open.operation = invocation.operation;
        open.opened_by = invocation.opened_by;
        open.opened = invocation.opened;
        open.chunks = invocation.chunks.count;
        if (invocation.chunks.count != 0) {
          open.first_chunk = invocation.chunks.first;
          open.last_chunk = invocation.chunks.last;
        }
        open.cancel_requested = invocation.cancel_requested;
        if ((invocation.trace_flags & 1U) != 0) open.trace_id = base::to_hex(invocation.trace_id);
        static_cast<model::SessionDetail*>(context)->invocations.push_back(std::move(open));
      },
      &out);
}

}  // namespace sockeye::observer
