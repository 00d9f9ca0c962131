#include "web_socket_stream.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <utility>

namespace sockeye::net {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using boost::system::error_code;

namespace {

constexpr auto idle_timeout = std::chrono::seconds(60);  // of an accepted one; pings at half of it
constexpr std::size_t write_buffer = 64 * 1024;

beast::string_view view(std::string_view text) { return {text.data(), text.size()}; }

// Beast counts bytes where nobody asks; one handler type for all keeps its operations from being compiled again.
struct Uncounted {
  using executor_type = Stream::Ended::executor_type;
  [[nodiscard]] executor_type get_executor() const noexcept { return ended.get_executor(); }
  void operator()(error_code error, std::size_t) { ended(error); }
  Stream::Ended ended;
};

}  // namespace

struct WebSocketStream::State {
  explicit State(Stream& stream) : socket(stream) {}
  websocket::stream<Stream&> socket;
  beast::flat_buffer incoming;
  websocket::response_type answer;
  std::function<void(std::string_view)> pong;
};

WebSocketStream::WebSocketStream(Stream& stream) : stream_(stream), state_(std::make_unique<State>(stream)) {}
WebSocketStream::~WebSocketStream() = default;

void WebSocketStream::accept(const Request& request, const Acceptance& how, Stream::Ended ended) {
  stream_.next_layer().expires_never();  // the WebSocket's own timeouts take over
  auto& socket = state_->socket;
  auto timeouts = websocket::stream_base::timeout::suggested(beast::role_type::server);
  timeouts.idle_timeout = idle_timeout;
  timeouts.keep_alive_pings = true;
  socket.set_option(timeouts);
  websocket::permessage_deflate deflate;
  deflate.server_enable = how.deflate;
  deflate.server_no_context_takeover = true;  // no window kept for each open page
  deflate.compLevel = 1;
  socket.set_option(deflate);
  socket.read_message_max(how.largest_message);
  socket.set_option(websocket::stream_base::decorator([how](websocket::response_type& response) {
    if (!how.server.empty()) response.set(http::field::server, how.server);
    if (!how.subprotocol.empty()) response.set(http::field::sec_websocket_protocol, how.subprotocol);
  }));
  socket.async_accept(request, std::move(ended));
}

void WebSocketStream::handshake(const Handshake& how, Answer& answer, Stream::Ended ended) {
  stream_.next_layer().expires_never();
  auto& socket = state_->socket;
  socket.set_option(
      websocket::stream_base::timeout{std::chrono::duration_cast<std::chrono::steady_clock::duration>(how.timeout),
                                      websocket::stream_base::none(), false});
  socket.set_option(
      websocket::stream_base::decorator([fields = how.fields, subprotocol = how.subprotocol](auto& request) {
        if (!subprotocol.empty()) request.set(http::field::sec_websocket_protocol, subprotocol);
        for (const auto& [name, value] : fields) request.set(name, value);
      }));
  socket.read_message_max(how.largest_message);
  socket.write_buffer_bytes(write_buffer);
  const auto executor = ended.get_executor();
  socket.async_handshake(state_->answer, how.authority, how.target,
                         Stream::Ended(
                             [this, &answer, ended = std::move(ended)](error_code error) mutable {
                               const auto& response = state_->answer;
                               if (!error || is_declined(error)) answer.status = response.result_int();
                               const auto chosen = response[http::field::sec_websocket_protocol];
                               answer.subprotocol.assign(chosen.data(), chosen.size());
                               ended(error);
                             },
                             executor));
}

void WebSocketStream::read(Stream::Ended ended) {
  auto& state = *state_;
  state.incoming.clear();
  state.socket.async_read(state.incoming, Uncounted{std::move(ended)});
}

std::string_view WebSocketStream::message() const {
  const auto bytes = state_->incoming.cdata();
  return {static_cast<const char*>(bytes.data()), bytes.size()};
}

bool WebSocketStream::got_binary() const { return state_->socket.got_binary(); }

void WebSocketStream::write(std::string_view message, bool binary, Stream::Ended ended) {
  state_->socket.binary(binary);
  state_->socket.async_write(asio::const_buffer(message.data(), message.size()), Uncounted{std::move(ended)});
}

void WebSocketStream::ping(std::string_view payload, Stream::Ended ended) {
  state_->socket.async_ping(websocket::ping_data(view(payload)), std::move(ended));
}

void WebSocketStream::close(std::uint16_t code, std::string_view reason, Stream::Ended ended) {
  websocket::close_reason why;
  why.code = code;
  why.reason = view(reason.substr(0, why.reason.max_size()));
  state_->socket.async_close(why, std::move(ended));
}

bool WebSocketStream::is_closed(const error_code& error) { return error == websocket::error::closed; }
bool WebSocketStream::is_declined(const error_code& error) { return error == websocket::error::upgrade_declined; }
std::uint16_t WebSocketStream::close_code() const { return state_->socket.reason().code; }

void WebSocketStream::on_pong(std::function<void(std::string_view)> handler) {
  state_->pong = std::move(handler);
  if (!state_->pong) return state_->socket.control_callback({});
  state_->socket.control_callback([this](websocket::frame_type kind, beast::string_view payload) {
    if (kind == websocket::frame_type::pong) state_->pong({payload.data(), payload.size()});
  });
}

}  // namespace sockeye::net
