#include "guard.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace sockeye::console {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr const char* token = "0123456789abcdef";

Request request(Fields fields, bool tls = false) {
  Request out;
  out.method = "GET";
  out.path = "/";
  out.fields = std::move(fields);
  out.client_address = "192.0.2.1";
  out.tls = tls;
  return out;
}

int status(const std::optional<Response>& refusal) { return refusal ? refusal->status : 0; }

std::string field(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.fields)
    if (key == name) return value;
  return "";
}

TEST(HostName, leaves_out_the_port) {
  EXPECT_EQ(host_name("Example.com:443"), "example.com");
  EXPECT_EQ(host_name("example.com"), "example.com");
  EXPECT_EQ(host_name("[::1]:80"), "::1");
  EXPECT_EQ(host_name("[::1]"), "::1");
  EXPECT_EQ(host_name("[::1"), "::1");
  EXPECT_EQ(host_name("["), "");
  EXPECT_EQ(host_name(""), "");
}

TEST(Guard, answers_to_addresses_and_localhost_only) {
  const Guard guard({{}, {"Console.example"}, 200, {}});
  for (const auto* good : {"127.0.0.1:16686", "10.0.0.1", "[::1]:16686", "[fe80::1]", "localhost:16686", "LOCALHOST",
                           "console.example", "CONSOLE.example:443"})
    EXPECT_EQ(status(guard.host(request({{"host", good}}))), 0) << good;
  EXPECT_EQ(status(guard.host(request({}))), 0);  // HTTP/1.0: a program
  for (const auto* bad : {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "1.2.3",
                          "console.example.", "x.console.example", "[::g]", "999.0.0.1", "*"})
    EXPECT_EQ(status(guard.host(request({{"host", bad}}))), 403) << bad;
  const Guard any({{}, {"*"}, 200, {}});
  EXPECT_EQ(status(any.host(request({{"host", "evil.example"}}))), 0);
}

TEST(Guard, knows_its_own_origin_from_others) {
  const Guard guard({});
  const auto with = [&](Fields fields, bool tls = false) {
    fields.emplace_back("host", "localhost:1");
    return status(guard.origin(request(std::move(fields), tls)));
  };
  EXPECT_EQ(with({}), 0);
  EXPECT_EQ(with({{"origin", "http://localhost:1"}}), 0);
  EXPECT_EQ(with({{"origin", "https://localhost:1"}}, true), 0);
  EXPECT_EQ(with({{"sec-fetch-site", "same-origin"}}), 0);
  EXPECT_EQ(with({{"sec-fetch-site", "none"}}), 0);
  EXPECT_EQ(with({{"origin", "http://localhost:2"}}), 403);
  EXPECT_EQ(with({{"origin", "http://localhost:1"}}, true), 403);
  EXPECT_EQ(with({{"origin", "http://evil.example"}}), 403);
  EXPECT_EQ(with({{"origin", "null"}}), 403);
  EXPECT_EQ(with({{"origin", "http://localhost:1.evil.example"}}), 403);
  EXPECT_EQ(with({{"sec-fetch-site", "cross-site"}}), 403);
  EXPECT_EQ(with({{"sec-fetch-site", "same-site"}}), 403);
}

TEST(Guard, without_a_token_asks_for_none) {
  const Guard guard({});
  EXPECT_TRUE(guard.open());
  EXPECT_EQ(status(guard.token(request({}), scope::read)), 0);
}

TEST(Guard, takes_the_bearer_token) {
  const Guard guard({{{token}}, {}, 200, {}});
  const auto with = [&](std::string value) {
    return status(guard.token(request({{"authorization", std::move(value)}}), scope::read));
  };
  EXPECT_EQ(with(std::string("Bearer ") + token), 0);
  EXPECT_EQ(with(std::string("bearer ") + token), 0);
  for (const std::string bad : {"", "Bearer ", "Bearer", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0",
                                "Bearer  0123456789abcdef", "Basic 0123456789abcdef", "0123456789abcdef"})
    EXPECT_EQ(with(bad), 401) << bad;
  const auto refusal = guard.token(request({}), scope::read);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(field(*refusal, "WWW-Authenticate"), "Bearer");
}

