#include "sockeye/store/network.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sockeye::store {
namespace {

constexpr std::array<std::uint8_t, 12> ipv4_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

bool is_ipv4(const Address& address) { return std::equal(ipv4_prefix.begin(), ipv4_prefix.end(), address.begin()); }

std::optional<Address> parse(std::string_view text) {
  std::array<char, 64> terminated{};
  if (text.empty() || text.size() >= terminated.size()) return std::nullopt;
  std::copy(text.begin(), text.end(), terminated.begin());
  Address out{};
  if (::inet_pton(AF_INET6, terminated.data(), out.data()) == 1) return out;
  std::copy(ipv4_prefix.begin(), ipv4_prefix.end(), out.begin());
  return ::inet_pton(AF_INET, terminated.data(), out.data() + ipv4_prefix.size()) == 1 ? std::optional(out)
                                                                                       : std::nullopt;
}

Network masked(Network network) {
  for (unsigned byte = 0; byte < network.address.size(); ++byte) {
    const unsigned kept = std::min(8U, network.bits > byte * 8 ? network.bits - byte * 8 : 0U);
    network.address[byte] &= static_cast<std::uint8_t>(0xFF00U >> kept);
  }
  return network;
}

}  // namespace

std::optional<Address> read_address(std::string_view client) {
  if (client.starts_with('[')) {
    const auto end = client.find(']');
    return end == std::string_view::npos ? std::nullopt : parse(client.substr(1, end - 1));
  }
  const auto colon = client.find(':');
  if (colon != std::string_view::npos && client.find(':', colon + 1) == std::string_view::npos)
    client = client.substr(0, colon);  // one colon: a port; more: an IPv6 address
  return parse(client);
}

bool Network::contains(const Address& other) const { return masked({other, bits}).address == masked(*this).address; }

std::string Network::text() const {
  const bool ipv4 = is_ipv4(address) && bits >= 96;
  std::array<char, INET6_ADDRSTRLEN> out{};
  ::inet_ntop(ipv4 ? AF_INET : AF_INET6, address.data() + (ipv4 ? ipv4_prefix.size() : 0), out.data(), out.size());
  return std::string(out.data()) + "/" + std::to_string(ipv4 ? bits - 96 : bits);
}

std::optional<Network> read_network(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const bool ipv4 = text.find(':') == std::string_view::npos;
  unsigned bits = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data() + slash + 1, end, bits);
  if (error != std::errc() || at != end || bits > (ipv4 ? 32U : 128U)) return std::nullopt;
  return masked({*address, ipv4 ? bits + 96 : bits});
}

std::optional<Network> neighbourhood(std::string_view client) {
  const auto address = read_address(client);
  if (!address) return std::nullopt;
  return masked({*address, is_ipv4(*address) ? 96U + 24U : 64U});
}

bool ClientFilter::fits(std::string_view client) const {
  if (!network_) return client.starts_with(prefix_);
  const auto address = read_address(client);
  return address && network_->contains(*address);
}

}  // namespace sockeye::store
