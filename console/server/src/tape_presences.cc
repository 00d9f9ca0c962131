// Who was there to see: proxies and the console as they come and go, from the stretches of time in which they were
// seen.
#include <algorithm>
#include <map>
#include <tuple>

#include "clock.h"
#include "tape.h"

namespace sockeye::console::tape {
namespace {

using store::Presence;

constexpr std::uint64_t least_gap_ns = second_ns;
constexpr std::uint64_t connect_ns = 60 * second_ns;  // within it a proxy is back after a console's absence
// Of the process that leaves a host and the one that takes its place there.
constexpr std::uint64_t overlap_ns = 60 * second_ns, vacancy_ns = 600 * second_ns;

std::string name_of(const Presence& p) {
  std::string out = p.service.empty() ? "a proxy" : p.service;
  if (!p.host.empty()) out += " on " + p.host;
  return out;
}

std::string with_version(std::string text, const Presence& p) {
  if (!p.version.empty()) text += " (" + p.version + ")";
  return text;
}

// A stretch of a proxy, and what came of it.
struct Stretch {
  const Presence* presence;
  std::uint64_t until_ns;
  enum class Over : std::uint8_t { no, stopped, unheard, with_console } over = Over::no;
  bool replaced = false;
};

class PresenceEntries {
 public:
  PresenceEntries(std::vector<Presence> list, store::TimeRange time, std::uint64_t now_ns)
      : list_(std::move(list)), time_(time), now_ns_(now_ns) {
    // What was written later of one stretch counts.
    std::stable_sort(list_.begin(), list_.end(), [](const Presence& a, const Presence& b) {
      return std::tie(a.from_unix_ns, a.who, a.instance, a.until_unix_ns) <
             std::tie(b.from_unix_ns, b.who, b.instance, b.until_unix_ns);
    });
    const auto same = [](const Presence& a, const Presence& b) {
      return std::tie(a.from_unix_ns, a.who, a.instance) == std::tie(b.from_unix_ns, b.who, b.instance);
    };
    for (auto& each : list_) {
      if (!kept_.empty() && same(*kept_.back(), each))
        kept_.back() = &each;
      else
        kept_.push_back(&each);
    }
    for (const auto* each : kept_)
      if (each->who == Presence::Who::console) runs_.push_back(each);
  }

  std::vector<Entry> of(const std::string& instance) {
    if (instance.empty()) console();
    proxies(instance);
    return std::move(out_);
  }

 private:
  void console() {
    const Presence* before = nullptr;
    for (const auto* run : runs_) {
      if (before != nullptr && run->from_unix_ns > before->until_unix_ns + least_gap_ns)
        add(before->until_unix_ns, run->from_unix_ns, "console_gap", Level::warn,
            "console away for " + duration_text(run->from_unix_ns - before->until_unix_ns) +
                ": of this time is known what the proxies told afterwards",
            "");
      if (before == nullptr || before->started_unix_ns != run->started_unix_ns)
        add(run->from_unix_ns, 0, "console_start", Level::info, with_version("console started", *run), "");
      if (run->end == Presence::End::stopped)
        add(run->until_unix_ns, 0, "console_stop", Level::info, "console stopped", "");
      before = run;
    }
  }

  void proxies(const std::string& instance) {
    std::map<std::string, std::vector<Stretch>> by_instance;
    std::map<std::pair<std::string, std::string>, std::vector<Stretch*>> by_place;  // service and host
    for (const auto* each : kept_)
      if (each->who == Presence::Who::proxy) by_instance[each->instance].push_back(stretch(*each));
    std::vector<std::pair<Stretch*, const Stretch*>> in_order;  // with the one before, of the same process
    for (auto& [id, stretches] : by_instance)
      for (std::size_t i = 0; i < stretches.size(); ++i) {
        settle(stretches[i], i + 1 == stretches.size() ? now_ns_ : stretches[i + 1].presence->from_unix_ns);
        in_order.emplace_back(&stretches[i], i == 0 ? nullptr : &stretches[i - 1]);
      }
    std::stable_sort(in_order.begin(), in_order.end(), [](const auto& a, const auto& b) {
      return a.first->presence->from_unix_ns < b.first->presence->from_unix_ns;
    });
    for (auto& [here, earlier] : in_order) {
      auto& place = by_place[{here->presence->service, here->presence->host}];
      Stretch* const replaced = earlier == nullptr ? left(place, here->presence->from_unix_ns) : nullptr;
      if (replaced != nullptr) replaced->replaced = true;
      if (instance.empty() || instance == here->presence->instance) {
        came(*here, earlier, replaced);
        went(*here);
      }
      place.push_back(here);
    }
  }

