// The floor: the least a proxy that copies can do. It accepts, connects to the upstream, and moves bytes with one recv
// into one shared buffer and one send per read; it parses nothing, knows no message, keeps no buffer while idle.
// Back-pressure is kept because a relay without it is not a relay: what a peer does not take is held (at most one
// buffer a direction) and reading from the other side waits until it is gone.
#include <CLI/CLI.hpp>
#include <memory>
#include <vector>

#include "sockets.h"

namespace sockeye::bench {
namespace {

struct Pair;

struct Leg {
  Pair* pair = nullptr;
  Leg* peer = nullptr;
  int fd = -1;
  bool readable = false;    // an edge came and the socket was not yet drained
  bool last_bytes = false;  // its end was seen: what is readable now is all, up to the end itself
  bool sent_end = false;    // this side will send no more
  bool end_sent = false;    // this side knows that the other will send no more
  std::size_t held_from = 0;
  std::vector<char> held;  // bytes this side did not take yet
};

struct Pair {
  Leg legs[2];
  bool queued = false;
  bool dead = false;
};

class Floor {
 public:
  Floor(const sockaddr_in& listen, const sockaddr_in& upstream, std::size_t buffer)
      : upstream_(upstream), buffer_(buffer), epoll_(::epoll_create1(EPOLL_CLOEXEC)), listener_(listen_on(listen)) {
    watch(epoll_, listener_, EPOLLIN, 0);
  }

  [[noreturn]] void run() {
    std::vector<epoll_event> events(512);
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), again_.empty() ? -1 : 0);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.u64 == 0) {
          accept_some();
        } else {
          on_event(*static_cast<Leg*>(event.data.ptr), event.events);
        }
      }
      // Pairs that had more to read than their turn allowed.
      std::vector<Pair*> turn;
      turn.swap(again_);
      for (Pair* pair : turn) {
        pair->queued = false;
        if (pair->dead) continue;
        for (Leg& leg : pair->legs) {
          if (!pair->dead && leg.readable) relay(leg);
        }
      }
      for (Pair* pair : dead_) {
        if (pair->queued) std::erase(again_, pair);
        delete pair;
      }
      dead_.clear();
    }
  }

 private:
  void accept_some() {
    for (int i = 0; i < 64; ++i) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      no_delay(fd);
      auto pair = std::make_unique<Pair>();
      Leg& client = pair->legs[0];
      Leg& server = pair->legs[1];
      client.fd = fd;
      server.fd = tcp_socket();
      client.pair = server.pair = pair.get();
      client.peer = &server;
      server.peer = &client;
      if (::connect(server.fd, generic(upstream_), sizeof upstream_) != 0 && errno != EINPROGRESS) {
        ::close(client.fd);
        ::close(server.fd);
        continue;
      }
      for (Leg& leg : pair->legs) {
        epoll_event event{};
        event.events = both_edges;
        event.data.ptr = &leg;
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, leg.fd, &event) != 0) fail_errno("epoll_ctl");
      }
      (void)pair.release();
    }
  }

  void on_event(Leg& leg, std::uint32_t events) {
    if (leg.pair->dead) return;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0 && (events & EPOLLIN) == 0) return end(*leg.pair);
    if ((events & EPOLLOUT) != 0 && !leg.held.empty()) flush(leg);
    if (leg.pair->dead || (events & (EPOLLIN | EPOLLRDHUP)) == 0) return;
    if ((events & ended) != 0) leg.last_bytes = true;
    leg.readable = true;
    relay(leg);
  }

  // Reads this leg and writes its peer until the socket is drained, the peer is full, or the turn is over.
  void relay(Leg& leg) {
    Leg& to = *leg.peer;
    for (int turn = 0; turn < 16; ++turn) {
      if (!to.held.empty() || leg.sent_end) return;
      const ssize_t got = ::recv(leg.fd, buffer_.data(), buffer_.size(), 0);
      if (got <= 0) {
        if (got < 0 && errno == EAGAIN) {
          leg.readable = false;
          return;
        }
        if (got < 0) return end(*leg.pair);
        leg.sent_end = true;
        return finish(to);
      }
      const auto length = static_cast<std::size_t>(got);
      ssize_t sent = ::send(to.fd, buffer_.data(), length, MSG_NOSIGNAL);
      if (sent < 0) {
        if (errno != EAGAIN) return end(*leg.pair);  // EAGAIN also while the upstream's connect is under way
        sent = 0;
      }
      if (static_cast<std::size_t>(sent) < length) {
        to.held.assign(buffer_.data() + sent, buffer_.data() + length);
        to.held_from = 0;
        return;
      }
      if (length < buffer_.size() && !leg.last_bytes) {
        leg.readable = false;  // drained
        return;
      }
    }
    if (!leg.pair->queued) {
      leg.pair->queued = true;
      again_.push_back(leg.pair);
    }
  }

  void flush(Leg& to) {
    const ssize_t sent = ::send(to.fd, to.held.data() + to.held_from, to.held.size() - to.held_from, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) end(*to.pair);
      return;
    }
    to.held_from += static_cast<std::size_t>(sent);
    if (to.held_from < to.held.size()) return;
    std::vector<char>().swap(to.held);
    Leg& from = *to.peer;
    if (from.sent_end) return finish(to);
    if (from.readable) relay(from);
  }

  // Passes a half-close on; both directions closed is the end.
  void finish(Leg& to) {
    if (!to.held.empty() || to.end_sent) return;
    to.end_sent = true;
    if (to.sent_end) return end(*to.pair);
    ::shutdown(to.fd, SHUT_WR);
  }

  void end(Pair& pair) {
    if (pair.dead) return;
    pair.dead = true;
    for (Leg& leg : pair.legs) ::close(leg.fd);
    dead_.push_back(&pair);
  }

  sockaddr_in upstream_;
  std::vector<char> buffer_;
  int epoll_;
  int listener_;
  std::vector<Pair*> again_;
  std::vector<Pair*> dead_;
};

}  // namespace
}  // namespace sockeye::bench

int main(int argc, char** argv) {
  CLI::App app{"A relay that copies bytes and does nothing else"};
  std::string listen;
  std::string upstream;
  std::size_t buffer = std::size_t{256} * 1024;
  app.add_option("--listen", listen, "address to listen on")->required();
  app.add_option("--upstream", upstream, "address to connect to")->required();
  // A message of 64 KiB and its header must fit one read: with a buffer of 64 KiB it costs a quarter more.
  app.add_option("--buffer", buffer, "bytes of the shared read buffer");
  CLI11_PARSE(app, argc, argv);
  using namespace sockeye::bench;
  raise_descriptor_limit();
  Floor(parse_address(listen), parse_address(upstream), buffer).run();
}
