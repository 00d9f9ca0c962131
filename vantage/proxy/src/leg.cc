#include "leg.h"

#include <algorithm>

namespace sockeye::proxy {

Leg::Leg(Reactor& reactor, Transport transport, LegOwner& owner)
    : reactor_(&reactor), owner_(&owner), transport_(std::move(transport)) {}

Leg::~Leg() { reactor_->forget(*this); }

bool Leg::watch() { return reactor_->add(transport_.fd(), leg_events, *this); }

void Leg::close(bool reset) {
  transport_.close(reset);  // leaves the epoll set with the last descriptor
  queue_.reset();
  readable_ = false;
}

void Leg::ready(std::uint32_t events) {
  if (!open()) return;  // closed by an earlier event of this batch
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    hung_up_ = true;
    readable_ = true;
  }
  // TLS may have to read in order to write and the other way round: any edge is worth a try.
  if ((events & EPOLLIN) != 0 || (transport_.is_tls() && events != 0)) readable_ = true;
  owner_->leg_ready(*this, events);
}

IoResult Leg::read(base::MutableBytes into) {
  const IoResult result = transport_.read(into);
  switch (result.state) {
    case Io::ok:
      readable_ = result.bytes == into.size() || hung_up_ || transport_.is_tls();
      break;
    case Io::want_read:
    case Io::want_write:
      readable_ = false;
      return {0, Io::want_read};
    case Io::eof:
    case Io::error:
      readable_ = false;
      break;
  }
  return result;
}

void Leg::enqueue(std::span<const iovec> pieces, std::size_t skip) {
  if (!queue_) queue_ = std::make_unique<Queue>();
  auto& bytes = queue_->bytes;
  if (queue_->sent > 0 && queue_->sent >= bytes.size() / 2) {
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(queue_->sent));
    queue_->sent = 0;
  }
  for (const auto& piece : pieces) {
    if (skip >= piece.iov_len) {
      skip -= piece.iov_len;
      continue;
    }
    const auto* from = static_cast<const base::Byte*>(piece.iov_base);
    bytes.insert(bytes.end(), from + skip, from + piece.iov_len);
    skip = 0;
  }
}

Io Leg::send(std::span<const iovec> pieces, std::size_t total) {
  if (!open()) return Io::error;
  if (queue_) {
    enqueue(pieces, 0);
    return Io::want_write;
  }
  const IoResult result = transport_.writev(pieces);
  if (result.state == Io::ok && result.bytes == total) return Io::ok;
  if (result.state == Io::error) return Io::error;
  enqueue(pieces, result.bytes);
  return Io::want_write;
}

Io Leg::send(base::Bytes bytes) {
  const iovec piece{const_cast<base::Byte*>(bytes.data()), bytes.size()};
  return bytes.empty() ? (queue_ ? Io::want_write : Io::ok) : send({&piece, 1}, bytes.size());
}

Io Leg::flush() {
  if (!open()) return Io::error;
  if (!queue_) return Io::ok;
  const auto left = base::Bytes(queue_->bytes).subspan(queue_->sent);
  const IoResult result = transport_.write(left);
  if (result.state == Io::error) return Io::error;
  if (result.bytes < left.size()) {
    queue_->sent += result.bytes;
    return Io::want_write;
  }
  queue_.reset();
  return Io::ok;
}

}  // namespace sockeye::proxy
