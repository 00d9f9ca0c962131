// Tells a reconnect from a new session. An abnormal end leaves one credit for its client; the next session of the same
// client within a minute uses it up. Shared by the workers, since a client that comes back may land on another one;
// touched only when a session opens or ends, never per message, and then in bounded time: in shards, so that workers
// seldom meet, and of what has expired a call clears away only so much. When a balancer fails and thousands end at
// once, nobody pays for all of them a minute later.
//
// Where a route says what identifies a client, that is all there is to it. Everything else may be shared by the clients
// behind one address: then a session is a reconnect only while its identity has no other live session, and of those
// that ended within the minute there is one. A fleet behind one address has many of either, and none of it is taken for
// reconnects.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "identity.h"
#include "sockeye/base/ids.h"
#include "sockeye/base/time.h"

namespace sockeye::proxy {

class Reconnects {
 public:
  static constexpr std::size_t shards = 16;
  static constexpr std::size_t capacity = 131'072;  // ends held; a shard's oldest goes first. 40 bytes each
  static constexpr std::size_t cleared = 16;        // of those expired, in one call
  static constexpr base::Duration lifetime = std::chrono::seconds(60);

  // A live session of an identity, from opened() to its end.
  class Seat {
   public:
    Seat() = default;
    Seat(Reconnects& table, const Identity& who) : table_(&table), who_(who) {}
    ~Seat() { leave(); }
    Seat(Seat&& other) noexcept : table_(std::exchange(other.table_, nullptr)), who_(other.who_) {}
    Seat& operator=(Seat&& other) noexcept {
      leave();
      table_ = std::exchange(other.table_, nullptr);
      who_ = other.who_;
      return *this;
    }
    // The session has ended, abnormally or in order.
    void ended(const base::SessionId& id, bool lost, base::Time now) {
      if (table_ != nullptr) std::exchange(table_, nullptr)->ended(who_, id, lost, now);
    }

   private:
    void leave() {
      if (table_ != nullptr) std::exchange(table_, nullptr)->left(who_);
    }
    Reconnects* table_ = nullptr;
    Identity who_;
  };

  struct Opened {
    Seat seat;
    std::optional<base::SessionId> before;  // the session this one follows; its credit is used up
  };
  [[nodiscard]] Opened opened(const Identity& who, base::Time now);
  // Ends held that are not used up.
  [[nodiscard]] std::size_t size() const { return held_.load(std::memory_order_relaxed); }

 private:
  struct End {
    std::uint64_t key;
    base::SessionId id;
    base::Time until;
    std::uint32_t newer_by;  // positions to the one before of the same key
    bool lost;
    bool used;
  };
  // What is known of one identity.
  struct Entry {
    std::uint32_t live = 0;
    std::uint32_t ends = 0;    // in its shard's order, not used up
    std::uint64_t newest = 0;  // position of the last of them
    bool overflowed = false;   // more ended than are counted here
  };
  using Entries = std::unordered_map<std::uint64_t, Entry>;

  void ended(const Identity& who, const base::SessionId& id, bool lost, base::Time now);
  void left(const Identity& who);

  // Those whose key says so.
  struct Shard {
    std::mutex mutex;
    // Every end is held equally long, so the order of arrival is the order of expiry. Those of one key are chained from
    // the newest; one that is used up stays in `order` until its time comes.
    std::deque<End> order;
    std::uint64_t first = 0;  // position of order.front()
    Entries entries;

    void release(Entries::iterator at) {
      if (at->second.live == 0 && at->second.ends == 0) entries.erase(at);
    }
  };
  [[nodiscard]] Shard& shard(const Identity& who) { return shards_[who.key % shards]; }
  // With the shard's mutex.
  void drop_oldest(Shard&, bool in_time);
  void expire(Shard&, base::Time now);

  std::array<Shard, shards> shards_;
  std::atomic<std::size_t> kept_{0};  // in the shards' orders
  std::atomic<std::size_t> held_{0};  // of them, not used up
};

}  // namespace sockeye::proxy
