#include <algorithm>
#include <limits>

#include "primitives.h"
#include "sockeye/capture/format.h"

namespace sockeye::capture {
namespace {

using Kind = Event::Kind;

constexpr std::string_view magic = "sockeye capture ";

std::string at_byte(std::size_t at) { return "byte " + std::to_string(at) + ": "; }

// Whose name a text is, of `count` values; none: of another version of the program.
template <class E>
std::optional<E> named(std::string_view text, unsigned count) {
  for (unsigned i = 0; i < count; ++i)
    if (model::name(static_cast<E>(i)) == text) return static_cast<E>(i);
  return std::nullopt;
}
constexpr unsigned initiators = static_cast<unsigned>(model::Initiator::network) + 1;
constexpr unsigned reasons = static_cast<unsigned>(model::EndReason::idle) + 1;
constexpr unsigned anomalies = static_cast<unsigned>(model::Anomaly::count_);
constexpr unsigned conditions = static_cast<unsigned>(model::ConditionKind::count_);
constexpr unsigned bases = static_cast<unsigned>(model::ReconnectBasis::count_);

// Times are kept within what may be added to without overflow.
constexpr std::int64_t farthest = std::numeric_limits<std::int64_t>::max() / 4;

std::int64_t bounded(Cursor& in) { return std::clamp(in.signed_number(), -farthest, farthest); }
base::Time time(Cursor& in) { return base::Time(base::Duration(bounded(in))); }
base::Time time(Cursor& in, base::Time last) {
  const auto sum = last.time_since_epoch().count() + bounded(in);
  return base::Time(base::Duration(std::clamp(sum, -farthest, farthest)));
}

void read_fields(Cursor& in, std::vector<std::pair<std::string, std::string>>& out) {
  const auto count = in.number(most_fields);
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
    std::string name = in.text(most_text);
    std::string value = in.text(most_text);
    out.emplace_back(std::move(name), std::move(value));
  }
}

Head read_head(Cursor& in) {
  Head out;
  out.method = in.text(most_text);
  out.target = in.text(most_text);
  out.status = static_cast<int>(in.number(999));
  out.reason = in.text(most_text);
  read_fields(in, out.fields);
  return out;
}

base::SessionId read_id(Cursor& in) {
  base::SessionId out;
  const auto bytes = in.bytes(out.bytes.size());
  std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
  return out;
}

bool read_session(Cursor& in, Session& out) {
  out.id = read_id(in);
  out.seed = in.number();
  const auto flags = in.number();
  out.payload = (flags & 1U) != 0;
  out.attached = (flags & 2U) != 0;
  out.tls = (flags & 4U) != 0;
  out.client_address = in.text(most_text);
  out.client_port = static_cast<std::uint16_t>(in.number(65535));
  out.server_address = in.text(most_text);
  out.server_port = static_cast<std::uint16_t>(in.number(65535));
  out.first_byte = time(in);
  out.requested = time(in);
  out.opened = time(in);
  out.wall.ns = bounded(in);
  out.wall_opened.ns = bounded(in);
  out.most_fragments = in.number();
  out.most_frame = in.number();
  out.most_message = in.number();
  if ((flags & 8U) != 0) {
    out.before = read_id(in);
    out.basis = named<model::ReconnectBasis>(in.text(most_text), bases).value_or(model::ReconnectBasis::guess);
  }
  const auto passed = in.number(most_fields);
  for (std::uint64_t i = 0; i < passed && !in.failed(); ++i) out.passed_on.push_back(in.text(most_text));
  out.request = read_head(in);
  out.response = read_head(in);
  read_fields(in, out.options);
  return !in.failed() && out.first_byte <= out.requested && out.requested <= out.opened;
}

bool read_data(Cursor& in, std::vector<base::Byte>& out) {
  out.clear();
  while (!in.empty()) {
    const auto plain = in.bytes(in.number(most_bytes));
    const auto zeros = in.number(most_bytes);
    if (in.failed() || out.size() + plain.size() + zeros > most_bytes) return false;
    out.insert(out.end(), plain.begin(), plain.end());
    out.resize(out.size() + static_cast<std::size_t>(zeros));
  }
  return !in.failed();
}

std::optional<std::uint64_t> optional_number(Cursor& in) {
  const auto number = in.number();
  return number == 0 ? std::nullopt : std::optional(number - 1);
}
std::optional<model::Side> optional_side(Cursor& in) {
  const auto number = in.number(2);
  return number == 0 ? std::nullopt : std::optional(static_cast<model::Side>(number - 1));
}

void read_close(Cursor& in, model::CloseInfo& out, base::Time last) {
  out.code = static_cast<std::uint16_t>(in.number(65535));
  out.initiator = named<model::Initiator>(in.text(most_text), initiators).value_or(model::Initiator::network);
  out.why = named<model::EndReason>(in.text(most_text), reasons).value_or(model::EndReason::reset);
  out.reason = in.text(most_text);
  out.silent = optional_side(in);
  if (out.silent) out.silent_since = time(in, last);
}

// False: a kind of a later version.
bool read_condition(Cursor& in, model::Condition& out, base::Time last) {
  const auto kind = named<model::ConditionKind>(in.text(most_text), conditions);
  out.kind = kind.value_or(model::ConditionKind{});
  out.subject.leg = optional_side(in);
  out.since = time(in, last);
  out.evidence.unanswered_pings = static_cast<std::uint32_t>(in.number(std::numeric_limits<std::uint32_t>::max()));
  if (const auto rtt = optional_number(in))
    out.evidence.rtt = base::Duration(static_cast<std::int64_t>(std::min<std::uint64_t>(*rtt, farthest)));
  out.evidence.seen = time(in, last);
  return kind.has_value();
}

enum class Outcome { good, skipped, bad };

Outcome read_event(Cursor& in, Event& out, std::vector<base::Byte>& data) {
  const auto side = [&] { out.side = static_cast<model::Side>(in.number(1)); };
  const auto side_and_flag = [&](bool& flag) {
    const auto both = in.number(3);
    out.side = static_cast<model::Side>(both & 1U);
    flag = (both & 2U) != 0;
  };
  switch (out.kind) {
    case Kind::bytes:
      side_and_flag(out.watched);
      out.count = in.number();
      if (!read_data(in, data)) return Outcome::bad;
      out.data = data;
      break;
    case Kind::step:
      side();
      out.step = static_cast<Step>(in.number(5));
      break;
    case Kind::received:
    case Kind::probe_sent:
    case Kind::close_sent:
      side();
      out.count = in.number();
      break;
    case Kind::gap:
    case Kind::probe_answered:
      side();
      out.count = optional_number(in);
      break;
    case Kind::end:
    case Kind::cut:
    case Kind::probe_missed:
      side_and_flag(out.flag);
      break;
    case Kind::frame:
      side();
      break;
    case Kind::closing:
      read_close(in, out.close, out.at);
      break;
    case Kind::condition:
      if (!read_condition(in, out.condition, out.at) && !in.failed()) return Outcome::skipped;
      break;
    case Kind::anomaly: {
      const auto kind = named<model::Anomaly>(in.text(most_text), anomalies);
      if (!kind && !in.failed()) return Outcome::skipped;
      out.anomaly = kind.value_or(model::Anomaly::none);
      break;
    }
    case Kind::wall:
      out.wall.ns = bounded(in);
      break;
    case Kind::closed:
    case Kind::tick:
    case Kind::finish:
    case Kind::truncated:
      break;
  }
  return in.failed() ? Outcome::bad : Outcome::good;
}

}  // namespace

