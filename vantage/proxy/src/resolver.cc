#include "resolver.h"

#include <netdb.h>
#include <pthread.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace sockeye::proxy {
namespace {

using Clock = std::chrono::steady_clock;
using Key = std::pair<std::string, std::uint16_t>;

Resolver::AnswerPtr failure(std::string why, bool denied = false) {
  return std::make_shared<const Resolver::Answer>(Resolver::Answer{{}, std::move(why), denied});
}

std::string lookup_error(const std::string& host, int code) {
  std::string why = code == EAI_SYSTEM ? errno_text(errno) : ::gai_strerror(code);
  if (!why.empty() && why[0] >= 'A' && why[0] <= 'Z') why[0] = static_cast<char>(why[0] - 'A' + 'a');
  return host + ": " + why;
}

Resolver::AnswerPtr ask_system(const std::string& host, std::uint16_t number) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const auto port = std::to_string(number);
  int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error == EAI_NONAME || error == EAI_ADDRFAMILY || error == EAI_NODATA) {
    // AI_ADDRCONFIG does not count loopback: in a namespace with nothing else even localhost would have no address.
    hints.ai_flags = AI_NUMERICSERV;
    error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  }
  if (error != 0) return failure(lookup_error(host, error), error == EAI_NONAME || error == EAI_NODATA);
  Resolver::Answer answer;
  for (const auto* it = found; it != nullptr; it = it->ai_next)
    if (it->ai_family == AF_INET || it->ai_family == AF_INET6)
      answer.addresses.emplace_back(it->ai_addr, it->ai_addrlen);
  ::freeaddrinfo(found);
  if (answer.addresses.empty()) return failure(host + ": no address", true);
  return std::make_shared<const Resolver::Answer>(std::move(answer));
}

}  // namespace

struct Resolver::State {
  struct Cached {
    AnswerPtr answer;
    Clock::time_point expires;  // when it is to be asked for again
    Clock::time_point found;    // its addresses
    bool stale = false;         // the last look-up failed, and these are the addresses from before
  };
  struct LookingUp {
    Clock::time_point since;
    std::vector<Done> waiting;
  };

  State(Limits l, Warn w, LookUp f) : limits(l), warn(std::move(w)), look_up(std::move(f)) {}

  void run();
  // What was found, or what stands in for it. `news`: a line to log, or "".
  AnswerPtr keep(const Key& key, const AnswerPtr& found, std::string& news);
  AnswerPtr stand_in(const Key& key, Cached& last, const AnswerPtr& failed, std::string& news) const;
  // The answer that need not wait for a look-up.
  AnswerPtr at_hand(const Key& key);
  // Null: too much is being looked up.
  LookingUp* look_up_soon(const Key& key);

  const Limits limits;
  const Warn warn;
  const LookUp look_up;
  std::mutex mutex;
  std::condition_variable changed;
  // All below: under `mutex`.
  std::map<Key, Cached> cache;
  std::map<Key, LookingUp> asked;  // being looked up, or in `queue`
  std::deque<Key> queue;
  std::size_t askers = 0;
  bool stopping = false;
  bool calling = false;  // the thread is inside askers' callbacks
  bool ended = false;
  std::thread thread;
};

Resolver::AnswerPtr Resolver::State::stand_in(const Key& key, Cached& last, const AnswerPtr& failed,
                                              std::string& news) const {
  const auto now = Clock::now();
  if (last.answer->addresses.empty() || failed->denied || now - last.found >= limits.keep_stale) return nullptr;
  if (!last.stale)
    news = failed->error + "; " + key.first + " keeps the addresses it had, for up to " +
           std::to_string(std::chrono::duration_cast<std::chrono::minutes>(limits.keep_stale).count()) + " min";
  last.stale = true;
  last.expires = now + limits.keep_failure;
  return last.answer;
}

