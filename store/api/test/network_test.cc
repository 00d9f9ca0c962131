#include "sockeye/store/network.h"

#include <gtest/gtest.h>

namespace sockeye::store {
namespace {

TEST(Network, addresses_with_ports_and_without) {
  const auto four = read_address("192.0.2.7");
  ASSERT_TRUE(four);
  EXPECT_EQ(read_address("192.0.2.7:50123"), four);
  EXPECT_EQ(read_address("::ffff:192.0.2.7"), four);
  const auto six = read_address("2001:db8::1");
  ASSERT_TRUE(six);
  EXPECT_EQ(read_address("[2001:db8::1]:443"), six);
  EXPECT_EQ(read_address("2001:DB8:0:0::1"), six);
  for (const auto* bad : {"", "unix", "192.0.2", "192.0.2.7.1", "[2001:db8::1", "[]:1", "gate.example:80"})
    EXPECT_FALSE(read_address(bad)) << bad;
  EXPECT_FALSE(read_address(std::string(200, '1')));
}

TEST(Network, holds_its_addresses_and_no_others) {
  const auto fits = [](std::string_view filter, std::string_view client) { return ClientFilter(filter).fits(client); };
  EXPECT_TRUE(fits("192.0.2.0/24", "192.0.2.255:1"));
  EXPECT_FALSE(fits("192.0.2.0/24", "192.0.3.0"));
  EXPECT_TRUE(fits("192.0.2.9/24", "192.0.2.1")) << "bits beyond the prefix do not count";
  EXPECT_TRUE(fits("10.64.0.0/10", "10.127.255.255"));
  EXPECT_FALSE(fits("10.64.0.0/10", "10.128.0.0"));
  EXPECT_TRUE(fits("0.0.0.0/0", "203.0.113.1"));
  EXPECT_FALSE(fits("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(fits("192.0.2.7/32", "192.0.2.7"));
  EXPECT_TRUE(fits("2001:db8::/64", "[2001:db8::ffff]:9"));
  EXPECT_FALSE(fits("2001:db8::/64", "2001:db8:0:1::"));
  EXPECT_FALSE(fits("192.0.2.0/24", "unix"));
  EXPECT_TRUE(fits("", "anything"));
  EXPECT_TRUE(fits("192.0.2.", "192.0.2.7:1"));
  EXPECT_FALSE(fits("192.0.2.0/33", "192.0.2.7")) << "no network: a prefix that none has";
}

TEST(Network, of_neighbours) {
  EXPECT_EQ(neighbourhood("192.0.2.7:50123")->text(), "192.0.2.0/24");
  EXPECT_EQ(neighbourhood("[2001:db8:1:2:3::9]:1")->text(), "2001:db8:1:2::/64");
  EXPECT_FALSE(neighbourhood("unix"));
  EXPECT_EQ(read_network("10.1.2.3/8")->text(), "10.0.0.0/8");
  EXPECT_EQ(read_network("::/0")->text(), "::/0");
  for (const auto* bad : {"", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "::/129", "x/8", "10.0.0.0/8x", "10.0.0.0/-1"})
    EXPECT_FALSE(read_network(bad)) << bad;
}

}  // namespace
}  // namespace sockeye::store
