// What the live side may hold: bytes of one reporter, and of all. Sessions beyond are not kept, and counted; the
// routes' figures go on without them. Who holds most makes room for those that hold less than half of their part.
#include <algorithm>

#include "fleet.h"

namespace sockeye::console {
namespace {

constexpr std::size_t node_bytes = 64;  // of a hash table or an allocation, about

std::size_t held(const std::string& text) {
  constexpr std::size_t inside = 15;  // of the object itself
  return text.capacity() > inside ? text.capacity() + 1 : 0;
}

std::size_t texts(const model::SessionFacts& facts, const std::string& dialect) {
  std::size_t out = held(dialect);
  for (const auto* each :
       {&facts.route, &facts.client, &facts.target, &facts.host, &facts.subprotocol, &facts.extensions, &facts.server})
    out += held(*each);
  return out;
}

std::size_t held(const store::Session& row) {
  std::size_t out = sizeof row + node_bytes + texts(row, row.dialect);
  for (const auto* each :
       {&row.instance, &row.service, &row.end.why, &row.end.initiator, &row.end.reason, &row.recorder})
    out += held(*each);
  return out;
}

}  // namespace

std::size_t Fleet::held_bytes(const model::SessionFacts& facts, const std::string& dialect) {
  return sizeof(Live) + 2 * node_bytes + texts(facts, dialect);
}

std::size_t Fleet::held_bytes(const live::Summary& route) { return sizeof(Route) + node_bytes + 2 * held(route.route); }

std::size_t Fleet::held_bytes(const live::Detail& detail) {
  std::size_t out = sizeof detail + detail.recorder.capacity() * sizeof(live::Recorded) +
                    detail.calls.capacity() * sizeof(live::OpenCall);
  for (const auto& call : detail.calls) out += held(call.operation);
  return out;
}

void Fleet::hold(Live& session, std::size_t bytes) {
  session.proxy->bytes += bytes - session.bytes;
  bytes_ += bytes - session.bytes;
  if (session.bytes == 0) ++session.proxy->held;
  session.bytes = bytes;
}

void Fleet::drop(Sessions::iterator at) {
  Live& session = *at->second;
  session.proxy->bytes -= session.bytes;
  --session.proxy->held;
  bytes_ -= session.bytes;
  sessions_.erase(at);
}

// Room for so much more of this reporter's. Iterators are invalid after it. Where there was none once, there is none
// for the rest of the report: looking costs as much as there are proxies.
bool Fleet::make_room(const Proxy& proxy, std::size_t more) {
  if (full_ != &proxy && find_room(proxy, more)) return true;
  full_ = &proxy;
  return false;
}

bool Fleet::find_room(const Proxy& proxy, std::size_t more) {
  if (proxy.bytes + more > limit_ / 3 * 2) return false;
  while (bytes_ + more > limit_) {
    std::size_t holders = 0;
    Proxy* most = nullptr;
    for (auto& [instance, each] : proxies_) {
      holders += each->held > 0 || each.get() == &proxy ? 1 : 0;
      if (each->held > 0 && (most == nullptr || each->bytes > most->bytes)) most = each.get();
    }
    // Half of its part: those who hold about as much as each other do not take it from one another in turn.
    if (most == nullptr || most == &proxy || proxy.bytes + more > limit_ / std::max<std::size_t>(holders, 1) / 2)
      return false;
    shed(*most, std::max(most->bytes / 16, more));
  }
  return true;
}

void Fleet::shed(Proxy& proxy, std::size_t bytes) {
  const std::size_t until = bytes_ - std::min(bytes_, bytes);
  for (auto at = sessions_.begin(); at != sessions_.end() && bytes_ > until;) {
    const auto here = at++;
    if (here->second->proxy != &proxy) continue;
    ++not_kept_.sessions;
    forget(here, "lost", "network");
  }
}

void Fleet::keep_end(store::Session&& row) {
  const std::size_t bytes = held(row);
  if (unwritten_.size() >= most_unwritten || unwritten_bytes_ + bytes > most_unwritten_bytes) {
    ++not_kept_.ends;
    return;
  }
  unwritten_bytes_ += bytes;
  unwritten_.push_back(std::move(row));
}

// To the store, unless what it has not answered for is too much already.
void Fleet::hand_ends(store::Batch& batch) {
  if (handed_bytes_ > most_unwritten_bytes) return;
  for (auto& ended : unwritten_) {
    handed_bytes_ += handed_.contains(ended.id) ? 0 : held(ended);
    handed_.insert_or_assign(ended.id, ended);
    batch.sessions.push_back(std::move(ended));
  }
  unwritten_.clear();
  unwritten_bytes_ = 0;
  ends_collected_ = ends_;
}

// The store has answered for it; given back, where it is not kept.
void Fleet::answered(const base::SessionId& id, bool kept) {
  const auto found = handed_.find(id);
  if (found == handed_.end()) return;
  store::Session row = std::move(found->second);
  handed_.erase(found);
  handed_bytes_ -= std::min(handed_bytes_, held(row));
  if (handed_.empty()) handed_bytes_ = 0;
  if (!kept) keep_end(std::move(row));
}

// A place for one more proxy: that of one that is gone and has nothing open, those first that never told of a route.
bool Fleet::make_place() {
  if (proxies_.size() < most_proxies) return true;
  auto least = proxies_.end();
  for (auto at = proxies_.begin(); at != proxies_.end(); ++at) {
    const Proxy& each = *at->second;
    if (each.link != 0 || each.held > 0) continue;
    const auto key = [](const Proxy& p) { return std::pair(p.summarised, p.report_ns); };
    if (least == proxies_.end() || key(each) < key(*least->second)) least = at;
  }
  if (least == proxies_.end()) return false;
  bytes_ -= least->second->bytes;
  proxies_.erase(least);
  return true;
}

NotKept Fleet::not_kept() const {
  const std::lock_guard lock(mutex_);
  return not_kept_;
}

std::size_t Fleet::held_now() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace sockeye::console
