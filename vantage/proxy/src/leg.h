// One socket of a connection: its transport, what could not be written yet, and whether there may be something to read.
//
// Registered edge-triggered, once, for reading, writing and the peer's FIN. An edge is remembered in readable() until a
// read has shown that the kernel has no more: for a plain socket that is a read shorter than the buffer (so a message
// costs one recv(2), not a second one that says EAGAIN), for TLS it takes the would-block, since OpenSSL reads ahead. A
// FIN or an error makes readable() last until it was read.
//
// The queue exists only while the peer's socket takes less than it is given. An idle leg is this object and no buffer.
#pragma once

#include <sys/uio.h>

#include <memory>
#include <span>
#include <vector>

#include "reactor.h"
#include "sockeye/base/bytes.h"
#include "sockeye/base/prefetch.h"
#include "transport.h"

namespace sockeye::proxy {

class Leg;

class LegOwner {
 public:
  // Something changed: bytes may be there (leg.readable()), or the queue could move (call flush() when blocked()), or
  // the owner asked to be called again. `events`: epoll's bits.
  virtual void leg_ready(Leg&, std::uint32_t events) = 0;
  virtual void leg_fault(Leg&) noexcept = 0;
  // leg_ready() is so many events ahead, 3 to 1: prefetch what it will touch (Handler::prefetch).
  virtual void prefetch(const Leg&, unsigned /*ahead*/) const noexcept {}

 protected:
  ~LegOwner() = default;
};

class Leg final : public Handler {
 public:
  Leg(Reactor& reactor, Transport transport, LegOwner& owner);
  ~Leg() override;

  // Begins to receive events. False when the kernel refuses.
  [[nodiscard]] bool watch();
  void own(LegOwner& owner) { owner_ = &owner; }
  [[nodiscard]] Transport& transport() { return transport_; }
  [[nodiscard]] bool open() const { return static_cast<bool>(transport_); }
  // Closes now; what is queued is dropped. `reset`: the peer sees an abort.
  void close(bool reset);

  [[nodiscard]] bool readable() const { return readable_; }
  // True once the peer's FIN, or an error, is waiting behind what can be read.
  [[nodiscard]] bool hung_up() const { return hung_up_; }
  // ok with bytes > 0, want_read (nothing at hand), eof, or error.
  IoResult read(base::MutableBytes into);
  // leg_ready() once more before the loop waits.
  void again() { reactor_->again(*this); }
  // Reading is to be tried although no edge came (a TLS handshake may have pulled bytes in; a dead writer's last
  // words).
  void expect_readable() { readable_ = true; }

  // Writes, in order, behind what is queued; what the socket does not take is copied to the queue.
  // ok: all gone; want_write: some is queued; error: the connection is dead.
  Io send(std::span<const iovec> pieces, std::size_t total);
  Io send(base::Bytes bytes);
  Io flush();
  [[nodiscard]] bool blocked() const { return queue_ != nullptr; }
  [[nodiscard]] std::size_t queued() const { return queue_ ? queue_->bytes.size() - queue_->sent : 0; }

  void ready(std::uint32_t events) override;
  void fault() noexcept override { owner_->leg_fault(*this); }
  void prefetch(unsigned ahead) const noexcept override {
    if (!transport_) return;
    if (ahead == farthest)
      base::prefetch(owner_, 384);
    else
      owner_->prefetch(*this, ahead);
  }

 private:
  struct Queue {
    std::vector<base::Byte> bytes;
    std::size_t sent = 0;
  };
  void enqueue(std::span<const iovec> pieces, std::size_t skip);

  Reactor* reactor_;
  LegOwner* owner_;
  Transport transport_;
  std::unique_ptr<Queue> queue_;
  bool readable_ = false;
  bool hung_up_ = false;
};

// Readiness any leg is registered for.
inline constexpr std::uint32_t leg_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

}  // namespace sockeye::proxy
