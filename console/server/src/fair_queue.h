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

struct Client {
  std::string address;
  std::uint16_t port = 0;
};

template <class Job>
class FairQueue {
 public:
  // `most` in all, half of it at most of one address.
  explicit FairQueue(std::size_t most) : most_(most) {}

  [[nodiscard]] bool has_room(const Client& client) const {
    const auto found = clients_.find(client.address);
    return size_ < most_ && (found == clients_.end() || found->second.size < most_ / 2);
  }
  void push(const Client& client, Job job) {
    auto& address = clients_[client.address];
    if (address.size++ == 0) turns_.push_back(client.address);
    auto& connection = address.connections[client.port];
    if (connection.empty()) address.turns.push_back(client.port);
    connection.push_back(std::move(job));
    ++size_;
  }
  std::optional<Job> pop() {
    if (size_ == 0) return std::nullopt;
    --size_;
    const std::string name = std::move(turns_.front());
    turns_.pop_front();
    const auto address = clients_.find(name);
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
      clients_.erase(address);
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
  std::map<std::string, Address> clients_;
  std::deque<std::string> turns_;
};

}  // namespace sockeye::console
