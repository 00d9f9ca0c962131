#include "lookup.h"

#include <pthread.h>

#include <boost/asio/post.hpp>
#include <csignal>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace sockeye::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// Shared with the thread, which may outlive the Lookup.
struct Lookup::State : std::enable_shared_from_this<State> {
  State(asio::io_context& c, Done d) : context(&c), done(std::move(d)) {}

  void finish(error_code error, Addresses addresses) {
    const std::lock_guard lock(mutex);
    if (context == nullptr) return;
    asio::post(*context, [self = shared_from_this(), error, addresses = std::move(addresses)]() mutable {
      // Nobody else takes it away meanwhile: the Lookup is of the thread that this runs on.
      if (self->context != nullptr) self->done(error, std::move(addresses));
    });
  }

  std::mutex mutex;
  asio::io_context* context;  // null: abandoned
  Done done;
};

Lookup::Lookup(asio::io_context& context, std::string host, std::string port, Done done)
    : state_(std::make_shared<State>(context, std::move(done))) {
  const auto look = [state = state_, host = std::move(host), port = std::move(port)] {
    asio::io_context own;
    tcp::resolver resolver(own);
    error_code error;
    Addresses addresses;
    for (const auto& each : resolver.resolve(host, port, error)) addresses.push_back(each.endpoint());
    state->finish(error, std::move(addresses));
  };
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the application's
  try {
    std::thread(look).detach();
  } catch (const std::system_error&) {
    state_->finish(asio::error::try_again, {});
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Lookup::~Lookup() {
  const std::lock_guard lock(state_->mutex);
  state_->context = nullptr;
}

}  // namespace sockeye::net
