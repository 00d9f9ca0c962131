#include "coverage.h"

#include <gtest/gtest.h>

namespace sockeye::console {
namespace {

using store::Presence;
using End = Presence::End;

constexpr std::uint64_t second_ns = 1'000'000'000, patience = 300 * second_ns;

Presence stretch(const std::string& instance, std::uint64_t from, std::uint64_t until, End end = End::none,
                 std::uint64_t started = 0) {
  Presence out;
  out.who = instance.empty() ? Presence::Who::console : Presence::Who::proxy;
  out.instance = instance;
  out.from_unix_ns = from * second_ns;
  out.until_unix_ns = until * second_ns;
  out.started_unix_ns = (started == 0 ? from : started) * second_ns;
  out.end = end;
  return out;
}

using Found = std::vector<std::tuple<std::string, std::uint64_t, std::uint64_t>>;
Found find(std::vector<Presence> presences, std::uint64_t from, std::uint64_t to, std::uint64_t now,
           std::uint64_t kept_since = 0) {
  Found out;
  for (const auto& each : gaps({std::move(presences), kept_since * second_ns}, {from * second_ns, to * second_ns},
                               now * second_ns, patience))
    out.emplace_back(each.what == Gap::What::before ? "before" : each.instance, each.from_unix_ns / second_ns,
                     each.to_unix_ns / second_ns);
  return out;
}

TEST(Coverage, the_consoles_own_absence) {
  const std::vector<Presence> runs = {stretch("", 100, 200, End::stopped), stretch("", 222, 300),
                                      stretch("", 400, 405)};
  EXPECT_EQ(find(runs, 0, 1000, 500), (Found{{"before", 0, 100}, {"", 200, 222}, {"", 300, 400}}));
  EXPECT_EQ(find(runs, 210, 350, 500), (Found{{"", 210, 222}, {"", 300, 350}}));
  EXPECT_EQ(find(runs, 20, 150, 500), (Found{{"before", 20, 100}})) << "there was none yet";
  EXPECT_EQ(find(runs, 20, 60, 500), (Found{{"before", 20, 60}}));
  EXPECT_EQ(find(runs, 100, 150, 500), Found{});
  EXPECT_EQ(find(runs, 120, 1000, 500, 210), (Found{{"before", 120, 210}, {"", 210, 222}, {"", 300, 400}}))
      << "not kept any more";
  EXPECT_EQ(find(runs, 230, 290, 500), Found{});
}

TEST(Coverage, a_proxy_that_was_not_heard) {
  const auto with = [](std::vector<Presence> proxies) {
    proxies.push_back(stretch("", 100, 1000));
    return proxies;
  };
  EXPECT_EQ(find(with({stretch("a", 110, 200, End::away), stretch("a", 222, 222)}), 100, 2000, 1000),
            (Found{{"a", 200, 222}}));
  EXPECT_EQ(find(with({stretch("a", 110, 200, End::away)}), 100, 2000, 260), (Found{{"a", 200, 260}})) << "still away";
  EXPECT_EQ(find(with({stretch("a", 110, 200, End::lost)}), 100, 2000, 1000), (Found{{"a", 200, 500}})) << "given up";
  EXPECT_EQ(find(with({stretch("a", 110, 200, End::stopped)}), 100, 2000, 1000), Found{})
      << "drained: nothing is missing";
  EXPECT_EQ(find(with({stretch("a", 150, 150, End::none, 120)}), 100, 2000, 1000), (Found{{"a", 120, 150}}));
  EXPECT_EQ(find(with({stretch("a", 150, 150, End::none, 50)}), 100, 2000, 1000), (Found{{"a", 100, 150}}));
}

TEST(Coverage, what_the_console_missed_is_not_missing_twice) {
  // It reported the proxy until it was killed; the proxy was back two seconds, and another ten seconds after it.
  const std::vector<Presence> all = {stretch("", 100, 200),  stretch("", 222, 230),  stretch("a", 110, 110),
                                     stretch("a", 224, 224), stretch("b", 110, 110), stretch("b", 232, 232)};
  EXPECT_EQ(find(all, 100, 2000, 300), (Found{{"", 200, 222}, {"b", 222, 232}}));
}

}  // namespace
}  // namespace sockeye::console