base::Result<Reader> Reader::open(base::Bytes file) {
  const auto text = base::as_text(file);
  if (!text.starts_with(magic)) return base::fail("this is no capture: it does not begin with \"sockeye capture \"");
  const auto line = text.substr(0, magic.size() + 8);
  const auto end = line.find('\n');
  const auto number =
      end == std::string_view::npos ? std::string_view() : line.substr(magic.size(), end - magic.size());
  if (number != std::to_string(version))
    return base::fail("a capture of version \"" + std::string(number) + "\"; this program reads version " +
                      std::to_string(version));
  Reader out(file);
  out.at_ = end + 1;
  const auto first = out.raw();
  if (!first) return tl::unexpected(first.error());
  if (!*first || (*first)->type != 1) return base::fail(at_byte(end + 1) + "the record of the session is missing");
  Cursor in((*first)->body);
  if (!read_session(in, out.session_)) return base::fail(at_byte(end + 1) + "the record of the session cannot be read");
  out.last_ = out.session_.opened;
  return out;
}

// The next record, of any type. None: the file ends here, or inside it.
base::Result<std::optional<Reader::Raw>> Reader::raw() {
  const auto rest = file_.subspan(at_);
  if (rest.empty()) return std::nullopt;
  Cursor in(rest.subspan(1));
  const auto size = in.number();
  if (in.failed() && rest.size() > 10) return base::fail(at_byte(at_ + 1) + "a length that is none");
  if (in.failed() || size > in.left()) {
    incomplete_ = true;
    at_ = file_.size();
    return std::nullopt;
  }
  Raw out{.type = rest.front(), .at = at_, .body = in.bytes(size)};
  at_ = file_.size() - in.left();
  return out;
}

base::Result<std::optional<Event>> Reader::next() {
  for (;;) {
    auto record = raw();
    if (!record) return tl::unexpected(record.error());
    if (!*record) {
      incomplete_ = incomplete_ || !finished_;
      return std::nullopt;
    }
    const Raw& found = **record;
    if (found.type < static_cast<std::uint8_t>(Kind::bytes) || found.type > static_cast<std::uint8_t>(Kind::frame))
      continue;
    Event event;
    event.kind = static_cast<Kind>(found.type);
    Cursor in(found.body);
    const auto after = in.number(static_cast<std::uint64_t>(farthest));
    const auto now = last_.time_since_epoch().count() + static_cast<std::int64_t>(after);
    if (in.failed() || now > farthest) return base::fail(at_byte(found.at) + "a time that is none");
    event.at = base::Time(base::Duration(now));
    const Outcome outcome = read_event(in, event, data_);
    if (outcome == Outcome::bad)
      return base::fail(at_byte(found.at) + "a record of type " + std::to_string(found.type) + " that cannot be read");
    last_ = event.at;
    if (outcome == Outcome::skipped) continue;
    finished_ = finished_ || event.kind == Kind::finish || event.kind == Kind::truncated;
    return event;
  }
}

}  // namespace sockeye::capture
