#include "../src/address.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>
#include <fstream>

#include "certificates.h"

namespace sockeye::proxy {
namespace {

std::string parsed(std::string_view text) {
  const auto out = parse_address(text);
  return out ? out->text() : "error: " + out.error().message;
}

TEST(ParseAddress, TakesTheFourForms) {
  EXPECT_EQ(parsed("127.0.0.1:8080"), "127.0.0.1:8080");
  EXPECT_EQ(parsed("localhost:0"), "localhost:0");
  EXPECT_EQ(parsed("[::1]:8080"), "[::1]:8080");
  EXPECT_EQ(parsed("[2001:db8::1]:65535"), "[2001:db8::1]:65535");
  EXPECT_EQ(parsed(":8080"), ":8080");
  EXPECT_EQ(parsed("unix:/run/sockeye.sock"), "unix:/run/sockeye.sock");
  EXPECT_EQ(parsed("unix:relative.sock"), "unix:relative.sock");
}

TEST(ParseAddress, RefusesTheRestWithAReason) {
  const auto forms = std::string("; write host:port, [v6]:port, :port or unix:/path");
  EXPECT_EQ(parsed("localhost"), "error: \"localhost\": no port" + forms);
  EXPECT_EQ(parsed(""), "error: \"\": no port" + forms);
  EXPECT_EQ(parsed("::1:8080"), "error: \"::1:8080\": an IPv6 address goes in brackets" + forms);
  EXPECT_EQ(parsed("[::1]"), "error: \"[::1]\": no port" + forms);
  EXPECT_EQ(parsed("[::1:80"), "error: \"[::1:80\": no ] after the IPv6 address");
  EXPECT_EQ(parsed("[::zz]:80"), "error: \"[::zz]:80\": not an IPv6 address in the brackets");
  EXPECT_EQ(parsed("[::1]80"), "error: \"[::1]80\": text after the ]" + forms);
  EXPECT_EQ(parsed("a:"), "error: \"a:\": the port is not a number from 0 to 65535");
  EXPECT_EQ(parsed("a:65536"), "error: \"a:65536\": the port is not a number from 0 to 65535");
  EXPECT_EQ(parsed("a:-1"), "error: \"a:-1\": the port is not a number from 0 to 65535");
  EXPECT_EQ(parsed("a: 1"), "error: \"a: 1\": the port is not a number from 0 to 65535");
  EXPECT_EQ(parsed("a b:1"), "error: \"a b:1\": not a host name");
  EXPECT_EQ(parsed("a\r\nX: y:1").find("error: "), 0U);
  EXPECT_EQ(parsed("unix:"), "error: \"unix:\": no path after unix:");
  EXPECT_EQ(parsed("unix:/" + std::string(200, 'a')).find("error: "), 0U);
  EXPECT_EQ(parsed(std::string_view("unix:/a\0b", 9)).find("error: "), 0U);
}

std::string upstream(std::string_view url) {
  const auto out = parse_upstream(url);
  if (!out) return "error: " + out.error().message;
  return (out->tls ? "tls " : "plain ") + out->address.text() + " " + out->path;
}

TEST(ParseUpstream, TakesUrlsAndAddresses) {
  EXPECT_EQ(upstream("ws://127.0.0.1:8084"), "plain 127.0.0.1:8084 ");
  EXPECT_EQ(upstream("ws://backend"), "plain backend:80 ");
  EXPECT_EQ(upstream("wss://backend/"), "tls backend:443 ");
  EXPECT_EQ(upstream("WSS://backend/v1/realtime/"), "tls backend:443 /v1/realtime");
  EXPECT_EQ(upstream("http://[::1]:81/x"), "plain [::1]:81 /x");
  EXPECT_EQ(upstream("https://backend:8443"), "tls backend:8443 ");
  EXPECT_EQ(upstream("backend:9000"), "plain backend:9000 ");
  EXPECT_EQ(upstream("unix:/run/app.sock"), "plain unix:/run/app.sock ");
}

TEST(ParseUpstream, RefusesTheRestWithAReason) {
  EXPECT_EQ(upstream("ftp://a"), "error: \"ftp://a\": unknown scheme; use ws://, wss://, http:// or https://");
  EXPECT_EQ(upstream("ws://"), "error: \"ws://\": no host to connect to");
  EXPECT_EQ(upstream("ws://:80"), "error: \"ws://:80\": no host to connect to");
  EXPECT_EQ(upstream(":80"), "error: \":80\": no host to connect to");
  EXPECT_EQ(upstream("ws://a:0"), "error: \"ws://a:0\": port 0 cannot be connected to");
  EXPECT_EQ(upstream("ws://a/b?c"), "error: \"ws://a/b?c\": an upstream has a path, no query and no fragment");
  EXPECT_EQ(upstream("ws://a/b c"), "error: \"ws://a/b c\": the path holds a character that must be percent-encoded");
  // The password must not come back in an error that ends in a log.
  EXPECT_EQ(upstream("ws://user:secret@a"),
            "error: the upstream's URL holds a user name: credentials belong in header fields");
}

TEST(SocketAddress, TextsAndParts) {
  const auto v4 = literal_address({"192.0.2.1", 80, ""});
  const auto v6 = literal_address({"2001:DB8::1", 443, ""});
  const auto mapped = literal_address({"::ffff:192.0.2.1", 80, ""});
  const auto un = literal_address({"", 0, "/run/x.sock"});
  ASSERT_TRUE(v4 && v6 && mapped && un);
  EXPECT_EQ(v4->text(), "192.0.2.1:80");
  EXPECT_EQ(v6->text(), "[2001:db8::1]:443");
  EXPECT_EQ(mapped->text(), "192.0.2.1:80");
  EXPECT_EQ(mapped->host(), "192.0.2.1");
  EXPECT_EQ(un->text(), "unix:/run/x.sock");
  EXPECT_EQ(un->host(), "");
  EXPECT_TRUE(un->is_unix());
  EXPECT_EQ(v6->port(), 443);
  EXPECT_EQ(*v4, *literal_address({"192.0.2.1", 80, ""}));
  EXPECT_FALSE(*v4 == *literal_address({"192.0.2.1", 81, ""}));
  EXPECT_FALSE(literal_address({"localhost", 80, ""}));
  EXPECT_FALSE(literal_address({"127.1", 80, ""}));  // forms that only inet_aton knows are names
  EXPECT_EQ(SocketAddress().text(), "");
}

TEST(AddressBlock, ContainsByPrefix) {
  const auto in = [](std::string_view block, std::string_view address) {
    const auto out = AddressBlock::parse(block);
    EXPECT_TRUE(out) << block;
    return out && out->contains(address);
  };
  EXPECT_TRUE(in("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(in("10.0.0.0/8", "11.0.0.1"));
  EXPECT_TRUE(in("192.0.2.128/25", "192.0.2.255"));
  EXPECT_FALSE(in("192.0.2.128/25", "192.0.2.127"));
  EXPECT_TRUE(in("0.0.0.0/0", "1.2.3.4"));
  EXPECT_FALSE(in("0.0.0.0/0", "::1"));
  EXPECT_TRUE(in("127.0.0.1", "127.0.0.1"));
  EXPECT_FALSE(in("127.0.0.1", "127.0.0.2"));
  EXPECT_TRUE(in("fd00::/8", "fdab::1"));
  EXPECT_TRUE(in("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(in("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_FALSE(in("fd00::/8", "not an address"));
  EXPECT_FALSE(in("unix", "127.0.0.1"));
  EXPECT_TRUE(AddressBlock::parse("unix")->contains(SocketAddress::unix_socket("/x")));
  EXPECT_FALSE(AddressBlock::parse("0.0.0.0/0")->contains(SocketAddress::unix_socket("/x")));
  // An IPv4 client of a dual-stack socket is an IPv4 client.
  EXPECT_TRUE(AddressBlock::parse("10.0.0.0/8")->contains(*literal_address({"::ffff:10.1.1.1", 1, ""})));
  for (const auto* bad :
       {"", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/x", "10.0.0/8", "localhost", "10.0.0.0/-1"})
    EXPECT_FALSE(AddressBlock::parse(bad)) << bad;
}

// ---- sockets

bool acceptable(const Fd& fd) {
  pollfd ready{fd.get(), POLLIN, 0};
  return ::poll(&ready, 1, 0) == 1;
}

// Connects, blocking until it is settled; "" = connected.
std::string connect_result(const SocketAddress& to, Fd* out = nullptr) {
  auto fd = begin_connect(to);
  if (!fd) return fd.error().message;
  pollfd ready{fd->get(), POLLOUT, 0};
  EXPECT_EQ(::poll(&ready, 1, 5000), 1);
  auto error = connect_error(fd->get());
  if (out != nullptr) *out = std::move(*fd);
  return error;
}

TEST(ListenOn, GivesEachWorkerItsOwnQueueOnOnePort) {
  const Address any{"127.0.0.1", 0, ""};
  const auto sockets = listen_on(any, 4);
  ASSERT_TRUE(sockets) << sockets.error().message;
  ASSERT_EQ(sockets->size(), 4U);
  const auto bound = bound_address(sockets->front().get(), any);
  EXPECT_NE(bound.port, 0);
  for (const auto& fd : *sockets) EXPECT_EQ(bound_address(fd.get(), any), bound);
  std::vector<Fd> clients(64);
  for (auto& client : clients) ASSERT_EQ(connect_result(*literal_address(bound), &client), "");
  // The kernel hashes 64 source ports over the group: all on one queue would mean that there is no group.
  std::size_t queues = 0;
  for (const auto& fd : *sockets) queues += acceptable(fd) ? 1 : 0;
  EXPECT_GT(queues, 1U);
}

TEST(ListenOn, APortInUseFailsAlthoughItCouldBeShared) {
  const auto first = listen_on({"127.0.0.1", 0, ""}, 2);
  ASSERT_TRUE(first);
  const auto taken = bound_address(first->front().get(), {"127.0.0.1", 0, ""});
  const auto second = listen_on(taken, 2);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "cannot listen on " + taken.text() + ": address already in use");
}

TEST(ListenOn, APortIsFreeAgainAtOnce) {
  Address address{"127.0.0.1", 0, ""};
  for (int round = 0; round < 3; ++round) {
    const auto sockets = listen_on(address, 1);
    ASSERT_TRUE(sockets) << sockets.error().message;
    address = bound_address(sockets->front().get(), address);
    Fd client;
    ASSERT_EQ(connect_result(*literal_address(address), &client), "");
    Fd accepted(::accept4(sockets->front().get(), nullptr, nullptr, 0));
    ASSERT_TRUE(accepted);
    accepted.reset();  // the server closes first: TIME_WAIT stays on its port
  }
}

TEST(ListenOn, AllInterfacesTakesBothFamilies) {
  const auto sockets = listen_on({"", 0, ""}, 1);
  ASSERT_TRUE(sockets) << sockets.error().message;
  const auto port = bound_address(sockets->front().get(), {"", 0, ""}).port;
  EXPECT_EQ(connect_result(*literal_address({"127.0.0.1", port, ""})), "");
  if (listen_on({"::1", 0, ""}, 1)) {
    EXPECT_EQ(connect_result(*literal_address({"::1", port, ""})), "");
  }
}

TEST(ListenOn, ANameListensOnItsIpv4Address) {
  const auto sockets = listen_on({"localhost", 0, ""}, 1);
  ASSERT_TRUE(sockets) << sockets.error().message;
  const auto port = bound_address(sockets->front().get(), {"localhost", 0, ""}).port;
  EXPECT_EQ(connect_result(*literal_address({"127.0.0.1", port, ""})), "");
}

TEST(ListenOn, ErrorsNameTheAddressAndTheReason) {
  const auto foreign = listen_on({"192.0.2.1", 0, ""}, 1);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().message, "cannot listen on 192.0.2.1:0: cannot assign requested address");
  const auto name = listen_on({"no-such-host.invalid", 80, ""}, 1);
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().message.find("cannot listen on no-such-host.invalid:80: "), 0U);
}

class UnixListenTest : public testing::Test {
 protected:
  test::TemporaryDirectory directory_;
  Address address_{"", 0, directory_.file("x.sock")};
  bool there() const { return std::filesystem::exists(std::filesystem::symlink_status(address_.unix_path)); }
};

TEST_F(UnixListenTest, WorkersShareOneQueue) {
  const auto sockets = listen_on(address_, 3);
  ASSERT_TRUE(sockets) << sockets.error().message;
  ASSERT_EQ(sockets->size(), 3U);
  Fd client;
  ASSERT_EQ(connect_result(*literal_address(address_), &client), "");
  for (const auto& fd : *sockets) EXPECT_TRUE(acceptable(fd));
  EXPECT_EQ(bound_address(sockets->front().get(), address_), address_);
}

TEST_F(UnixListenTest, ReplacesAStaleSocketButNotALiveOne) {
  {
    const auto sockets = listen_on(address_, 1);
    ASSERT_TRUE(sockets);
    const auto second = listen_on(address_, 1);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().message, "cannot listen on " + address_.text() + ": address already in use");
    EXPECT_EQ(connect_result(*literal_address(address_)), "");
  }
  EXPECT_TRUE(there());  // closing leaves the file
  EXPECT_EQ(connect_result(*literal_address(address_)), "connection refused");
  EXPECT_TRUE(listen_on(address_, 1));
}

TEST_F(UnixListenTest, NeverTouchesWhatIsNoSocket) {
  std::ofstream(address_.unix_path) << "precious";
  const auto sockets = listen_on(address_, 1);
  ASSERT_FALSE(sockets);
  EXPECT_EQ(sockets.error().message, "cannot listen on " + address_.text() + ": the file exists and is no socket");
  EXPECT_EQ(std::filesystem::file_size(address_.unix_path), 8U);
  // Nor what a link points to.
  const Address link{"", 0, directory_.file("link.sock")};
  std::filesystem::create_symlink(address_.unix_path, link.unix_path);
  EXPECT_FALSE(listen_on(link, 1));
  EXPECT_TRUE(std::filesystem::exists(address_.unix_path));
}

TEST_F(UnixListenTest, RemovesItsFileAndNoSuccessors) {
  auto sockets = listen_on(address_, 1);
  ASSERT_TRUE(sockets);
  remove_socket_file(sockets->front().get(), address_);
  EXPECT_FALSE(there());

  auto old = listen_on(address_, 1);
  ASSERT_TRUE(old);
  ASSERT_EQ(::unlink(address_.unix_path.c_str()), 0);
  const auto successor = listen_on(address_, 1);
  ASSERT_TRUE(successor);
  remove_socket_file(old->front().get(), address_);
  EXPECT_TRUE(there());
  EXPECT_EQ(connect_result(*literal_address(address_)), "");
}

TEST(BeginConnect, TellsWhyNot) {
  Address gone{"127.0.0.1", 0, ""};
  {
    const auto sockets = listen_on(gone, 1);
    ASSERT_TRUE(sockets);
    gone = bound_address(sockets->front().get(), gone);
  }
  EXPECT_EQ(connect_result(*literal_address(gone)), "connection refused");
  EXPECT_EQ(connect_result(SocketAddress::unix_socket("/nonexistent/x.sock")), "no such file or directory");
}

TEST(ErrnoText, ReadsInTheMiddleOfASentence) {
  EXPECT_EQ(errno_text(EADDRINUSE), "address already in use");
  EXPECT_EQ(errno_text(EIO), "input/output error");
}

}  // namespace
}  // namespace sockeye::proxy
