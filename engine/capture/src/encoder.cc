#include <algorithm>

#include "primitives.h"
#include "sockeye/capture/format.h"

namespace sockeye::capture {
namespace {

using Kind = Event::Kind;

void put_fields(std::string& out, const std::vector<std::pair<std::string, std::string>>& fields) {
  const std::size_t count = std::min(fields.size(), most_fields);
  put(out, count);
  for (std::size_t i = 0; i < count; ++i) {
    put_text(out, std::string_view(fields[i].first).substr(0, most_text));
    put_text(out, std::string_view(fields[i].second).substr(0, most_text));
  }
}

void put_head(std::string& out, const Head& head) {
  put_text(out, head.method.substr(0, most_text));
  put_text(out, head.target.substr(0, most_text));
  put(out, static_cast<std::uint64_t>(head.status));
  put_text(out, head.reason.substr(0, most_text));
  put_fields(out, head.fields);
}

// Runs of zeros this long are written as a number; shorter ones cost more than they save.
constexpr std::size_t least_run = 8;

std::size_t zeros(base::Bytes data) {
  return static_cast<std::size_t>(std::find_if(data.begin(), data.end(), [](base::Byte b) { return b != 0; }) -
                                  data.begin());
}

// Bytes as they are, then a number of zeros, and so on.
void put_data(std::string& out, base::Bytes data) {
  while (!data.empty()) {
    std::size_t plain = 0;
    std::size_t run = 0;
    while (plain < data.size()) {
      run = zeros(data.subspan(plain));
      if (run >= least_run || plain + run == data.size()) break;
      plain += run + 1;
      run = 0;
    }
    plain = std::min(plain, data.size());
    put_text(out, base::as_text(data.first(plain)));
    put(out, run);
    data = data.subspan(plain + run);
  }
}

void put_close(std::string& out, const model::CloseInfo& close, base::Time last) {
  put(out, close.code);
  put_text(out, model::name(close.initiator));
  put_text(out, model::name(close.why));
  put_text(out, close.reason.substr(0, most_text));
  put(out, close.silent ? model::index(*close.silent) + 1 : 0);
  if (close.silent) put_signed(out, (close.silent_since - last).count());
}

void put_condition(std::string& out, const model::Condition& condition, base::Time last) {
  put_text(out, model::name(condition.kind));
  put(out, condition.subject.leg ? model::index(*condition.subject.leg) + 1 : 0);
  put_signed(out, (condition.since - last).count());
  put(out, condition.evidence.unanswered_pings);
  put(out, condition.evidence.rtt ? static_cast<std::uint64_t>(condition.evidence.rtt->count()) + 1 : 0);
  put_signed(out, (condition.evidence.seen - last).count());
}

std::uint64_t optional_number(const std::optional<std::uint64_t>& number) { return number ? *number + 1 : 0; }

}  // namespace

model::HttpHead Head::view() const {
  model::HttpHead out;
  out.method = method;
  out.target = target;
  out.status = status;
  out.reason = reason;
  for (const auto& [name, value] : fields) out.fields.push_back({name, value});
  return out;
}

void Encoder::record(std::uint8_t type) {
  out_ += static_cast<char>(type);
  put_text(out_, body_);
  body_.clear();
}

void Encoder::session(const Session& session) {
  out_ = "sockeye capture " + std::to_string(version) + "\n";
  const auto id = [this](const base::SessionId& of) {
    body_.append(reinterpret_cast<const char*>(of.bytes.data()), of.bytes.size());
  };
  id(session.id);
  put(body_, session.seed);
  put(body_, (session.payload ? 1U : 0U) | (session.attached ? 2U : 0U) | (session.tls ? 4U : 0U) |
                 (session.before ? 8U : 0U));
  put_text(body_, session.client_address.substr(0, most_text));
  put(body_, session.client_port);
  put_text(body_, session.server_address.substr(0, most_text));
  put(body_, session.server_port);
  put_signed(body_, session.first_byte.time_since_epoch().count());
  put_signed(body_, session.requested.time_since_epoch().count());
  put_signed(body_, session.opened.time_since_epoch().count());
  put_signed(body_, session.wall.ns);
  put_signed(body_, session.wall_opened.ns);
  put(body_, session.most_fragments);
  put(body_, session.most_frame);
  put(body_, session.most_message);
  if (session.before) {
    id(*session.before);
    put_text(body_, model::name(session.basis));
  }
  const std::size_t passed = std::min(session.passed_on.size(), most_fields);
  put(body_, passed);
  for (std::size_t i = 0; i < passed; ++i) put_text(body_, session.passed_on[i]);
  put_head(body_, session.request);
  put_head(body_, session.response);
  put_fields(body_, session.options);
  last_ = session.opened;
  record(1);
}

void Encoder::event(const Event& event) {
  put(body_, static_cast<std::uint64_t>(std::max(event.at - last_, base::Duration::zero()).count()));
  last_ = std::max(last_, event.at);
  const auto side = static_cast<std::uint64_t>(model::index(event.side));
  switch (event.kind) {
    case Kind::bytes:
      put(body_, side | (event.watched ? 2U : 0U));
      put(body_, event.count.value_or(0));
      put_data(body_, event.data);
      break;
    case Kind::step:
      put(body_, side);
      put(body_, static_cast<std::uint64_t>(event.step));
      break;
    case Kind::received:
    case Kind::probe_sent:
    case Kind::close_sent:
      put(body_, side);
      put(body_, event.count.value_or(0));
      break;
    case Kind::gap:
    case Kind::probe_answered:
      put(body_, side);
      put(body_, optional_number(event.count));
      break;
    case Kind::end:
    case Kind::cut:
    case Kind::probe_missed:
      put(body_, side | (event.flag ? 2U : 0U));
      break;
    case Kind::frame:
      put(body_, side);
      break;
    case Kind::closing:
      put_close(body_, event.close, last_);
      break;
    case Kind::condition:
      put_condition(body_, event.condition, last_);
      break;
    case Kind::anomaly:
      put_text(body_, model::name(event.anomaly));
      break;
    case Kind::wall:
      put_signed(body_, event.wall.ns);
      break;
    case Kind::closed:
    case Kind::tick:
    case Kind::finish:
    case Kind::truncated:
      break;
  }
  record(static_cast<std::uint8_t>(event.kind));
}

}  // namespace sockeye::capture