  Stretch stretch(const Presence& p) const {
    Stretch out{&p, p.until_unix_ns, Stretch::Over::no};
    const auto [run, after] = runs_of(p);
    if (p.end == Presence::End::stopped) out.over = Stretch::Over::stopped;
    if (p.end == Presence::End::stopped || (p.end == Presence::End::none && after == nullptr)) return out;
    // Nobody reported its end: it was heard as long as somebody listened.
    if (p.end == Presence::End::none && run != nullptr) out.until_ns = std::max(out.until_ns, run->until_unix_ns);
    const bool together = run != nullptr && after != nullptr && out.until_ns + Fleet::silence_ns >= run->until_unix_ns;
    out.over = together ? Stretch::Over::with_console : Stretch::Over::unheard;
    return out;
  }

  // Of what ended with the console it is known only then, when it is heard next or is not: at `next_ns`.
  void settle(Stretch& s, std::uint64_t next_ns) const {
    if (s.over != Stretch::Over::with_console) return;
    if (next_ns > runs_of(*s.presence).second->from_unix_ns + connect_ns) s.over = Stretch::Over::unheard;
  }

  // The console's run that reported it, and the one after.
  std::pair<const Presence*, const Presence*> runs_of(const Presence& p) const {
    const auto after = std::find_if(runs_.begin(), runs_.end(),
                                    [&](const Presence* run) { return run->from_unix_ns > p.from_unix_ns; });
    return {after == runs_.begin() ? nullptr : *(after - 1), after == runs_.end() ? nullptr : *after};
  }

  // The one in the same place that was there last before `from`, and has no successor.
  static Stretch* left(const std::vector<Stretch*>& place, std::uint64_t from) {
    Stretch* out = nullptr;
    for (auto* each : place) {
      const bool gone = each->over != Stretch::Over::no && !each->replaced;
      if (!gone || each->until_ns > from + overlap_ns || each->until_ns + vacancy_ns < from) continue;
      if (out == nullptr || out->until_ns < each->until_ns) out = each;
    }
    return out;
  }

  void came(const Stretch& here, const Stretch* earlier, const Stretch* replaced) {
    const Presence& now = *here.presence;
    const std::string name = name_of(now);
    if (replaced != nullptr) {
      const std::string& version = replaced->presence->version;
      const bool in_order = replaced->over == Stretch::Over::stopped || version != now.version;
      add(now.from_unix_ns, 0, in_order ? "deploy" : "proxy_up", Level::info,
          version == now.version ? with_version(name + (in_order ? " restarted" : " is back, as a new process"), now)
                                 : name + ": " + version + " → " + now.version,
          now.instance);
    } else if (earlier == nullptr) {
      add(now.from_unix_ns, 0, "proxy_up", Level::info, with_version(name + " connected", now), now.instance);
    } else if (earlier->over == Stretch::Over::unheard) {
      const auto away = now.from_unix_ns - std::min(now.from_unix_ns, earlier->until_ns);
      add(now.from_unix_ns, 0, "proxy_up", Level::info, name + " is heard again after " + duration_text(away),
          now.instance);
    }
  }

  void went(const Stretch& here) {
    const Presence& p = *here.presence;
    if (here.over == Stretch::Over::stopped)
      add(here.until_ns, 0, "drain", Level::info, name_of(p) + " drained and stopped", p.instance);
    if (here.over == Stretch::Over::unheard)
      add(here.until_ns, 0, "proxy_lost", Level::bad, name_of(p) + " was not heard any more", p.instance);
  }

  void add(std::uint64_t from, std::uint64_t to, std::string_view kind, Level level, std::string title,
           const std::string& instance) {
    if (from < time_.from_unix_ns || from >= time_.to_unix_ns) return;
    Entry entry;
    entry.time_unix_ns = from;
    entry.to_unix_ns = to == 0 ? from : to;
    entry.kind = kind;
    entry.level = level;
    entry.title = std::move(title);
    entry.instance = instance;
    out_.push_back(std::move(entry));
  }

  std::vector<Presence> list_;
  std::vector<const Presence*> kept_, runs_;  // by `from`; of these, the console's
  const store::TimeRange time_;
  const std::uint64_t now_ns_;
  std::vector<Entry> out_;
};

}  // namespace

std::string duration_text(std::uint64_t ns) {
  const std::uint64_t s = ns / second_ns;
  if (s < 120) return std::to_string(s) + " s";
  return s < 7200 ? std::to_string(s / 60) + " min" : std::to_string(s / 3600) + " h";
}

base::Result<std::vector<Entry>> presences(Api& api, store::TimeRange time, const std::string& instance,
                                           store::Deadline deadline) {
  // All of them: one stretch may be as long as the store is old, and whether somebody came back is known only later.
  auto list = api.store.presences({}, deadline);
  if (!list) return tl::unexpected(list.error());
  const std::uint64_t now = unix_now_ns();
  for (auto& each : api.fleet.presences(now)) list->push_back(std::move(each));
  return PresenceEntries(*std::move(list), time, now).of(instance);
}

}  // namespace sockeye::console::tape