Resolver::AnswerPtr Resolver::State::keep(const Key& key, const AnswerPtr& answer, std::string& news) {
  const auto last = cache.find(key);
  if (last != cache.end() && answer->addresses.empty()) {
    if (auto instead = stand_in(key, last->second, answer, news)) return instead;
  } else if (last != cache.end() && last->second.stale) {
    news = key.first + " is looked up again";
  }
  if (cache.size() >= limits.cached && !cache.contains(key)) {
    auto first = cache.begin();
    for (auto it = cache.begin(); it != cache.end(); ++it)
      if (it->second.expires < first->second.expires) first = it;
    if (first != cache.end()) cache.erase(first);
  }
  const auto keep_for = answer->addresses.empty() ? limits.keep_failure : limits.keep;
  const auto now = Clock::now();
  cache.insert_or_assign(key, Cached{answer, now + keep_for, now});
  return answer;
}

Resolver::AnswerPtr Resolver::State::at_hand(const Key& key) {
  const auto it = cache.find(key);
  if (it == cache.end()) return nullptr;
  Cached& entry = it->second;
  const auto now = Clock::now();
  if (entry.expires > now) return entry.answer;
  const bool lasts = !entry.answer->addresses.empty() && now - entry.found < limits.keep_stale;
  if (!lasts) return nullptr;  // stays until its look-up is over: it may be the addresses' last word
  if (entry.stale) {
    (void)look_up_soon(key);
    return entry.answer;
  }
  const auto under_way = asked.find(key);
  return under_way != asked.end() && now - under_way->second.since >= limits.patience ? entry.answer : nullptr;
}

Resolver::State::LookingUp* Resolver::State::look_up_soon(const Key& key) {
  if (const auto it = asked.find(key); it != asked.end()) return &it->second;
  if (asked.size() >= limits.waiting) return nullptr;
  queue.push_back(key);
  changed.notify_all();
  return &asked.emplace(key, LookingUp{Clock::now(), {}}).first->second;
}

void Resolver::State::run() {
  ::pthread_setname_np(::pthread_self(), "resolver");
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [&] { return stopping || !queue.empty(); });
    if (stopping) break;
    const Key key = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    const auto found = look_up(key.first, key.second);
    lock.lock();
    if (stopping) break;
    std::string news;
    const auto answer = keep(key, found, news);
    auto waiting = std::move(asked[key].waiting);
    asked.erase(key);
    askers -= waiting.size();
    calling = true;
    lock.unlock();
    if (!news.empty() && warn) warn(news);
    for (const auto& done : waiting) done(answer);
    waiting.clear();
    lock.lock();
    calling = false;
    changed.notify_all();
  }
  ended = true;
  changed.notify_all();
}

Resolver::Resolver(Limits limits, Warn warn, LookUp look_up)
    : state_(std::make_shared<State>(limits, std::move(warn), look_up ? std::move(look_up) : ask_system)) {
  state_->thread = std::thread([state = state_] { state->run(); });
}

Resolver::~Resolver() {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  auto dropped = std::exchange(state_->asked, {});
  state_->queue.clear();
  state_->changed.notify_all();
  lock.unlock();
  dropped.clear();  // outside the lock: what askers captured may do anything when it goes
  lock.lock();
  state_->changed.wait(lock, [&] { return !state_->calling; });
  const bool ended = state_->changed.wait_for(lock, std::chrono::seconds(1), [&] { return state_->ended; });
  auto thread = std::move(state_->thread);
  lock.unlock();
  // getaddrinfo cannot be cancelled. The thread holds the state and touches nothing else.
  if (ended) {
    thread.join();
  } else {
    thread.detach();
  }
}

Resolver::AnswerPtr Resolver::resolve(const Address& address, Done done) {
  if (const auto literal = literal_address(address)) {
    return std::make_shared<const Answer>(Answer{{*literal}, ""});
  }
  if (address.host.empty()) return failure("no host");
  const Key key(address.host, address.port);
  auto& s = *state_;
  const std::lock_guard lock(s.mutex);
  if (auto answer = s.at_hand(key)) return answer;
  if (s.askers >= s.limits.askers) return failure(address.host + ": too many sessions wait for a name");
  auto* under_way = s.look_up_soon(key);
  if (under_way == nullptr) return failure(address.host + ": too many names are being looked up");
  under_way->waiting.push_back(std::move(done));
  ++s.askers;
  return nullptr;
}

}  // namespace sockeye::proxy
