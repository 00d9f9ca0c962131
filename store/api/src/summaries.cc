#include "sockeye/store/summaries.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "sockeye/model/abnormal_end.h"

namespace sockeye::store {
namespace {

constexpr std::size_t most_values = 10'000;  // different ones of a place; further ones are not told apart
constexpr std::uint64_t FleetPoint::*counted[] = {&FleetPoint::opened, &FleetPoint::ended, &FleetPoint::reconnects,
                                                  &FleetPoint::refused, &FleetPoint::misses};
constexpr std::uint64_t FleetPoint::*measured[] = {&FleetPoint::active, &FleetPoint::missing_pongs,
                                                   &FleetPoint::buffered_sessions, &FleetPoint::buffered_bytes,
                                                   &FleetPoint::invocations_open};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// `part` in lower case. Every session is asked with each of its texts: this is the time that a lookup takes.
bool contains(std::string_view text, std::string_view part) {
  if (part.empty() || part.size() > text.size()) return false;
  const char first = part.front();
  for (std::size_t at = 0; at + part.size() <= text.size(); ++at) {
    if (lower(text[at]) != first) continue;
    std::size_t same = 1;
    while (same < part.size() && lower(text[at + same]) == part[same]) ++same;
    if (same == part.size()) return true;
  }
  return false;
}

// The port is of one connection; who is looked for is the client.
std::string_view without_port(std::string_view client) {
  if (client.starts_with('[')) return client.substr(1, std::min(client.find(']'), client.size()) - 1);
  const auto colon = client.find(':');
  return client.find(':', std::min(colon, client.size() - 1) + 1) == std::string_view::npos ? client.substr(0, colon)
                                                                                            : client;
}

}  // namespace

std::uint64_t step_of(std::uint64_t time_unix_ns, std::uint64_t step_ns) {
  return step_ns == 0 ? time_unix_ns : time_unix_ns / step_ns * step_ns;
}

void FleetSteps::add(const FleetPoint& p) { steps_[{step_of(p.time_unix_ns, step_ns_), p.instance, p.route}].add(p); }

void FleetSteps::Sum::add(const FleetPoint& p) {
  for (const auto field : counted) sum.*field += p.*field;
  for (int i = 0; i < 2; ++i) {
    sum.messages[i] += p.messages[i];
    sum.bytes[i] += p.bytes[i];
  }
  sum.interval_ms = std::max(any ? sum.interval_ms : 0, p.interval_ms);
  any = true;
  covered_ms += p.covered_ms;
  if (p.covered_ms == 0) return;  // only its counts are known
  ++points;
  for (const auto field : measured) sum.*field += p.*field;
  for (std::size_t i = 0; i < 2; ++i) {
    add_rtt(i, p.rtt_p50_seconds[i]);
    add_rtt(2 + i, p.rtt_p99_seconds[i]);
  }
  sum.active_min = points == 1 ? p.active : std::min(sum.active_min, p.active);
  sum.active_max = std::max(sum.active_max, p.active);
  sum.missing_pongs_max = std::max(sum.missing_pongs_max, p.missing_pongs);
  sum.buffered_bytes_max = std::max(sum.buffered_bytes_max, p.buffered_bytes);
  for (int i = 0; i < 2; ++i)  // fmax: of a number and a NaN, the number
    sum.rtt_max_seconds[i] =
        points == 1 ? p.rtt_p99_seconds[i] : std::fmax(sum.rtt_max_seconds[i], p.rtt_p99_seconds[i]);
}

void FleetSteps::Sum::add_rtt(std::size_t which, float value) {
  if (std::isnan(value)) return;
  rtt_sum[which] += value;
  ++rtt_points[which];
}

float FleetSteps::Sum::rtt(std::size_t which) const {
  if (rtt_points[which] == 0) return std::numeric_limits<float>::quiet_NaN();
  return static_cast<float>(rtt_sum[which] / static_cast<double>(rtt_points[which]));
}

FleetPoint FleetSteps::Sum::point() const {
  FleetPoint out = sum;
  for (const auto field : measured) out.*field = points == 0 ? 0 : (sum.*field + points / 2) / points;
  for (std::size_t i = 0; i < 2; ++i) {
    out.rtt_p50_seconds[i] = rtt(i);
    out.rtt_p99_seconds[i] = rtt(2 + i);
    if (points == 0) out.rtt_max_seconds[i] = std::numeric_limits<float>::quiet_NaN();
  }
  return out;
}

std::vector<FleetPoint> FleetSteps::points() const {
  std::vector<FleetPoint> out;
  for (const auto& [key, value] : steps_) {
    auto& to = out.emplace_back(value.point());
    std::tie(to.time_unix_ns, to.instance, to.route) = key;
    const std::uint64_t step_ms = step_ns_ / 1'000'000;
    if (step_ms > to.interval_ms)
      to.interval_ms = static_cast<std::uint32_t>(std::min<std::uint64_t>(step_ms, UINT32_MAX));
    to.covered_ms = static_cast<std::uint32_t>(std::min<std::uint64_t>(value.covered_ms, to.interval_ms));
  }
  return out;
}

void HappeningSteps::add(Key&& key, std::uint64_t time_unix_ns, const SessionId& id, bool reconnect) {
  Happening& one = steps_[std::move(key)];
  if (one.count++ == 0) one.first_unix_ns = time_unix_ns;
  one.last_unix_ns = time_unix_ns;
  one.reconnects += reconnect ? 1 : 0;
  if (one.sessions.size() < happening_samples) one.sessions.push_back(id);
}

void HappeningSteps::opened(std::uint64_t time_unix_ns, const SessionId& id, std::string_view route,
                            std::string_view instance, bool reconnect) {
  add({step_of(time_unix_ns, step_ns_), false, std::string(route), std::string(instance), "", "", 0}, time_unix_ns, id,
      reconnect);
}

void HappeningSteps::ended(std::uint64_t time_unix_ns, const SessionId& id, std::string_view route,
                           std::string_view instance, std::string_view end_reason, std::string_view initiator,
                           std::uint16_t close_code) {
  add({step_of(time_unix_ns, step_ns_), true, std::string(route), std::string(instance), std::string(end_reason),
       std::string(initiator), close_code},
      time_unix_ns, id, false);
}

std::vector<Happening> HappeningSteps::all() && {
  std::vector<Happening> out;
  for (auto& [key, one] : steps_) {
    std::tie(one.time_unix_ns, one.end, one.route, one.instance, one.end_reason, one.initiator, one.close_code) = key;
    out.push_back(std::move(one));
  }
  return out;
}

void CloseSteps::add(std::uint64_t ended_unix_ns, std::string_view route, std::string_view end_reason,
                     std::string_view initiator, std::uint16_t code) {
  ++counts_[{step_ns_ == 0 ? from_ns_ : step_of(ended_unix_ns, step_ns_), std::string(route), std::string(end_reason),
             std::string(initiator), code}];
}

std::vector<CloseCount> CloseSteps::counts() const {
  std::vector<CloseCount> out;
  for (const auto& [key, count] : counts_) {
    auto& to = out.emplace_back();
    std::tie(to.time_unix_ns, to.route, to.end_reason, to.initiator, to.code) = key;
    to.count = count;
    to.abnormal = model::abnormal_end(to.end_reason, to.code);
  }
  return out;
}

LookupSum::LookupSum(const LookupQuery& query) : query_(query), limit_(std::clamp<std::size_t>(query.limit, 1, 100)) {
  for (const char c : query.text) text_ += lower(c);
  std::uint16_t code = 0;
  const char* const end = text_.data() + text_.size();
  const auto read = std::from_chars(text_.data(), end, code);
  if (read.ec == std::errc() && read.ptr == end && code >= 1000 && code < 5000) code_ = code;
}

void LookupSum::add_session(const Session& session) {
  const auto same = [&](const Session& s) { return s.id == session.id; };
  if (std::none_of(out_.sessions.begin(), out_.sessions.end(), same)) out_.sessions.push_back(session);
}

void LookupSum::add_trace(const TraceId& trace) {
  if (out_.traces.size() == limit_) {
    out_.more_traces = true;
  } else {
    out_.traces.push_back(trace);
  }
}

void LookupSum::count(LookupPlace place, std::string_view value, std::uint64_t time) {
  auto& list = found_[static_cast<std::size_t>(place)];
  auto at = list.find(value);
  if (at == list.end()) {
    if (list.size() >= most_values) return;
    at = list.emplace(std::string(value), LookupValue{std::string(value), "", 0, 0}).first;
  }
  ++at->second.count;
  at->second.last_unix_ns = std::max(at->second.last_unix_ns, time);
}

void LookupSum::add_texts(const LookupTexts& s) {
  if (query_.network) {
    const auto address = read_address(s.client);
    if (!address || !query_.network->contains(*address)) return;
    ++out_.network_sessions;
    out_.network_last_unix_ns = std::max(out_.network_last_unix_ns, s.opened_unix_ns);
    count(LookupPlace::client, without_port(s.client), s.opened_unix_ns);
    return;
  }
  if (contains(s.client, text_)) count(LookupPlace::client, without_port(s.client), s.opened_unix_ns);
  for (const auto& [place, text] : {std::pair(LookupPlace::target, s.target),
                                    {LookupPlace::close_reason, s.close_reason},
                                    {LookupPlace::end, s.end_reason},
                                    {LookupPlace::route, s.route},
                                    {LookupPlace::instance, s.instance}})
    if (contains(text, text_)) count(place, text, s.opened_unix_ns);
  if (code_ != 0 && s.close_code == code_) count(LookupPlace::end, text_, s.opened_unix_ns);
}

void LookupSum::add_operation(std::string_view service, std::string_view name, std::uint64_t last_unix_ns) {
  if (!query_.network && contains(name, text_))
    operations_.push_back({std::string(name), std::string(service), 0, last_unix_ns});
}

Lookup LookupSum::result() && {
  for (std::size_t i = 0; i < found_.size(); ++i)
    for (auto& [value, each] : found_[i]) out_.places[i].values.push_back(std::move(each));
  out_.places[static_cast<std::size_t>(LookupPlace::operation)].values = std::move(operations_);
  for (auto& list : out_.places) {
    list.total = list.values.size();
    std::stable_sort(list.values.begin(), list.values.end(), [](const auto& a, const auto& b) {
      return std::tie(b.last_unix_ns, a.value, a.service) < std::tie(a.last_unix_ns, b.value, b.service);
    });
    if (list.values.size() > limit_) list.values.resize(limit_);
  }
  std::stable_sort(out_.sessions.begin(), out_.sessions.end(), [](const auto& a, const auto& b) {
    return std::tie(b.opened_unix_ns, a.id) < std::tie(a.opened_unix_ns, b.id);
  });
  out_.more_sessions = out_.sessions.size() > limit_;
  if (out_.more_sessions) out_.sessions.resize(limit_);
  return std::move(out_);
}

bool ends_with_digits(const SessionId& id, std::string_view digits) {
  constexpr std::string_view hex = "0123456789abcdef";
  if (digits.size() > 2 * id.bytes.size()) return false;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const unsigned byte = id.bytes[id.bytes.size() - 1 - i / 2];
    if (hex[i % 2 == 0 ? byte & 15U : byte >> 4U] != digits[digits.size() - 1 - i]) return false;
  }
  return true;
}

}  // namespace sockeye::store
