#include "sockeye/dialect/session.h"

#include <algorithm>

#include "insert.h"
#include "session_state.h"

namespace sockeye::dialect {
namespace {

constexpr std::array<std::string_view, 14> effects = {"open", "accept", "bind",    "chunk", "attrs", "note",  "cancel",
                                                      "end",  "event",  "session", "media", "beat",  "error", "ignore"};

}  // namespace

std::string_view name(Effect e) { return effects[static_cast<std::size_t>(e)]; }

Workspace::Workspace() : parts_(std::make_unique<Parts>()) {}
Workspace::~Workspace() = default;

base::MutableBytes Workspace::stage(std::size_t size) {
  std::vector<base::Byte>& room = parts_->staged;
  if (room.size() < size + padding) room.resize(std::max(size + padding, room.size() * 2));
  return {room.data(), size + padding};
}

Session::Session(ProgramRef program, const HandshakeView& handshake, const Limits& limits, Workspace& workspace,
                 Listener& listener, std::uint64_t seed, Intake* begun)
    : state_(std::make_unique<State>(std::move(program), handshake, limits, workspace, listener, seed)) {
  if (begun != nullptr) state_->intake = std::move(*begun);
}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::lend(Workspace& workspace, Listener& listener) {
  state_->parts = &workspace.parts();
  state_->listener = &listener;
}

bool Session::wants(Side from, Opcode opcode) const {
  const State& s = *state_;
  if (s.intake.decodes(opcode)) return true;
  const Program::Plans& plans = s.program->plans[model::index(from)];
  return plans.any && plain_text(s.program->decode) && (opcode == Opcode::text || s.program->binary_is_text);
}

void Session::message(Side from, Opcode opcode, const Payload& payload, Time now) {
  if ((payload.cut || payload.bytes.size() > state_->limits.text) && wants(from, opcode)) {
    unread(from, opcode, payload.on_wire, now);
    return state_->beginning(from, opcode, payload, now);
  }
  state_->message(from, opcode, payload, now);
}

void Session::unread(Side from, Opcode opcode, std::uint64_t, Time now) {
  if (wants(from, opcode)) state_->listener->dialect_error(DialectError::too_large, from, 1, now);
}

bool Session::inserts(Side from, Opcode opcode, bool tolerated) const {
  const Program& program = *state_->program;
  if (state_->intake.wrapped() || (!plain_text(program.decode) && program.decode != Decode::records)) return false;
  if (opcode == Opcode::binary && !program.binary_is_text && program.decode != Decode::records) return false;
  for (std::size_t i = 0; i < program.places.size(); ++i)
    if (state_->may_fill(i, from, tolerated)) return true;
  return false;
}

bool Session::insert(base::Bytes message, const TraceText& context, bool tolerated, std::string& out) {
  if (state_->opened_by_message != 1 || state_->intake.wrapped()) return false;
  const Program& program = *state_->program;
  const std::string_view text = base::as_text(message);
  std::string_view document = text;
  // Of several records in one message, which one opened the invocation is not known here; nor which call of a batch.
  if (program.decode == Decode::records) {
    if (!document.ends_with(record_separator)) return false;
    document.remove_suffix(1);
    if (document.find(record_separator) != std::string_view::npos) return false;
  }
  for (std::size_t i = 0; i < program.places.size(); ++i) {
    if (!state_->may_fill(i, state_->last_read.from, tolerated)) continue;
    const Insertion found = insert_context(document, program.places[i], context);
    if (found.kind == Insertion::Kind::no_place) continue;
    out.assign(text.substr(0, found.at)).append(found.text);
    out.append(text.substr(found.at + (found.kind == Insertion::Kind::replaced ? found.text.size() : 0)));
    state_->read_again(std::string_view(out).substr(0, out.size() - (text.size() - document.size())));
    return true;
  }
  return false;
}

Time Session::next_deadline() const { return state_->next_deadline; }

void Session::tick(Time now) {
  State& s = *state_;
  if (now < s.next_deadline) return;
  Time next = base::never;
  std::vector<std::uint32_t> due;
  s.table.for_each([&](std::uint32_t i) {
    if (s.table[i].deadline <= now)
      due.push_back(i);
    else
      next = std::min(next, s.table[i].deadline);
  });
  s.next_deadline = next;
  for (const std::uint32_t slot : due) {
    const Open& open = s.table[slot];
    if (open.invocation.cancel_requested)
      s.give_up(slot);
    else if (open.settle > base::Duration::zero() && open.invocation.chunks.count != 0)
      s.end(slot, model::InvocationEnd::reply, open.invocation.chunks.last);  // the protocol has no word for it
    else
      s.end(slot, model::InvocationEnd::timeout, now);
  }
}

void Session::finish(Time now) {
  State& s = *state_;
  while (s.table.size() != 0) {
    const std::uint32_t oldest = s.table.oldest();
    if (s.table[oldest].invocation.cancel_requested)
      s.give_up(oldest);
    else
      s.end(oldest, model::InvocationEnd::connection_lost, now);
  }
}

base::Bytes Session::state_bytes() const { return {reinterpret_cast<const base::Byte*>(state_.get()), sizeof(State)}; }
const Program& Session::program() const { return *state_->program; }
std::size_t Session::open() const { return state_->table.size(); }
std::size_t Session::held() const { return state_->table.held() + state_->intake.held(); }

namespace {

std::vector<std::uint32_t> by_age(const Table& table) {
  std::vector<std::uint32_t> order;
  order.reserve(table.size());
  table.for_each([&](std::uint32_t i) { order.push_back(i); });
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return table[a].invocation.number < table[b].invocation.number; });
  return order;
}

}  // namespace

void Session::for_each_open(void (*each)(void*, const Invocation&), void* context) const {
  const Table& table = state_->table;
  for (const std::uint32_t i : by_age(table)) each(context, table[i].invocation);
}

void Session::for_each_open(void (*each)(void*, Invocation&), void* context) {
  for (const std::uint32_t i : by_age(state_->table)) each(context, state_->table[i].invocation);
}

}  // namespace sockeye::dialect
