#include "http_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/span_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <sstream>
#include <tuple>

namespace sockeye::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t first_read = 4096;
// A body is leased as it comes, and each such part of it has its time.
constexpr std::size_t body_step = 64 * 1024;
constexpr auto step_time = std::chrono::seconds(10);
constexpr std::size_t lingering_bytes = 1 << 20;
constexpr auto lingering_time = std::chrono::seconds(1);

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

// No coroutine with arguments is awaited within a condition or another's arguments: GCC 12 gives it garbage for them.
asio::awaitable<void> HttpConnection::run() {
  for (bool first = true, more = true; more && !stopping_; first = false) {
    control_.waits();
    if (buffer_.size() == 0) more = co_await wait(first);
    if (more) more = co_await exchange();
  }
  error_code ignored;
  socket_.socket().shutdown(tcp::socket::shutdown_send, ignored);
}

// Kept alive, idle is not yet slow.
asio::awaitable<bool> HttpConnection::wait(bool first) {
  socket_.expires_after(first ? options_.head_timeout : options_.idle_timeout);
  const std::size_t room = std::min(buffer_.max_size(), first_read);
  const auto [error, n] = co_await stream_.async_read_some(buffer_.prepare(room), nothrow);
  if (error) co_return false;
  buffer_.commit(n);
  co_return true;
}

// One request and its answer. False: the connection ends.
asio::awaitable<bool> HttpConnection::exchange() {
  socket_.expires_after(options_.head_timeout);
  Parser parser;
  parser.header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(options_.head_bytes, UINT32_MAX)));
  parser.body_limit(boost::none);
  const bool has_head = co_await read_head(parser);
  if (!has_head) co_return false;
  control_.works();
  Manner manner;
  manner.head = parser.get().method() == http::verb::head;
  manner.keep_alive = parser.keep_alive() && !stopping_;
  manner.version = parser.get().version();
  Request request = to_request(parser);
  if (request.upgrade && site_.upgrade) {
    co_await upgrade(parser, request, manner);
    co_return false;
  }

  std::optional<std::uint64_t> length;
  if (const auto known = parser.content_length()) length = *known;
  if (!length && !parser.chunked()) length = 0;
  Admission admission = site_.admit(request, length);
  if (!admission.refusal) control_.let_in();
  if (!admission.error)
    admission.error = [this](int status, std::string_view message) { return error(status, message); };
  if (!admission.refusal && length.value_or(0) > admission.largest_body)
    admission.refusal = admission.error(
        413, "the body is larger than " + std::to_string(admission.largest_body) + " bytes; send smaller batches");
  if (admission.refusal) {
    if (length.value_or(1) > 0) {  // not read, so it cannot be told from the next request
      co_await refuse(*std::move(admission.refusal), manner);
      co_return false;
    }
    co_return co_await answer(*std::move(admission.refusal), manner);
  }
  if (length.value_or(1) > 0) {
    const bool has_body = co_await read_body(parser, admission, length, manner);
    if (!has_body) co_return false;
    request.body = std::move(parser.get().body());
  }
  Response response = co_await handle(std::move(request));
  co_return co_await answer(std::move(response), manner);
}

asio::awaitable<bool> HttpConnection::read_head(Parser& parser) {
  const auto [failed, ignored] = co_await http::async_read_header(stream_, buffer_, parser, nothrow);
  if (!failed) co_return true;
  const bool malformed = failed.category() == make_error_code(http::error::bad_method).category() &&
                         failed != http::error::end_of_stream && failed != http::error::partial_message;
  if (!malformed) co_return false;
  control_.works();
  const bool too_long = failed == http::error::header_limit || failed == http::error::buffer_overflow;
  Response refusal = error(too_long ? 431 : 400, too_long ? "request head too large" : "bad request");
  co_await refuse(std::move(refusal), Manner());
  co_return false;
}

Request HttpConnection::to_request(const Parser& parser) const {
  const auto& message = parser.get();
  Request out;
  out.method = std::string(view(message.method_string()));
  out.client_address = peer_.address().to_string();
  out.client_port = peer_.port();
  out.tls = stream_.is_secure();
  out.upgrade = beast::websocket::is_upgrade(message);
  for (const auto& field : message) {
    std::string name(view(field.name_string()));
    std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    out.fields.emplace_back(std::move(name), std::string(view(field.value())));
  }
  out.target = std::string(view(message.target()));
  split_target(out.target, out.path, out.query);
  return out;
}

// The last answer of a connection whose bytes are not, or not all, read.
asio::awaitable<void> HttpConnection::refuse(Response refusal, Manner manner) {
  manner.keep_alive = false;
  const bool written = co_await write(std::move(refusal), manner);
  if (written) co_await linger();
}

asio::awaitable<void> HttpConnection::upgrade(Parser& parser, const Request& request, Manner manner) {
  Response refusal = error(404, "no WebSocket here");
  auto accepted = site_.upgrade(request, refusal);
  if (!accepted) {
    co_await refuse(std::move(refusal), manner);
    co_return;
  }
  if (buffer_.size() > 0) co_return;  // a client must wait for the 101 (RFC 6455 §4.1)
  const auto message = parser.release();
  if (accepted->observe) {
    std::ostringstream text;
    text << message;
    stream_.observe(accepted->observe(text.str()));
  }
  const auto conversing = std::make_shared<Conversing>(stream_);
  control_.talks(conversing);
  co_await conversing->run(message, options_.name, *std::move(accepted));
  stream_.observe(nullptr);
}

