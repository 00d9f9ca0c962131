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

Resolver::AnswerPtr failure(std::string why) {
  return std::make_shared<const Resolver::Answer>(Resolver::Answer{{}, std::move(why)});
}

std::string lookup_error(const std::string& host, int code) {
  std::string why = code == EAI_SYSTEM ? errno_text(errno) : ::gai_strerror(code);
  if (!why.empty() && why[0] >= 'A' && why[0] <= 'Z') why[0] = static_cast<char>(why[0] - 'A' + 'a');
  return host + ": " + why;
}

Resolver::AnswerPtr look_up(const Key& key) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const auto port = std::to_string(key.second);
  int error = ::getaddrinfo(key.first.c_str(), port.c_str(), &hints, &found);
  if (error == EAI_NONAME || error == EAI_ADDRFAMILY || error == EAI_NODATA) {
    // AI_ADDRCONFIG does not count loopback: in a namespace with nothing else even localhost would have no address.
    hints.ai_flags = AI_NUMERICSERV;
    error = ::getaddrinfo(key.first.c_str(), port.c_str(), &hints, &found);
  }
  if (error != 0) return failure(lookup_error(key.first, error));
  Resolver::Answer answer;
  for (const auto* it = found; it != nullptr; it = it->ai_next)
    if (it->ai_family == AF_INET || it->ai_family == AF_INET6)
      answer.addresses.emplace_back(it->ai_addr, it->ai_addrlen);
  ::freeaddrinfo(found);
  if (answer.addresses.empty()) return failure(key.first + ": no address");
  return std::make_shared<const Resolver::Answer>(std::move(answer));
}

}  // namespace

struct Resolver::State {
  struct Cached {
    AnswerPtr answer;
    Clock::time_point expires;
  };

  explicit State(Limits l) : limits(l) {}

  void run();
  void keep(const Key& key, const AnswerPtr& answer);

  const Limits limits;
  std::mutex mutex;
  std::condition_variable changed;
  // All below: under `mutex`.
  std::map<Key, Cached> cache;
  std::map<Key, std::vector<Done>> asked;  // being looked up, or in `queue`
  std::deque<Key> queue;
  std::size_t askers = 0;
  bool stopping = false;
  bool calling = false;  // the thread is inside askers' callbacks
  bool ended = false;
  std::thread thread;
};

void Resolver::State::keep(const Key& key, const AnswerPtr& answer) {
  if (cache.size() >= limits.cached && !cache.contains(key)) {
    auto first = cache.begin();
    for (auto it = cache.begin(); it != cache.end(); ++it)
      if (it->second.expires < first->second.expires) first = it;
    if (first != cache.end()) cache.erase(first);
  }
  const auto keep_for = answer->addresses.empty() ? limits.keep_failure : limits.keep;
  cache.insert_or_assign(key, Cached{answer, Clock::now() + keep_for});
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
    const auto answer = look_up(key);
    lock.lock();
    if (stopping) break;
    keep(key, answer);
    auto waiting = std::move(asked[key]);
    asked.erase(key);
    askers -= waiting.size();
    calling = true;
    lock.unlock();
    for (const auto& done : waiting) done(answer);
    waiting.clear();
    lock.lock();
    calling = false;
    changed.notify_all();
  }
  ended = true;
  changed.notify_all();
}

Resolver::Resolver(Limits limits) : state_(std::make_shared<State>(limits)) {
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
  Key key(address.host, address.port);
  auto& s = *state_;
  const std::lock_guard lock(s.mutex);
  if (const auto it = s.cache.find(key); it != s.cache.end()) {
    if (it->second.expires > Clock::now()) return it->second.answer;
    s.cache.erase(it);
  }
  if (s.askers >= s.limits.askers) return failure(address.host + ": too many sessions wait for a name");
  auto it = s.asked.find(key);
  if (it == s.asked.end()) {
    if (s.asked.size() >= s.limits.waiting) return failure(address.host + ": too many names are being looked up");
    it = s.asked.emplace(key, std::vector<Done>{}).first;
    s.queue.push_back(std::move(key));
    s.changed.notify_all();
  }
  it->second.push_back(std::move(done));
  ++s.askers;
  return nullptr;
}

}  // namespace sockeye::proxy
