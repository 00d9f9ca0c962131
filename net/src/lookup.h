// A name's addresses, looked up on a thread of their own: getaddrinfo cannot be interrupted, and nobody waits for one
// that hangs.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sockeye::net {

class Lookup {
 public:
  using Addresses = std::vector<boost::asio::ip::tcp::endpoint>;
  using Done = std::function<void(boost::system::error_code, Addresses)>;

  // `done` is called on `context`, unless the Lookup is gone by then.
  Lookup(boost::asio::io_context& context, std::string host, std::string port, Done done);
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sockeye::net