// True: it is in the parser, and what was leased for it in `admission`.
asio::awaitable<bool> HttpConnection::read_body(Parser& parser, Admission& admission,
                                                std::optional<std::uint64_t> length, Manner manner) {
  if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    http::response<http::empty_body> go(http::status::continue_, manner.version);
    const auto [failed, unused] = co_await http::async_write(stream_, go, nothrow);
    if (failed) co_return false;
  }
  parser.body_limit(admission.largest_body);
  const auto until = std::chrono::steady_clock::now() + options_.body_timeout;
  error_code failed;
  std::vector<std::shared_ptr<void>> leases;
  for (std::size_t leased = 0; !parser.is_done() && !failed;) {
    if (parser.get().body().size() >= leased) {
      const auto step =
          static_cast<std::size_t>(std::min<std::uint64_t>(body_step, length.value_or(SIZE_MAX) - leased));
      auto more = admission.lease_more ? admission.lease_more(step) : std::make_shared<char>();
      if (!more) {
        co_await refuse(*std::move(admission.no_room), manner);
        co_return false;
      }
      leases.push_back(std::move(more));
      leased += step;
      socket_.expires_at(
          std::min<std::chrono::steady_clock::time_point>(until, std::chrono::steady_clock::now() + step_time));
    }
    std::tie(failed, std::ignore) = co_await http::async_read_some(stream_, buffer_, parser, nothrow);
  }
  admission.lease = std::make_shared<std::pair<std::shared_ptr<void>, std::vector<std::shared_ptr<void>>>>(
      std::move(admission.lease), std::move(leases));
  if (!failed) co_return true;
  const bool slow = failed == beast::error::timeout;
  if (slow || failed == http::error::partial_message || failed == http::error::end_of_stream) co_return false;
  const bool large = failed == http::error::body_limit;
  Response refusal = admission.error(large ? 413 : 400, large ? "the body is too large" : "malformed body");
  co_await refuse(std::move(refusal), manner);
  co_return false;
}

asio::awaitable<Response> HttpConnection::handle(Request request) {
  socket_.expires_never();  // ours to answer; the handlers have deadlines of their own
  return asio::async_initiate<const asio::use_awaitable_t<>, void(Response)>(
      [this, request = std::move(request)](auto completion) mutable {
        auto shared = std::make_shared<decltype(completion)>(std::move(completion));
        site_.handle(std::move(request), [shared, executor = stream_.get_executor()](Response done) {
          asio::post(asio::bind_executor(
              executor, [shared, done = std::move(done)]() mutable { std::move (*shared)(std::move(done)); }));
        });
      },
      asio::use_awaitable);
}

// True: another request may follow.
asio::awaitable<bool> HttpConnection::answer(Response response, Manner manner) {
  manner.keep_alive = manner.keep_alive && !response.close;
  const bool written = co_await write(std::move(response), manner);
  co_return written&& manner.keep_alive;
}

asio::awaitable<bool> HttpConnection::write(Response response, Manner manner) {
  http::response<http::span_body<const char>> out;
  out.version(manner.version);
  out.result(static_cast<unsigned>(std::clamp(response.status, 200, 599)));
  out.keep_alive(manner.keep_alive);
  if (!options_.name.empty()) out.set(http::field::server, options_.name);
  out.set("X-Content-Type-Options", "nosniff");
  if (!response.content_type.empty()) out.set(http::field::content_type, response.content_type);
  bool cached = false;
  for (const auto& [name, value] : response.fields) {
    out.set(name, value);
    cached = cached || name == "Cache-Control";
  }
  if (!cached) out.set(http::field::cache_control, "no-store");
  const std::string_view body = response.static_body.empty() ? std::string_view(response.body) : response.static_body;
  if (response.status != 204 && response.status != 304) out.content_length(body.size());
  if (!manner.head) out.body() = {body.data(), body.size()};
  socket_.expires_after(options_.write_timeout);
  http::serializer<false, http::span_body<const char>> serializer(out);
  error_code failed;
  if (manner.head)
    std::tie(failed, std::ignore) = co_await http::async_write_header(stream_, serializer, nothrow);
  else
    std::tie(failed, std::ignore) = co_await http::async_write(stream_, serializer, nothrow);
  co_return !failed;
}

// Closing a socket with unread bytes resets it, and the reset can overtake the answer.
asio::awaitable<void> HttpConnection::linger() {
  error_code ignored;
  control_.waits();
  socket_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  socket_.expires_after(lingering_time);
  buffer_.clear();
  std::array<char, 16384> waste{};
  for (std::size_t total = 0; total < lingering_bytes;) {
    const auto [failed, n] = co_await socket_.async_read_some(asio::buffer(waste), nothrow);
    if (failed) break;
    total += n;
  }
}

Response HttpConnection::error(int status, std::string_view message) const {
  if (site_.error) return site_.error(status, message);
  return {status, "text/plain; charset=utf-8", std::string(message) + "\n"};
}

}  // namespace sockeye::net
