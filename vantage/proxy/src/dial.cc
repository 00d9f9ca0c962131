#include "dial.h"

#include <cerrno>
#include <utility>

#include "address.h"
#include "worker.h"

namespace sockeye::proxy {

Dial::Dial(Worker& worker, const Route& route, const ActiveRoute& active, base::Time deadline, DialOwner& owner)
    : worker_(worker), route_(route), active_route_(active), deadline_(deadline), owner_(&owner) {}

Dial::~Dial() { cancel(); }

void Dial::cancel() {
  owner_ = nullptr;
  worker_.timers().disarm(*this);
  if (ticket_ != 0) worker_.forget_ticket(std::exchange(ticket_, 0));
  if (leg_) leg_->close(false);
}

void Dial::begin() {
  worker_.timers().arm(*this, deadline_);
  auto answer = worker_.resolve(route_.upstream, *this, ticket_);
  if (answer) resolved(std::move(answer));
}

void Dial::resolved(Resolver::AnswerPtr answer) {
  ticket_ = 0;
  if (owner_ == nullptr) return;
  answer_ = std::move(answer);
  if (answer_->addresses.empty()) return fail(502, "upstream name cannot be resolved", answer_->error);
  attempt();
}

std::string Dial::upstream_text() const {
  return "route " + route_.name + ": upstream " + route_.upstream.text() + ": ";
}

void Dial::attempt() {
  const auto now = worker_.now();
  const SocketAddress& address = answer_->addresses[next_++];
  const auto left = static_cast<int>(answer_->addresses.size() - next_ + 1);
  worker_.timers().arm(*this, now + (deadline_ - now) / left);
  errno = 0;
  bool exhausted = false;
  const auto try_once = [&] {
    auto fd = begin_connect(address);
    exhausted = fd ? !worker_.commons().overload.spares_upstream(fd->get())
                   : fd.error().message == errno_text(EMFILE) || fd.error().message == errno_text(ENFILE);
    return fd;
  };
  auto fd = try_once();
  if (exhausted && worker_.idle_upstreams().size() > 0) {  // that nobody needs just now
    fd = {};
    worker_.idle_upstreams().clear();
    fd = try_once();
  }
  if (!fd) {
    if (exhausted) return fail(503, "out of file descriptors", upstream_text() + fd.error().message);
    return attempt_failed(false, "upstream refused the connection", address.text() + ": " + fd.error().message);
  }
  if (exhausted) {
    worker_.commons().overload.out_of_descriptors(now);
    return fail(503, "out of file descriptors", upstream_text() + "those left are kept for the metrics port and files");
  }
  connected_ = false;
  leg_ = std::make_unique<Leg>(
      worker_.reactor(), active_route_.tls ? active_route_.tls->connect(std::move(*fd)) : Transport(std::move(*fd)),
      *this);
  if (!leg_->open() || !leg_->watch()) fail(503, "out of memory", upstream_text() + "out of memory");
}

void Dial::attempt_failed(bool timed_out, std::string_view why, const std::string& detail) {
  timed_out_ = timed_out_ || timed_out;
  if (leg_) {
    leg_->close(false);
    worker_.reactor().delete_later(std::move(leg_));
  }
  if (next_ < answer_->addresses.size() && worker_.now() < deadline_) return attempt();
  if (timed_out_) return fail(504, "upstream did not answer the connection in time", detail);
  fail(502, why, detail);
}

void Dial::fail(int status, std::string_view why, const std::string& detail) {
  if (owner_ == nullptr) return;
  DialOwner& owner = *std::exchange(owner_, nullptr);
  cancel();
  owner.dial_failed(status, why, upstream_text() + detail);
}

void Dial::leg_ready(Leg&, std::uint32_t events) {
  if (owner_ == nullptr) return;
  if (!connected_) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
    const std::string error = connect_error(leg_->transport().fd());
    if (!error.empty())
      return attempt_failed(error == errno_text(ETIMEDOUT), "upstream refused the connection",
                            answer_->addresses[next_ - 1].text() + ": " + error);
    connected_ = true;
  }
  step();
}

void Dial::step() {
  const IoResult result = leg_->transport().handshake();
  if (result.state == Io::want_read || result.state == Io::want_write) return;
  if (result.state != Io::ok)
    return attempt_failed(false, "TLS with the upstream failed",
                          answer_->addresses[next_ - 1].text() + ": TLS: " + leg_->transport().error());
  if (leg_->transport().is_tls()) leg_->expect_readable();
  worker_.timers().disarm(*this);
  DialOwner& owner = *std::exchange(owner_, nullptr);
  owner.dialed(std::move(leg_));
}

void Dial::expired(base::Time now) {
  if (owner_ == nullptr) return;
  if (!answer_) return fail(504, "upstream name was not resolved in time", "the name was not resolved in time");
  const std::string what = connected_ ? "TLS handshake timed out" : "connect timed out";
  attempt_failed(true, "", answer_->addresses[next_ - 1].text() + ": " + what);
  // Out of time altogether: attempt_failed() has told the owner, or begun the next address with what is left.
  if (owner_ != nullptr && now >= deadline_) fail(504, "upstream did not answer the connection in time", what);
}

void Dial::leg_fault(Leg&) noexcept { fail(502, "internal error", "internal error"); }
void Dial::timer_fault() noexcept { fail(502, "internal error", "internal error"); }

}  // namespace sockeye::proxy
