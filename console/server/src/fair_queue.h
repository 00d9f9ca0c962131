// Jobs that wait, of many clients: each address has its turn, and within it each connection, so that who sends much
// waits for itself. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace sockeye::console {

struct Sender {
  std::string address;
  std::uint16_t port = 0;
};

template <class Job>
class FairQueue {
 public:
  // `most` in all, half of it at most of one address.
  explicit FairQueue(std::size_t most) : most_(most) {}

  [[nodiscard]] bool has_room(const Sender& sender) const {
    const auto found = senders_.find(sender.address);
    return size_ < most_ && (found == senders_.end() || found->second.size < most_ / 2);
  }
  void push(const Sender& sender, Job job) {
    auto& address = senders_[sender.address];
    if (address.size++ == 0) turns_.push_back(sender.address);
    auto& connection = address.connections[sender.port];
    if (connection.empty()) address.turns.push_back(sender.port);
    connection.push_back(std::move(job));
    ++size_;
  }
  std::optional<Job> pop() {
    if (size_ == 0) return std::nullopt;
    --size_;
    const std::string name = std::move(turns_.front());
    turns_.pop_front();
    const auto address = senders_.find(name);
    auto& turns = address->second.turns;
    const auto connection = address->second.connections.find(turns.front());
    turns.pop_front();
    std::optional<Job> out(std::move(connection->second.front()));
    connection->second.pop_front();
    if (connection->second.empty())
      address->second.connections.erase(connection);
    else
      turns.push_back(connection->first);
    if (--address->second.size == 0)
      senders_.erase(address);
    else
      turns_.push_back(name);
    return out;
  }

 private:
  struct Address {
    std::size_t size = 0;
    std::map<std::uint16_t, std::deque<Job>> connections;
    std::deque<std::uint16_t> turns;
  };
  const std::size_t most_;
  std::size_t size_ = 0;
  std::map<std::string, Address> senders_;
  std::deque<std::string> turns_;
};

}  // namespace sockeye::console
