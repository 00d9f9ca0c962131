// What happened: one tape of the fleet, by time. Opens and ends of sessions are folded by step; each entry has the
// parameters of /api/v1/sessions that list exactly its sessions.
//
// It is read a few steps at a time until the page is full. A cursor holds the range, the step and the place, so that
// later pages are of the same tape however the time goes on.
#include "tape.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "api.h"
#include "clock.h"
#include "coverage.h"
#include "write.h"

namespace sockeye::console {
namespace {

using base::Json;
using tape::Entry;
using tape::Level;

constexpr std::uint64_t tape_steps = 120, first_chunk = 16, largest_chunk = 4096;  // in steps
constexpr std::uint64_t latest_ns = 4'000'000'000'000'000'000;                     // 2096
constexpr std::size_t steps_of_habit = 12, least_habit = 3;                        // before a step: what is usual
constexpr std::uint64_t storm_least = 20, storm_times = 5;

struct Cursor {
  store::TimeRange time;
  std::uint64_t step_ns = 0;
  std::uint64_t at_ns = 0;  // the step that is next: a multiple of step_ns
  std::size_t skip = 0;     // entries of it that were answered
  bool ascending = false;
};

std::string to_text(const Cursor& place) {
  std::string out(place.ascending ? "a" : "d");
  for (const std::uint64_t part : {place.time.from_unix_ns, place.time.to_unix_ns, place.step_ns, place.at_ns,
                                   static_cast<std::uint64_t>(place.skip)}) {
    char digits[16];
    out.append(".").append(digits, std::to_chars(std::begin(digits), std::end(digits), part, 36).ptr);
  }
  return out;
}

std::optional<Cursor> parse_cursor(std::string_view text) {
  Cursor out;
  if (!text.starts_with('a') && !text.starts_with('d')) return std::nullopt;
  out.ascending = text.front() == 'a';
  text.remove_prefix(1);
  std::array<std::uint64_t, 5> parts{};
  for (auto& part : parts) {
    if (!text.starts_with('.')) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), part, 36);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  out.time = {parts[0], parts[1]};
  out.step_ns = parts[2];
  out.at_ns = parts[3];
  out.skip = parts[4];
  const bool sound = text.empty() && out.time.from_unix_ns < out.time.to_unix_ns && out.step_ns >= second_ns &&
                     out.step_ns <= 31 * 86'400 * second_ns && out.at_ns % out.step_ns == 0 &&
                     out.time.to_unix_ns <= latest_ns && out.at_ns <= out.time.to_unix_ns &&
                     out.at_ns >= out.time.from_unix_ns / out.step_ns * out.step_ns;
  return sound ? std::optional(out) : std::nullopt;
}

std::uint64_t step_for(std::uint64_t span_ns) {
  constexpr std::array<std::uint64_t, 13> seconds = {10,   30,    60,    300,    600,    1800,   3600,
                                                     7200, 21600, 43200, 86'400, 604800, 2678400};
  for (const auto each : seconds)
    if (span_ns / second_ns <= each * tape_steps) return each * second_ns;
  return seconds.back() * second_ns;
}

std::string number_of(std::uint64_t count, std::string_view one, std::string_view many) {
  return std::to_string(count) + " " + std::string(count == 1 ? one : many);
}

// Of one step and route (and more, for ends): what several proxies report becomes one entry.
struct Folded {
  std::uint64_t count = 0, reconnects = 0, first = UINT64_MAX, last = 0;
  std::set<std::string> instances;
  std::vector<store::SessionId> sessions;

  void add(const store::Happening& h) {
    count += h.count;
    reconnects += h.reconnects;
    first = std::min(first, h.first_unix_ns);
    last = std::max(last, h.last_unix_ns);
    instances.insert(h.instance);
    for (const auto& id : h.sessions)
      if (sessions.size() < store::happening_samples) sessions.push_back(id);
  }
};

class Tape {
 public:
  Tape(Api& api, const Cursor& from, std::string route, std::string instance, std::set<std::string> kinds)
      : api_(api), from_(from), route_(std::move(route)), instance_(std::move(instance)), kinds_(std::move(kinds)) {}

  // Proxies and consoles are of no route.
  base::Result<void> read_presences(store::Deadline deadline) {
    const auto watch = watch_of(api_, unix_now_ns(), deadline);
    if (!watch) return tl::unexpected(watch.error());
    known_since_ns_ = known_since(*watch);
    if (!route_.empty()) return {};
    auto all = tape::presences(api_, from_.time, instance_, deadline);
    if (!all) return tl::unexpected(all.error());
    for (auto& each : *all) presences_[each.time_unix_ns / from_.step_ns * from_.step_ns].push_back(std::move(each));
    return {};
  }

  // Entries of whole steps [first, end), of those steps that have any, in ascending order. An error, or none when the
  // time is over.
  using Steps = std::map<std::uint64_t, std::vector<Entry>>;
  base::Result<std::optional<Steps>> read(std::uint64_t first, std::uint64_t end, store::Deadline deadline) {
    Steps out(presences_.lower_bound(first), presences_.lower_bound(end));
    if (of_sessions()) {
      const auto complete = read_sessions(first, end, deadline, out);
      if (!complete) return tl::unexpected(complete.error());
      if (!*complete) return std::nullopt;
    }
    for (auto& [step, list] : out) {
      std::erase_if(list, [&](const Entry& e) { return !kinds_.empty() && !kinds_.contains(std::string(e.kind)); });
      std::stable_sort(list.begin(), list.end(), [](const Entry& a, const Entry& b) {
        return std::tie(a.time_unix_ns, a.kind, a.route, a.instance, a.title) <
               std::tie(b.time_unix_ns, b.kind, b.route, b.instance, b.title);
      });
      if (!from_.ascending) std::reverse(list.begin(), list.end());
    }
    std::erase_if(out, [](const auto& each) { return each.second.empty(); });
    return out;
  }

  // The step in which something happened next, from `at` on; none: nothing did.
  base::Result<std::optional<std::uint64_t>> next(std::uint64_t at, store::Deadline deadline) const {
    std::optional<std::uint64_t> out;
    if (from_.ascending) {
      if (const auto found = presences_.lower_bound(at); found != presences_.end()) out = found->first;
    } else if (const auto found = presences_.upper_bound(at); found != presences_.begin()) {
      out = std::prev(found)->first;
    }
    if (!of_sessions()) return out;
    store::HappeningsQuery query;
    query.route = route_;
    query.instance = instance_;
    query.time = from_.time;
    if (from_.ascending)
      query.time.from_unix_ns = std::max(at, query.time.from_unix_ns);
    else
      query.time.to_unix_ns = std::min(at + from_.step_ns, query.time.to_unix_ns);
    const auto found = api_.store.happening(query, !from_.ascending, deadline);
    if (!found) return tl::unexpected(found.error());
    if (!*found) return out;
    const std::uint64_t step = **found / from_.step_ns * from_.step_ns;
    return out ? (from_.ascending ? std::min(*out, step) : std::max(*out, step)) : step;
  }

 private:
  [[nodiscard]] bool of_sessions() const {
    return kinds_.empty() || std::any_of(kinds_.begin(), kinds_.end(), [](const std::string& kind) {
             return kind == "opens" || kind == "ends" || kind == "death" || kind == "storm" || kind == "drain";
           });
  }

  // False when the time is over.
  base::Result<bool> read_sessions(std::uint64_t first, std::uint64_t end, store::Deadline deadline, Steps& out) {
    const std::uint64_t habit = steps_of_habit * from_.step_ns;
    store::HappeningsQuery query;
    query.step_ns = from_.step_ns;
    query.route = route_;
    query.instance = instance_;
    query.time = {first - std::min(first, habit), first};
    const auto before = api_.store.happenings(query, deadline);
    if (!before) return tl::unexpected(before.error());
    query.time = {std::max(first, from_.time.from_unix_ns), std::min(end, from_.time.to_unix_ns)};
    const auto page = api_.store.happenings(query, deadline);
    if (!page) return tl::unexpected(page.error());
    if (!before->complete || !page->complete) return false;
    using Ended = std::tuple<std::string, std::string, std::uint16_t, std::string>;
    std::map<std::uint64_t, std::map<std::string, Folded>> opened;  // by step, route
    std::map<std::uint64_t, std::map<Ended, Folded>> ended;         // by step; route, reason, code; drains by proxy
    for (const auto& each : before->items)
      if (!each.end) opened[each.time_unix_ns][each.route].add(each);
    for (const auto& each : page->items) {
      if (!each.end)
        opened[each.time_unix_ns][each.route].add(each);
      else
        ended[each.time_unix_ns]
             [{each.route, each.end_reason, each.close_code, each.end_reason == "drain" ? each.instance : ""}]
                 .add(each);
    }
    for (auto here = opened.lower_bound(first); here != opened.end(); ++here)
      for (const auto& [route, folded] : here->second) {
        opens(out[here->first], here->first, route, folded);
        storm(out[here->first], here->first, route, folded, opened);
      }
    for (const auto& [step, list] : ended)
      for (const auto& [what, folded] : list) ends(out[step], step, what, folded);
    return true;
  }

  // The step, cut to the range.
  [[nodiscard]] store::TimeRange within(std::uint64_t step) const {
    return {std::max(step, from_.time.from_unix_ns), std::min(step + from_.step_ns, from_.time.to_unix_ns)};
  }

  Entry entry(std::uint64_t step, std::string_view kind, Level level, const std::string& route, const Folded& folded,
              bool end) const {
    Entry out;
    out.time_unix_ns = folded.first;
    out.to_unix_ns = folded.last;
    out.kind = kind;
    out.level = level;
    out.route = route;
    out.instance = folded.instances.size() == 1 ? *folded.instances.begin() : "";
    out.count = folded.count;
    out.sessions = folded.sessions;
    const auto time = within(step);
    out.range_of_ends = end;
    out.range = time;
    if (!route.empty()) out.query.emplace_back("route", route);
    out.exact = !route.empty();
    if (!instance_.empty()) out.query.emplace_back("instance", instance_);
    return out;
  }

  void opens(std::vector<Entry>& to, std::uint64_t step, const std::string& route, const Folded& folded) const {
    auto out = entry(step, "opens", Level::info, route, folded, false);
    out.title = number_of(folded.count, "session opened", "sessions opened");
    if (folded.reconnects > 0) out.title += ", " + number_of(folded.reconnects, "reconnect", "reconnects");
    to.push_back(std::move(out));
  }

  void storm(std::vector<Entry>& to, std::uint64_t step, const std::string& route, const Folded& folded,
             const std::map<std::uint64_t, std::map<std::string, Folded>>& opened) const {
    if (folded.count < storm_least) return;
    std::vector<std::uint64_t> before;
    for (std::size_t i = 1; i <= steps_of_habit; ++i) {
      const std::uint64_t earlier = step - std::min<std::uint64_t>(step, i * from_.step_ns);
      if (earlier < known_since_ns_) break;  // nobody knows what was usual then
      const auto at = opened.find(earlier);
      const bool any = at != opened.end() && at->second.contains(route);
      before.push_back(any ? at->second.at(route).count : 0);
    }
    if (before.size() < least_habit) return;
    const auto middle = before.begin() + static_cast<std::ptrdiff_t>(before.size() / 2);
    std::nth_element(before.begin(), middle, before.end());
    const std::uint64_t usual = *middle;
    if (folded.count < storm_times * std::max<std::uint64_t>(1, usual)) return;
    auto out = entry(step, "storm", Level::warn, route, folded, false);
    out.title = number_of(folded.count, "session opened", "sessions opened") + " within " +
                tape::duration_text(from_.step_ns) + ", usually " + std::to_string(usual);
    if (folded.reconnects > 0) out.title += "; " + number_of(folded.reconnects, "is a reconnect", "are reconnects");
    to.push_back(std::move(out));
  }

  void ends(std::vector<Entry>& to, std::uint64_t step,
            const std::tuple<std::string, std::string, std::uint16_t, std::string>& what, const Folded& folded) const {
    const auto& [route, reason, code, proxy] = what;
    store::Session session;
    session.end.unix_ns = folded.last;
    session.end.why = reason;
    session.end.code = code;
    const bool drain = reason == "drain";
    const bool abnormal = !drain && !store::abnormal(session).empty();
    auto out = entry(step,
                     drain      ? "drain"
                     : abnormal ? "death"
                                : "ends",
                     drain      ? Level::warn
                     : abnormal ? Level::bad
                                : Level::info,
                     route, folded, true);
    out.title = number_of(folded.count, drain ? "session drained" : "session ended",
                          drain ? "sessions drained" : "sessions ended");
    if (!drain) out.title += ": " + (reason.empty() ? std::string("for a reason not known") : reason);
    if (code != 0) out.title += " (" + std::to_string(code) + ")";
    if (!reason.empty()) out.query.emplace_back("end_reason", reason);
    if (code != 0) out.query.emplace_back("close_code", std::to_string(code));
    if (drain && instance_.empty() && !proxy.empty()) out.query.emplace_back("instance", proxy);
    out.exact = out.exact && !reason.empty() && code != 0 && (!drain || !proxy.empty());
    to.push_back(std::move(out));
  }

  Api& api_;
  const Cursor from_;
  const std::string route_, instance_;
  const std::set<std::string> kinds_;
  std::map<std::uint64_t, std::vector<Entry>> presences_;  // by step
  std::uint64_t known_since_ns_ = 0;
};

void write_entry(Json& json, const Entry& entry) {
  json.open('{');
  time_ms(json, "time_ms", entry.time_unix_ns);
  time_ms(json, "to_ms", entry.to_unix_ns == entry.time_unix_ns ? 0 : entry.to_unix_ns);
  json.key("kind").text(entry.kind).key("title").text(entry.title).key("route").text(entry.route);
  json.key("instance").text(entry.instance).key("count").number(entry.count);
  json.key("level").text(entry.level == Level::bad ? "bad" : entry.level == Level::warn ? "warn" : "info");
  json.key("sessions").open('[');
  for (const auto& id : entry.sessions) json.text(base::to_uuid(id));
  json.close(']').key("query");
  if (entry.count == 0 || !entry.exact) {
    json.null();
  } else {
    json.open('{');
    time_ms(json, entry.range_of_ends ? "ended_from_ms" : "opened_from_ms", entry.range.from_unix_ns);
    time_ms(json, entry.range_of_ends ? "ended_to_ms" : "opened_to_ms", entry.range.to_unix_ns);
    for (const auto& [key, value] : entry.query) json.key(key).text(value);
    json.close('}');
  }
  json.close('}');
}

std::set<std::string> kinds_of(Parameters& with) {
  static const std::set<std::string> all = {"opens",         "ends",         "death",      "storm",
                                            "drain",         "deploy",       "proxy_up",   "proxy_lost",
                                            "console_start", "console_stop", "console_gap"};
  std::set<std::string> out;
  for (const auto& kind : with.texts("kind")) {
    if (kind.empty()) continue;
    if (!all.contains(kind))
      with.wrong("kind",
                 "opens, ends, death, storm, drain, deploy, proxy_up, proxy_lost, "
                 "console_start, console_stop or console_gap");
    out.insert(kind);
  }
  return out;
}

// Where a first page begins.
void begin_at(Cursor& place, std::uint64_t step_seconds, bool ascending) {
  place.time.to_unix_ns = std::min({place.time.to_unix_ns, unix_now_ns() + 60 * second_ns, latest_ns});
  if (place.time.from_unix_ns == 0)
    place.time.from_unix_ns = place.time.to_unix_ns - std::min(place.time.to_unix_ns, 3600 * second_ns);
  place.time.from_unix_ns = std::min(place.time.from_unix_ns, place.time.to_unix_ns);
  place.step_ns =
      step_seconds == 0 ? step_for(place.time.to_unix_ns - place.time.from_unix_ns) : step_seconds * second_ns;
  place.ascending = ascending;
  const auto floor = [&](std::uint64_t time) { return time / place.step_ns * place.step_ns; };
  place.at_ns =
      ascending ? floor(place.time.from_unix_ns) : floor(place.time.to_unix_ns - (place.time.to_unix_ns > 0 ? 1 : 0));
}

struct TapePage {
  std::vector<Entry> entries;
  bool complete = true;  // false: the time was over
  bool more = false;     // there is, from `place` on
};

// Reads on from `place`, which is left where the next page begins.
base::Result<TapePage> read_page(Tape& tape, Cursor& place, std::size_t limit, store::Deadline deadline) {
  const std::uint64_t step = place.step_ns;
  const std::uint64_t bottom = place.time.from_unix_ns / step * step;
  TapePage page;
  page.more = place.time.from_unix_ns < place.time.to_unix_ns;
  for (std::uint64_t chunk = first_chunk; page.more && page.entries.size() < limit;
       chunk = std::min({chunk * 2, largest_chunk, latest_ns / step + 1})) {
    const std::uint64_t first =
        place.ascending ? place.at_ns : place.at_ns - std::min(place.at_ns - bottom, (chunk - 1) * step);
    const std::uint64_t end = std::min(place.ascending ? place.at_ns + chunk * step : place.at_ns + step,
                                       (place.time.to_unix_ns + step - 1) / step * step);
    auto read = tape.read(first, end, deadline);
    if (!read) return tl::unexpected(read.error());
    if (!*read) {
      page.complete = false;
      break;
    }
    std::vector<std::pair<std::uint64_t, std::vector<Entry>>> steps((*read)->begin(), (*read)->end());
    if (!place.ascending) std::reverse(steps.begin(), steps.end());
    const auto behind = [&](std::uint64_t at) {  // whether there is something behind this step
      place.skip = 0;
      page.more = place.ascending ? at + step < place.time.to_unix_ns : at > bottom;
      if (page.more) place.at_ns = place.ascending ? at + step : at - step;
      return page.more;
    };
    bool full = false;
    for (auto& [at, list] : steps) {
      if (std::exchange(place.at_ns, at) != at) place.skip = 0;
      for (; place.skip < list.size() && page.entries.size() < limit; ++place.skip)
        page.entries.push_back(std::move(list[place.skip]));
      full = place.skip < list.size();
      if (full) break;
      full = !behind(at) || page.entries.size() == limit;
      if (full) break;
    }
    if (!full && behind(place.ascending ? end - step : first) && steps.empty()) {
      const auto next = tape.next(place.at_ns, deadline);
      if (!next && std::chrono::steady_clock::now() < deadline) return tl::unexpected(next.error());
      if (next) page.more = next->has_value();
      if (next && *next) place.at_ns = **next;
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      page.complete = !page.more;
      break;
    }
  }
  return page;
}

}  // namespace

Response ask_tape(Api& api, std::string_view, Parameters& with) {
  Cursor place;
  place.time = time_range(with);
  const auto asked = with.integer("step_seconds", 0, 1, 31 * 86'400);
  const auto order = with.word("order", {"desc", "asc"});
  const auto limit = with.integer("limit", 200, 1, 1000);
  const std::set<std::string> kinds = kinds_of(with);
  const std::string route = with.text("route"), instance = with.text("instance"), cursor = with.text("cursor");
  if (auto no = refused(with)) return *std::move(no);
  if (cursor.empty()) {
    begin_at(place, asked, order == std::size_t{1});
  } else if (const auto parsed = parse_cursor(cursor)) {
    place = *parsed;
  } else {
    return error_response(400, std::string(store::bad_cursor));
  }
  const auto deadline = api.deadline();
  Tape tape(api, place, route, instance, kinds);
  if (auto read = tape.read_presences(deadline); !read) return store_failed(read.error());
  const auto page = read_page(tape, place, limit, deadline);
  if (!page) return store_failed(page.error());
  Json json;
  json.open('{').key("step_seconds").number(place.step_ns / second_ns).key("entries").open('[');
  for (const Entry& entry : page->entries) write_entry(json, entry);
  json.close(']').key("cursor").text(page->more ? to_text(place) : "").key("complete").boolean(page->complete);
  json.close('}');
  return json_response(json.take());
}

}  // namespace sockeye::console
