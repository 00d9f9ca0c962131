#include "attribute_sets.h"

#include <algorithm>

namespace sockeye::console {
namespace {

using namespace std::chrono_literals;

constexpr auto every = 2s, forget_after = 5s, longest_look = 5s;
constexpr std::size_t most_found = 100'000;

}  // namespace

AttributeSets::AttributeSets(store::Store& store) : store_(store), thread_([this] { run(); }) {}

void AttributeSets::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const AttributeSets::Found> AttributeSets::find(const Attributes& attributes) {
  const std::lock_guard lock(mutex_);
  auto& wanted = wanted_[attributes];
  wanted.asked = Clock::now();
  if (!wanted.found) wake_.notify_all();
  return wanted.found;
}

void AttributeSets::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto now = Clock::now();
    std::erase_if(wanted_, [&](const auto& each) { return now - each.second.asked > forget_after; });
    const auto due = std::min_element(wanted_.begin(), wanted_.end(),
                                      [](const auto& a, const auto& b) { return a.second.looked < b.second.looked; });
    if (due == wanted_.end()) {
      wake_.wait(lock, [this] { return stopping_ || !wanted_.empty(); });
      continue;
    }
    if (now - due->second.looked < every) {
      wake_.wait_until(lock, due->second.looked + every);
      continue;
    }
    const Attributes attributes = due->first;
    lock.unlock();
    auto found = std::make_shared<const Found>(look(attributes));
    lock.lock();
    if (const auto still = wanted_.find(attributes); still != wanted_.end()) {
      still->second.found = std::move(found);
      still->second.looked = Clock::now();
    }
  }
}

AttributeSets::Found AttributeSets::look(const Attributes& attributes) {
  Found out;
  store::SessionQuery query;
  query.state = store::SessionQuery::State::open;
  query.attributes = attributes;
  query.limit = 10'000;
  const auto deadline = Clock::now() + longest_look;
  do {
    const auto page = store_.sessions(query, deadline);
    if (!page) {
      out.complete = false;
      break;
    }
    for (const auto& session : page->items) out.ids.insert(session.id);
    out.complete = out.complete && page->complete;
    query.cursor = page->cursor;
  } while (!query.cursor.empty() && out.complete && out.ids.size() < most_found);
  return out;
}

}  // namespace sockeye::console
