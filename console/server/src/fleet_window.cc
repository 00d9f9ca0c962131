// The window of the live list that a page shows: what fits, in order.
#include <algorithm>
#include <cctype>

#include "fleet.h"

namespace sockeye::console {
namespace {

constexpr std::uint64_t held_up_ns = 5'000'000'000;  // bytes wait for a moment in every healthy session

bool contains(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

}  // namespace

Window Fleet::window(const Subscription::Sessions& ask, std::uint64_t now_ns,
                     const std::set<base::SessionId>* only) const {
  using Sort = Subscription::Sessions::Sort;
  const std::lock_guard lock(mutex_);
  struct Entry {
    double rank;
    const Live* session;
  };
  std::vector<Entry> list;
  const auto rank = [&](const Live& s) -> double {
    const auto& n = s.now;
    switch (ask.sort) {
      case Sort::opened:
        return static_cast<double>(s.facts.opened_unix_ns);
      case Sort::messages:
        return static_cast<double>(n.messages[0] + n.messages[1]);
      case Sort::bytes:
        return static_cast<double>(n.bytes[0] + n.bytes[1]);
      case Sort::rtt:
        return static_cast<double>(std::max(n.rtt_ns[0].value_or(0), n.rtt_ns[1].value_or(0)));
      case Sort::misses:
        return static_cast<double>(n.missed_total);
      case Sort::buffered:
        return static_cast<double>(n.buffered_bytes[0] + n.buffered_bytes[1]);
      case Sort::silence:
        return -static_cast<double>(
            std::max({n.last_message_unix_ns[0], n.last_message_unix_ns[1], s.facts.opened_unix_ns}));
    }
    return 0;
  };
  const store::ClientFilter client(ask.client);
  for (const auto& [id, session] : sessions_) {
    const auto& f = session->facts;
    const auto& n = session->now;
    if (!ask.route.empty() && f.route != ask.route) continue;
    if (!ask.instance.empty() && session->proxy->hello.instance != ask.instance) continue;
    if (!ask.dialect.empty() && session->now.dialect != ask.dialect) continue;
    if (!client.fits(f.client)) continue;
    if (!ask.text.empty() && !contains(f.target, ask.text) && !contains(f.host, ask.text) &&
        !contains(f.subprotocol, ask.text))
      continue;
    const bool held_up = session->buffered_ns != 0 && now_ns >= session->buffered_ns + held_up_ns;
    const std::uint64_t until = heard(*session, now_ns) ? now_ns : heard_ns(*session);
    const std::uint64_t duration = until > f.opened_unix_ns ? until - f.opened_unix_ns : 0;
    if (duration < ask.min_duration_ns || duration > ask.max_duration_ns || ask.abnormal) continue;
    if (only != nullptr && !only->contains(id)) continue;
    if (ask.trouble && n.misses[0] + n.misses[1] == 0 && !held_up) continue;
    list.push_back({rank(*session), session.get()});
  }
  Window out;
  out.total = sessions_.size();
  out.matched = list.size();
  const auto before = [&](const Entry& a, const Entry& b) {
    if (a.rank != b.rank) return ask.ascending ? a.rank < b.rank : a.rank > b.rank;
    return a.session->facts.id < b.session->facts.id;
  };
  const std::size_t begin = std::min(ask.offset, list.size());
  const std::size_t end = std::min(begin + ask.limit, list.size());
  std::partial_sort(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(end), list.end(), before);
  for (std::size_t i = begin; i < end; ++i) {
    out.sessions.push_back(look(*list[i].session, now_ns));
  }
  return out;
}

}  // namespace sockeye::console
