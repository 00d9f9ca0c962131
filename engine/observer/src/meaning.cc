#include "meaning.h"

#include <algorithm>
#include <string>

#include "sockeye/signal/accounts.h"
#include "sockeye/signal/link.h"
#include "sockeye/signal/propagation.h"
#include "sockeye/signal/redact.h"
#include "sockeye/signal/sampling.h"
#include "sockeye/wire/frame_parser.h"

namespace sockeye::observer {

using base::Time;
using model::Invocation;
using model::InvocationStatus;
using model::Opcode;
using model::Side;

namespace {

using namespace std::chrono_literals;

constexpr base::Duration burst_gap = 5s;          // silence that ends a burst of media
constexpr base::Duration report_after = 30s;      // an invocation open for this long is reported while it is open
constexpr std::uint64_t auto_invocations = 1000;  // what one trace holds under trace.scope: auto
constexpr base::Duration auto_age = 5min;
constexpr std::size_t most_events = 32;
constexpr std::size_t kept_capacity = 2048;  // bytes an assembly buffer may keep between messages
constexpr std::size_t padding = 64;
constexpr std::size_t first_bytes = 2048;  // what is kept of a message that is too long: more than a session looks at

}  // namespace

struct Meaning::KeptFacts {
  std::string path, query, subprotocol;
  std::vector<std::pair<std::string, std::string>> fields;
};

Meaning::Meaning(const RouteOptions& options, Environment& environment)
    : options_(options), environment_(environment), decision_{.program = dialect::none()} {}

Meaning::~Meaning() = default;

std::unique_ptr<Meaning> Meaning::of(const RouteOptions& options, Environment& environment,
                                     const dialect::Facts& facts) {
  using Mode = DialectOptions::Mode;
  if (options.dialect.mode == Mode::none) return nullptr;
  if (!environment.workbench) environment.workbench = std::make_shared<Workbench>();
  std::unique_ptr<Meaning> meaning(new Meaning(options, environment));
  if (options.dialect.mode == Mode::fixed) {
    meaning->decision_ = {options.dialect.program, dialect::Basis::configured};
  } else {
    meaning->detector_.emplace(options.dialect.known ? *options.dialect.known : dialect::built_in(), facts,
                               environment.workbench->workspace);
    meaning->decision_ = meaning->detector_->decision();
    if (meaning->decision_.program == dialect::none() && !meaning->detector_->open()) return nullptr;
  }
  if (meaning->decision_.program != dialect::none()) {
    meaning->detector_.reset();
    meaning->start_session(facts);
    return meaning;
  }
  auto kept = std::make_unique<KeptFacts>();
  kept->path = facts.path;
  kept->query = facts.query;
  kept->subprotocol = facts.subprotocol;
  if (facts.head != nullptr)
    for (const model::HttpField& field : facts.head->fields)
      if (meaning->detector_->reads_header(field.name)) kept->fields.emplace_back(field.name, field.value);
  meaning->facts_ = std::move(kept);
  return meaning;
}

void Meaning::start_session(const dialect::Facts& facts) {
  const dialect::Limits limits;
  dialect::Listener& hears = *this;
  session_.emplace(decision_.program, facts, limits, environment_.workbench->workspace, hears, environment_.random(),
                   detector_ ? detector_->begun() : nullptr);
}

void Meaning::begin(const Opening& opening, Time now) {
  opening_ = &opening;
  begun_ = now;
}

// --- messages ----------------------------------------------------------------------------------------------------

bool Meaning::reads(Side from, Opcode opcode, std::optional<base::Byte> first, std::uint64_t size) const {
  return session_ ? session_->wants(from, opcode) : detector_ && detector_->cares(opcode, first, size);
}

void Meaning::whole(Side from, Opcode opcode, base::Bytes payload, std::uint32_t mask, Time now) {
  const std::size_t size = payload.size();
  if (mask == 0) return message(from, opcode, {.bytes = payload, .readable = size, .on_wire = size}, now);
  const bool cut = size > dialect::Limits{}.text;
  if (cut) payload = payload.first(first_bytes);
  const base::MutableBytes room = environment_.workbench->workspace.stage(payload.size());
  wire::unmask(payload, mask, 0, room.data());
  message(from, opcode, {.bytes = room.first(payload.size()), .readable = room.size(), .on_wire = size, .cut = cut},
          now);
}

void Meaning::piece(Side from, base::Bytes payload, std::uint32_t mask, std::uint64_t offset) {
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

void Meaning::complete(Side from, Opcode opcode, std::uint64_t on_wire, Time now) {
  Assembly& assembly = assembly_[model::index(from)];
  const std::size_t size = assembly.bytes.size();
  assembly.bytes.resize(size + padding);
  message(from, opcode,
          {.bytes = base::Bytes(assembly.bytes).first(size),
           .readable = size + padding,
           .on_wire = on_wire,
           .cut = assembly.overflow},
          now);
  assembly.overflow = false;
  if (assembly.bytes.capacity() > kept_capacity)
    assembly.bytes = std::vector<base::Byte>();  // = {} would keep the capacity
  else
    assembly.bytes.clear();
}

void Meaning::unread(Side from, Opcode opcode, std::uint64_t on_wire, Time now) {
  environment_.workbench->rewritten.clear();
  ++messages_[model::index(from)];
  if (!session_) {
    detector_->passed();
    if (!detector_->open()) facts_.reset();
    return;
  }
  if (session_->wants(from, opcode))
    session_->unread(from, opcode, on_wire, now);
  else
    session_->message(from, opcode, {.bytes = {}, .readable = 0, .on_wire = on_wire}, now);
}

void Meaning::message(Side from, Opcode opcode, const dialect::Payload& payload, Time now) {
  Workbench& bench = *environment_.workbench;
  bench.rewritten.clear();
  ++messages_[model::index(from)];
  if (detector_ && detector_->open() && payload.cut) {
    detector_->passed();
  } else if (detector_ && detector_->open()) {
    const bool decided = detector_->message(from, opcode, payload);
    decision_ = detector_->decision();
    if (decided) {
      model::HttpHead head;
      for (const auto& [name, value] : facts_->fields) head.fields.push_back({name, value});
      start_session({.path = facts_->path, .query = facts_->query, .subprotocol = facts_->subprotocol, .head = &head});
    }
  }
  if (detector_ && !detector_->open()) facts_.reset();
  if (!session_) return;
  bench.traceparent.clear();
  session_->message(from, opcode, payload, now);
  if (!bench.traceparent.empty() && !payload.cut) put_context(from, payload.bytes);
}

// --- context in messages -----------------------------------------------------------------------------------------

bool Meaning::may_insert() const {
  return (options_.insert.to_server || options_.insert.to_client) && environment_.spans != nullptr;
}

bool Meaning::inserts(Side from, Opcode opcode) const {
  if (!(from == Side::client ? options_.insert.to_server : options_.insert.to_client)) return false;
  // While it is not known what is spoken here, each message that is read may be the one that tells, and opens a call.
  return !session_ || session_->inserts(from, opcode, options_.insert.tolerated);
}

void Meaning::put_context(Side from, base::Bytes message) {
  if (!(from == Side::client ? options_.insert.to_server : options_.insert.to_client)) return;
  Workbench& bench = *environment_.workbench;
  if (!session_->insert(message, {bench.traceparent, bench.tracestate}, options_.insert.tolerated, bench.rewritten))
    bench.rewritten.clear();
}

// --- what they mean ----------------------------------------------------------------------------------------------

void Meaning::place(Invocation& invocation) {
  base::Random& random = environment_.random;
  invocation.span_id = base::make_span_id(random);
  const signal::SamplingPolicy policy{.ratio = options_.sampling.ratio, .parent_based = options_.sampling.parent_based};
  if (!invocation.traceparent.empty()) {
    if (const auto context = signal::parse_traceparent(invocation.traceparent)) {
      invocation.trace_id = context->trace_id;
      invocation.parent_span_id = context->span_id;
      invocation.parent_is_remote = true;
      const bool sampled = signal::sample(policy, context->trace_id, context->sampled());
      invocation.trace_flags = static_cast<std::uint8_t>((context->flags & ~1U) | (sampled ? 1U : 0U));
      invocation.tracestate = signal::parse_tracestate(invocation.tracestate).value_or("");
      return;
    }
    opening_->metrics->anomalies[static_cast<std::size_t>(model::Anomaly::trace_context_invalid)].add();
  }
  invocation.tracestate.clear();
  if (!invocation.parent_span_id.is_zero()) return;  // it serves another: same trace, same decision
  const TraceScope scope = options_.scope;
  const bool small = invocations_ <= auto_invocations && invocation.opened - begun_ <= auto_age;
  if (scope == TraceScope::connection || (scope == TraceScope::automatic && small)) {
    invocation.trace_id = opening_->trace_id;
    invocation.parent_span_id = opening_->connection_span;
    invocation.trace_flags = opening_->trace_flags;
    return;
  }
  invocation.trace_id = base::make_trace_id(random);
  invocation.trace_flags = signal::sample(policy, invocation.trace_id, opening_->asked) ? 1 : 0;
}

// Tail rules: what went wrong is kept, whatever the ratio.
bool Meaning::keeps(const Invocation& invocation) const {
  const SamplingOptions& sampling = options_.sampling;
  if (sampling.keep_errors && invocation.status == InvocationStatus::error) return true;
  if (sampling.keep_stuck && invocation.status == InvocationStatus::incomplete) return true;
  return sampling.keep_slow > base::Duration::zero() && invocation.ended - invocation.opened >= sampling.keep_slow;
}

// It has a span, or may yet have one by how it ends.
bool Meaning::may_export(const Invocation& invocation) const {
  const SamplingOptions& sampling = options_.sampling;
  return environment_.spans != nullptr && ((invocation.trace_flags & 1U) != 0 || sampling.keep_errors ||
                                           sampling.keep_stuck || sampling.keep_slow > base::Duration::zero());
}

void Meaning::opened(Invocation& invocation) {
  ++invocations_;
  invocation.message = messages_[model::index(invocation.opened_by)];
  place(invocation);
  invocation.times_kept = may_export(invocation);
  signal::count_opened(*opening_->metrics, invocation);
  if (may_insert()) {
    Workbench& bench = *environment_.workbench;
    bench.traceparent = signal::to_traceparent(invocation.trace_id, invocation.span_id, invocation.trace_flags);
    // The caller's, or, in the connection's trace, that of the handshake.
    bench.tracestate = !invocation.tracestate.empty() || invocation.trace_id != opening_->trace_id
                           ? std::string_view(invocation.tracestate)
                           : opening_->texts[SessionTexts::trace_state];
  }
  if (environment_.spans != nullptr) next_report_ = std::min(next_report_, invocation.opened + report_after);
}

void Meaning::chunk(const Invocation& invocation, std::optional<base::Duration> since_last) {
  signal::count_chunk(*opening_->metrics, invocation, since_last);
}

void Meaning::ended(Invocation&& invocation) {
  const bool head = (invocation.trace_flags & 1U) != 0;
  const bool exported = environment_.spans != nullptr && (head || keeps(invocation));
  invocation.trace_flags |= exported ? 1 : 0;
  signal::count_ended(*opening_->metrics, invocation, exported, environment_.wall);
  if (invocation.end == model::InvocationEnd::reply)
    opening_->metrics->message_duration.observe(invocation.ended - invocation.opened);
  if (!exported) return;
  signal::SessionFacts facts = opening_->facts();
  facts.dialect = dialect();
  const auto link = [&](const base::SpanId& named) {
    return signal::hop_link(opening_->trace_id, named, invocation.opened_by, invocation.message);
  };
  signal::Belonging belonging{
      .connection_trace = opening_->trace_id, .connection_span = opening_->connection_span, .session = &attributes_};
  if (!opening_->remote_span.is_zero()) belonging.link_client = link(opening_->remote_span);
  if (opening_->named_upstream) belonging.link_server = link(opening_->handshake_span);
  environment_.spans->offer(signal::invocation_span(facts, invocation, invocation.tracestate, belonging,
                                                    {.gen_ai = options_.gen_ai, .seed_names = options_.seed_names},
                                                    environment_.wall));
}

void Meaning::media(Side from, std::string_view name, std::uint64_t bytes, Time now) {
  signal::count_media(*opening_->metrics, from, bytes);
  Burst& burst = bursts_[model::index(from)];
  if (burst.running && (burst.transfer.name != name || now - burst.transfer.end > burst_gap)) end_burst(burst);
  if (!burst.running) {
    burst = {.transfer = {.from = from, .name = name, .begin = now, .end = now}, .running = true};
    burst_check_ = std::min(burst_check_, now + burst_gap);
  }
  signal::Transfer& t = burst.transfer;
  t.longest_interval = std::max(t.longest_interval, now - t.end);
  t.end = now;
  ++t.messages;
  t.bytes += bytes;
}

void Meaning::end_burst(Burst& burst) {
  burst.running = false;
  if (!opening_->traced()) return;
  signal::SessionFacts facts = opening_->facts();
  facts.dialect = dialect();
  signal::TracePlace place = opening_->connection_place();
  place.parent_id = place.span_id;
  place.span_id = base::make_span_id(environment_.random);
  environment_.spans->offer(signal::transfer_span(facts, place, burst.transfer, environment_.wall));
}

void Meaning::beat(Side from, std::string_view, std::optional<base::Duration> rtt, Time now) {
  signal::count_beat(*opening_->metrics, from);
  if (rtt) beat_rtt_ = rtt;
  last_beat_ = now;
}

void Meaning::session_attribute(std::string_view key, const model::AttributeValue& value) {
  for (auto& [name, kept] : attributes_)
    if (name == key) return void(kept = value);
  if (attributes_.size() < Invocation::max_attributes) attributes_.emplace_back(key, value);
}

void Meaning::remember_event(std::string_view what, std::string_view type, Time at) {
  if (events_.size() == most_events || !opening_->traced()) return;
  model::SpanEvent event{.name = what, .time_unix_ns = environment_.wall.unix_ns(at), .attributes = {}};
  if (!type.empty()) event.attributes.emplace_back("error.type", std::string(type));
  events_.push_back(std::move(event));
}

void Meaning::event(std::string_view name, Side, Time at) { remember_event(name, {}, at); }
void Meaning::error(Side, std::string_view type, Time at) { remember_event("error", type, at); }

void Meaning::odd(dialect::Oddity kind, Side, std::uint64_t count, Time) {
  signal::count_odd(*opening_->metrics, kind, count);
}

// --- time --------------------------------------------------------------------------------------------------------

Time Meaning::next_deadline() const {
  const Time own = session_ ? session_->next_deadline() : base::never;
  return std::min({own, burst_check_, next_report_});
}

void Meaning::tick(Time now) {
  if (session_) session_->tick(now);
  if (now >= burst_check_) {
    burst_check_ = base::never;
    for (Burst& burst : bursts_) {
      if (burst.running && now - burst.transfer.end >= burst_gap) end_burst(burst);
      if (burst.running) burst_check_ = std::min(burst_check_, burst.transfer.end + burst_gap);
    }
  }
  if (now >= next_report_) report_open(now);
}

// After 30 s, 1 min, 2 min, 4 min …: often enough to be seen, too rare to be a load.
void Meaning::report_open(Time now) {
  next_report_ = base::never;
  struct Reporting {
    Meaning& meaning;
    Time now;
  } reporting{*this, now};
  if (!session_) return;
  session_->for_each_open(
      [](void* context, Invocation& invocation) {
        auto& [meaning, at] = *static_cast<Reporting*>(context);
        const auto due = [&] {
          return invocation.opened + report_after * (std::int64_t{1} << std::min<unsigned>(invocation.reports, 20));
        };
        if (at >= due()) {
          if ((invocation.trace_flags & 1U) != 0) {
            signal::SessionFacts facts = meaning.opening_->facts();
            facts.dialect = meaning.dialect();
            meaning.environment_.spans->offer(signal::interim_span(
                facts, invocation, base::make_span_id(meaning.environment_.random), invocation.reports,
                {.gen_ai = meaning.options_.gen_ai}, at, meaning.environment_.wall));
          }
          while (at >= due() && invocation.reports < 20) ++invocation.reports;
        }
        meaning.next_report_ = std::min<Time>(meaning.next_report_, due());
      },
      &reporting);
}

void Meaning::finish(Time now) {
  if (session_) session_->finish(now);
  for (Burst& burst : bursts_)
    if (burst.running) end_burst(burst);
}

void Meaning::describe(model::Span& connection) {
  for (auto& [key, value] : attributes_) {
    if (auto* const text = std::get_if<std::string>(&value)) *text = signal::printable(*text);
    connection.attributes.emplace_back(key, std::move(value));
  }
  signal::add_meaning(connection, {.basis = basis(), .application_rtt = beat_rtt_, .invocations = invocations_});
  connection.events = std::move(events_);
}

void Meaning::view(SessionView& out) const {
  out.dialect = dialect();
  out.dialect_basis = basis();
  out.application_rtt = beat_rtt_;
  if (last_beat_ != base::never) out.last_application_beat = last_beat_;
  if (!session_) return;
  session_->for_each_open(
      [](void* context, const Invocation& invocation) {
        auto& view = *static_cast<SessionView*>(context);
        OpenInvocation open;
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
        view.invocations.push_back(std::move(open));
      },
      &out);
}

}  // namespace sockeye::observer
