// Addresses of clients, and networks of them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sockeye::store {

using Address = std::array<std::uint8_t, 16>;  // an IPv4 one as ::ffff:a.b.c.d

// "192.0.2.7", "192.0.2.7:50123", "2001:db8::1", "[2001:db8::1]:443"; none where it is no address.
[[nodiscard]] std::optional<Address> read_address(std::string_view client);

struct Network {
  Address address{};
  unsigned bits = 128;  // 0 … 128; of an IPv4 network 96 more than it says

  [[nodiscard]] bool contains(const Address& other) const;
  [[nodiscard]] std::string text() const;  // "10.1.0.0/16"
};

// "10.1.0.0/16", "2001:db8::/64"; bits beyond the prefix are cleared.
[[nodiscard]] std::optional<Network> read_network(std::string_view text);

// The network that neighbours of a client share: /24 of IPv4, /64 of IPv6.
[[nodiscard]] std::optional<Network> neighbourhood(std::string_view client);

// A filter by client, as every list takes it: a network where it has a slash, else a prefix of the text. "" fits all.
class ClientFilter {
 public:
  explicit ClientFilter(std::string_view filter) : prefix_(filter), network_(read_network(filter)) {}
  [[nodiscard]] bool fits(std::string_view client) const;

 private:
  std::string_view prefix_;
  std::optional<Network> network_;
};

}  // namespace sockeye::store