TEST(Guard, takes_the_cookie_that_a_login_gave) {
  Guard guard({{{token}}, {}, 200, {}});
  Request login = request({});
  login.body = R"({"token":"0123456789abcdef"})";
  const Response answer = guard.login(login);
  ASSERT_EQ(answer.status, 204);
  const std::string set = field(answer, "Set-Cookie");
  EXPECT_NE(set.find("; HttpOnly; SameSite=Strict"), std::string::npos);
  EXPECT_EQ(set.find("Secure"), std::string::npos);
  EXPECT_EQ(set.find(token), std::string::npos);  // a digest
  const std::string cookie = set.substr(0, set.find(';'));
  EXPECT_EQ(status(guard.token(request({{"cookie", cookie}}), scope::read)), 0);
  EXPECT_EQ(status(guard.token(request({{"cookie", "a=b;  " + cookie + "; c=d"}}), scope::read)), 0);
  EXPECT_EQ(status(guard.token(request({{"cookie", "a=b"}, {"cookie", cookie}}), scope::read)), 0);
  EXPECT_EQ(status(guard.token(request({{"cookie", "x" + cookie}}), scope::read)), 401);
  EXPECT_EQ(status(guard.token(request({{"cookie", cookie + "0"}}), scope::read)), 401);
  EXPECT_EQ(status(guard.token(request({{"cookie", "sockeye_token="}}), scope::read)), 401);
  EXPECT_EQ(status(guard.token(request({{"cookie", std::string("sockeye_token=") + token}}), scope::read)), 401);
  // A wrong bearer token is not mended by a right cookie.
  EXPECT_EQ(status(guard.token(request({{"authorization", "Bearer x"}, {"cookie", cookie}}), scope::read)), 401);

  login.tls = true;
  EXPECT_NE(field(guard.login(login), "Set-Cookie").find("; Secure"), std::string::npos);
  EXPECT_NE(field(Guard::logout(login), "Set-Cookie").find("sockeye_token=; "), std::string::npos);
  EXPECT_NE(field(Guard::logout(login), "Set-Cookie").find("Max-Age=0"), std::string::npos);
}

TEST(Guard, refuses_a_login_that_is_none) {
  Guard guard({{{token}}, {}, 200, {}});
  for (const std::string body : {"", "x", "{}", "[]", R"({"token":1})", R"({"token":null})", R"("token")"}) {
    Request login = request({});
    login.body = body;
    EXPECT_EQ(guard.login(login).status, 400) << body;
  }
}

TEST(Guard, lets_a_burst_pass_and_then_the_rate) {
  Guard guard({{}, {}, 50, {}});
  int passed = 0;
  while (!guard.rate("192.0.2.1") && passed < 1000) ++passed;
  EXPECT_GE(passed, 100);
  EXPECT_LT(passed, 1000);
  const auto refusal = guard.rate("192.0.2.1");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->status, 429);
  EXPECT_EQ(field(*refusal, "Retry-After"), "1");
  EXPECT_FALSE(guard.rate("192.0.2.2"));  // another's bucket is another
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (guard.rate("192.0.2.1") && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_LT(std::chrono::steady_clock::now(), deadline) << "the bucket fills again";
}

TEST(Guard, keeps_a_bounded_number_of_buckets) {
  Guard guard({{}, {}, 1, {}});
  for (int i = 0; i < 20'000; ++i)
    EXPECT_FALSE(guard.rate("10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256)));
}

TEST(Guard, limits_wrong_logins) {
  Guard guard({{{token}}, {}, 200, {}});
  Request login = request({});
  login.body = R"({"token":"wrong"})";
  int wrong = 0;
  Response last;
  while ((last = guard.login(login)).status == 401 && wrong < 1000) ++wrong;
  EXPECT_EQ(last.status, 429);
  EXPECT_EQ(field(last, "Retry-After"), "5");
  EXPECT_GE(wrong, 10);  // as many as the bucket has, and what it filled by meanwhile
  EXPECT_LT(wrong, 100);
  // Not even the right one: it would tell a guesser that it is.
  login.body = R"({"token":"0123456789abcdef"})";
  EXPECT_EQ(guard.login(login).status, 429);
  login.client_address = "192.0.2.2";
  EXPECT_EQ(guard.login(login).status, 204) << "elsewhere nobody guessed";
}

TEST(Guard, lets_who_was_right_before_go_on_beside_who_guesses) {
  const Guard guard({{{token}}, {}, 200, {}});
  const auto with = [&](const std::string& value) {
    return status(guard.token(request({{"authorization", "Bearer " + value}}), scope::export_spans));
  };
  EXPECT_EQ(with(token), 0);
  int wrong = 0;
  while (with("guess") == 401 && wrong < 1000) ++wrong;
  EXPECT_EQ(with("guess"), 429);
  EXPECT_EQ(with(token), 0);
}

TEST(Guard, takes_the_cookie_only_where_a_page_asks) {
  const Guard guard({{{token}}, {}, 200, {}});
  Guard door({{{token}}, {}, 200, {}});
  Request login = request({});
  login.body = R"({"token":"0123456789abcdef"})";
  const std::string set = field(door.login(login), "Set-Cookie");
  const Fields cookie{{"cookie", set.substr(0, set.find(';'))}};
  EXPECT_EQ(status(guard.token(request(cookie), scope::read)), 0);
  EXPECT_EQ(status(guard.token(request(cookie), scope::act)), 0);
  EXPECT_EQ(status(guard.token(request(cookie), scope::export_spans)), 401);
  EXPECT_EQ(status(guard.token(request(cookie), scope::report)), 401);
}

TEST(ClientNetwork, is_an_address_or_a_64) {
  EXPECT_EQ(client_network("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(client_network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
  EXPECT_EQ(client_network("2001:db8:1:2::9"), "2001:db8:1:2::");
  EXPECT_EQ(client_network("::ffff:192.0.2.1"), "::ffff:192.0.2.1");
  EXPECT_EQ(client_network(""), "");
}

}  // namespace
}  // namespace sockeye::console
