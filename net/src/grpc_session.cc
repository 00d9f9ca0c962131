#include "grpc_session.h"

#include <nghttp2/nghttp2.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <utility>

namespace sockeye::net {
namespace {

constexpr std::size_t prefix_bytes = 5, output_bytes = 64 << 10;
constexpr int most_continuations = 4;
constexpr std::size_t far_too_much = 16;  // times field_bytes: not worth an answer

// google.rpc.Code
constexpr int invalid_argument = 3, deadline_exceeded = 4, resource_exhausted = 8, unimplemented = 12, internal = 13;

std::string_view view(const std::uint8_t* text, std::size_t size) {
  return {reinterpret_cast<const char*>(text), size};
}

nghttp2_nv pair(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));  // nghttp2 copies, and changes nothing
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

// PROTOCOL-HTTP2.md, Status-Message: what is not printable ASCII, and '%', as %XX.
std::string percent_encode(std::string_view text) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%') {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += hex[byte >> 4U];
    out += hex[byte & 15U];
  }
  return out;
}

std::string base64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int n = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                  reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(n));
  return out;
}

bool is_grpc(std::string_view type) {
  constexpr std::string_view grpc = "application/grpc";
  return type.starts_with(grpc) && (type.size() == grpc.size() || type[grpc.size()] == '+' || type[grpc.size()] == ';');
}

bool lists(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::string_view each = list.substr(0, list.find(','));
    if (each == word) return true;
    list.remove_prefix(std::min(each.size() + 1, list.size()));
  }
  return false;
}

std::size_t length_of(std::string_view prefix) {
  std::size_t out = 0;
  for (const char c : prefix.substr(1)) out = out << 8U | static_cast<unsigned char>(c);
  return out;
}

std::string prefixed(std::string_view message) {
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(message.size() >> static_cast<unsigned>(shift));
  return out.append(message);
}

// Of a frame that may bring nothing.
int cost_of(const nghttp2_frame_hd& head) {
  const bool ack = (head.flags & NGHTTP2_FLAG_ACK) != 0;
  switch (head.type) {
    case NGHTTP2_DATA:
      return head.length >= GrpcSession::least_data ? 0 : 1;
    case NGHTTP2_RST_STREAM:
      return 8;
    case NGHTTP2_SETTINGS:
      return ack ? 1 : 16;
    case NGHTTP2_PING:
      return ack ? 1 : 4;
    case NGHTTP2_CONTINUATION:
      return 4;
    default:
      return 1;
  }
}

}  // namespace

struct GrpcCallbacks {
  static GrpcSession& self(void* user) { return *static_cast<GrpcSession*>(user); }
  static int enough(bool go_on) { return go_on ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE; }

  static int begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* user) {
    return enough(self(user).pay(cost_of(*head)));
  }
  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    const bool opens = frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    return enough(!opens || self(user).begin(frame->hd.stream_id));
  }
  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                    const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    return enough(self(user).field(frame->hd.stream_id, view(name, name_size), view(value, value_size)));
  }
  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_HEADERS)
      self(user).head_complete(frame->hd.stream_id, last);
    else if (frame->hd.type == NGHTTP2_DATA && last)
      self(user).finish(frame->hd.stream_id);
    return 0;
  }
  static int invalid_frame(nghttp2_session*, const nghttp2_frame*, int, void* user) {
    return enough(self(user).pay(8));
  }
  static int data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* bytes, std::size_t size,
                  void* user) {
    self(user).data(stream, view(bytes, size));
    return 0;
  }
  // Answered before the whole request had come: the client need not send the rest (RFC 9113 §8.1).
  static int frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void*) {
    const auto stream = frame->hd.stream_id;
    if (frame->hd.type == NGHTTP2_HEADERS && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
        nghttp2_session_get_stream_remote_close(session, stream) == 0)
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_NO_ERROR);
    return 0;
  }
  static int stream_closed(nghttp2_session*, std::int32_t stream, std::uint32_t, void* user) {
    self(user).calls_.erase(stream);
    return 0;
  }
  static ssize_t read_answer(nghttp2_session* session, std::int32_t stream, std::uint8_t* to, std::size_t room,
                             std::uint32_t* flags, nghttp2_data_source*, void* user) {
    auto* call = self(user).find(stream);
    if (call == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const std::size_t n = std::min(room, call->body.size() - call->sent);
    std::memcpy(to, call->body.data() + call->sent, n);
    call->sent += n;
    if (call->sent < call->body.size()) return static_cast<ssize_t>(n);
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const auto status = pair("grpc-status", "0");
    if (nghttp2_submit_trailer(session, stream, &status, 1) != 0) return NGHTTP2_ERR_CALLBACK_FAILURE;
    return static_cast<ssize_t>(n);
  }

  static nghttp2_session* session(GrpcSession* user) {
    nghttp2_session_callbacks* calls = nullptr;
    nghttp2_option* option = nullptr;
    nghttp2_session* out = nullptr;
    if (nghttp2_session_callbacks_new(&calls) == 0 && nghttp2_option_new(&option) == 0) {
      nghttp2_session_callbacks_set_on_begin_frame_callback(calls, begin_frame);
      nghttp2_session_callbacks_set_on_begin_headers_callback(calls, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(calls, header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(calls, frame_received);
      nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(calls, invalid_frame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, data);
      nghttp2_session_callbacks_set_on_frame_send_callback(calls, frame_sent);
      nghttp2_session_callbacks_set_on_stream_close_callback(calls, stream_closed);
      nghttp2_option_set_max_continuations(option, most_continuations);
      nghttp2_option_set_no_closed_streams(option, 1);
      nghttp2_session_server_new2(&out, calls, user, option);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(calls);
    return out;
  }
};

GrpcSession::GrpcSession(const GrpcSite& site, const Request& peer, Owner& owner, Time now)
    : site_(site), peer_(peer), owner_(owner), session_(GrpcCallbacks::session(this)), now_(now), refilled_(now) {
  // Without RFC 7540's priorities, nothing is kept of streams that are idle or closed.
  const std::array<nghttp2_settings_entry, 4> settings{{{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams_at_once},
                                                        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, shy_window},
                                                        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, field_bytes},
                                                        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}}};
  broken_ = session_ == nullptr ||
            nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) != 0;
}

GrpcSession::~GrpcSession() { nghttp2_session_del(session_); }

bool GrpcSession::receive(std::string_view bytes, Time now) {
  now_ = now;
  if (const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - refilled_); seconds.count() > 0) {
    refilled_ += seconds;
    purse_ = static_cast<int>(std::min<std::int64_t>(purse, purse_ + seconds.count() * refill_per_second));
  }
  if (broken_) return false;
  idle_bytes_ += bytes.size();
  const auto n = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  // What nghttp2 will not go on with is a flood, or no HTTP/2 at all.
  misbehaved_ = misbehaved_ || (n < 0 && n != NGHTTP2_ERR_BAD_CLIENT_MAGIC && n != NGHTTP2_ERR_NOMEM) ||
                !pay(static_cast<int>(idle_bytes_ / bytes_a_coin));
  idle_bytes_ %= bytes_a_coin;
  broken_ = misbehaved_ || n < 0;
  return !broken_ && nghttp2_session_want_read(session_) != 0;
}

bool GrpcSession::tick(Time now) {
  now_ = now;
  if (broken_) return false;
  for (auto& [stream, call] : calls_) {
    const auto waited = now - call.since;
    // It asks, and does not take the answer; or sends a part of a header block.
    if ((call.state == Call::State::answering && waited >= answer_patience) ||
        (call.state == Call::State::head && waited >= body_patience)) {
      misbehaved_ = broken_ = true;
      return false;
    }
    if (call.state != Call::State::body || waited < body_patience) continue;
    if (call.body.size() >= call.progress + body_progress && now - call.began < longest_body) {
      call.progress = call.body.size();
      call.since = now;
      continue;
    }
    ++slow_bodies_;
    refuse(stream, call, {deadline_exceeded, "the message comes too slowly"});
  }
  return true;
}

void GrpcSession::output(std::string& out) {
  out.clear();
  if (session_ == nullptr) return;
  if (misbehaved_) {
    const auto last = static_cast<std::uint32_t>(nghttp2_session_get_last_proc_stream_id(session_));
    out = std::string("\0\0\x08\x07\0\0\0\0\0", 9);  // GOAWAY, RFC 9113 §6.8
    for (const std::uint32_t word : {last, std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM}})
      for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(word >> static_cast<unsigned>(shift));
    nghttp2_session_del(std::exchange(session_, nullptr));
    calls_.clear();
    return;
  }
  while (out.size() < output_bytes) {
    const std::uint8_t* bytes = nullptr;
    const auto n = nghttp2_session_mem_send(session_, &bytes);
    broken_ = broken_ || n < 0;
    if (n <= 0) return;
    out.append(view(bytes, static_cast<std::size_t>(n)));
  }
}

void GrpcSession::leave() {
  if (std::exchange(leaving_, true) || session_ == nullptr) return;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

bool GrpcSession::over() const { return broken_ || (leaving_ && calls_.empty()); }

bool GrpcSession::pay(int cost) {
  if (purse_ >= cost) {
    purse_ -= cost;
    return true;
  }
  misbehaved_ = true;
  return false;
}

bool GrpcSession::begin(std::int32_t stream) {
  // Calls that the peer has reset are still answered: what it may have under way at once counts them.
  if (outstanding_ >= streams_at_once)
    return nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_REFUSED_STREAM) == 0;
  auto& call = calls_[stream];
  call.began = call.since = now_;
  call.request.client_address = peer_.client_address;
  call.request.client_port = peer_.client_port;
  call.request.tls = peer_.tls;
  return true;
}

bool GrpcSession::field(std::int32_t stream, std::string_view name, std::string_view value) {
  auto* call = find(stream);
  if (call == nullptr) return true;
  call->field_bytes += name.size() + value.size() + 32;
  ++call->fields;
  if (call->field_bytes > field_bytes || call->fields > field_count) {
    misbehaved_ = misbehaved_ || call->field_bytes > far_too_much * field_bytes;
    return !misbehaved_;
  }
  if (call->state != Call::State::head) return true;  // trailers: gRPC knows none of a request
  auto& request = call->request;
  if (name == ":method")
    request.method = value;
  else if (name == ":path")
    request.path = request.target = value;
  else if (name == ":authority")
    request.fields.emplace_back("host", value);
  else if (!name.starts_with(':'))
    request.fields.emplace_back(name, value);
  return true;
}

void GrpcSession::head_complete(std::int32_t stream, bool last) {
  auto* call = find(stream);
  if (call == nullptr) return;
  if (call->state == Call::State::head) {
    call->state = Call::State::body;
    if (call->request.method != "POST") return refuse_http(stream, *call, "405");
    if (!is_grpc(call->request.field("content-type"))) return refuse_http(stream, *call, "415");
    if (const auto why = judge(*call)) return refuse(stream, *call, *why);
    welcome();
  }
  if (last) finish(stream);
}

std::optional<GrpcStatus> GrpcSession::judge(Call& call) {
  if (call.field_bytes > field_bytes || call.fields > field_count)
    return GrpcStatus{resource_exhausted,
                      "the header fields are larger than " + std::to_string(field_bytes) + " bytes"};
  call.admission = site_.admit(call.request);
  if (call.admission.refusal) return call.admission.refusal;
  const auto encoding = call.request.field("grpc-encoding");
  if (!encoding.empty() && encoding != "identity" && !lists(site_.encodings, encoding))
    return GrpcStatus{unimplemented, "grpc-encoding: expected identity or one of " + std::string(site_.encodings)};
  return std::nullopt;
}

// Somebody whom the site lets in: windows as wide as is worth it.
void GrpcSession::welcome() {
  if (std::exchange(let_in_, true)) return;
  const nghttp2_settings_entry wide{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &wide, 1);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, connection_window);
  owner_.let_in();
}

void GrpcSession::data(std::int32_t stream, std::string_view bytes) {
  auto* call = find(stream);
  if (call == nullptr || call->state != Call::State::body) return;
  idle_bytes_ -= std::min(idle_bytes_, bytes.size());
  if (const auto why = keep(*call, bytes)) refuse(stream, *call, *why);
}

std::optional<GrpcStatus> GrpcSession::keep(Call& call, std::string_view bytes) {
  if (call.prefix.size() < prefix_bytes) {
    const std::size_t n = std::min(prefix_bytes - call.prefix.size(), bytes.size());
    call.prefix.append(bytes.substr(0, n));
    bytes.remove_prefix(n);
    if (call.prefix.size() < prefix_bytes) return std::nullopt;
    call.length = length_of(call.prefix);
    if (call.length > call.admission.largest_message)
      return GrpcStatus{resource_exhausted, "the message is larger than " +
                                                std::to_string(call.admission.largest_message) +
                                                " bytes; send smaller batches"};
  }
  const std::size_t size = call.body.size() + bytes.size();
  if (size > call.length) return GrpcStatus{invalid_argument, "more than one message"};
  if (size > call.leased) {
    const std::size_t capacity = std::min(call.length, std::max({size, 2 * call.leased, first_lease}));
    auto lease = call.admission.lease ? call.admission.lease(capacity - call.leased) : std::make_shared<char>();
    if (!lease) return call.admission.no_room;
    call.leases.push_back(std::move(lease));
    call.leased = capacity;
    call.body.reserve(capacity);
  }
  call.body.append(bytes);
  return std::nullopt;
}

void GrpcSession::finish(std::int32_t stream) {
  auto* call = find(stream);
  if (call == nullptr || call->state != Call::State::body) return;
  if (call->prefix.empty()) return refuse(stream, *call, {invalid_argument, "no request"});
  if (call->prefix.size() < prefix_bytes || call->body.size() < call->length)
    return refuse(stream, *call, {invalid_argument, "the message is cut short"});
  GrpcCall out;
  if (call->prefix.front() != 0) {
    out.encoding = call->request.field("grpc-encoding");
    if (out.encoding.empty() || out.encoding == "identity")
      return refuse(stream, *call, {internal, "the message is compressed, and grpc-encoding does not say how"});
  }
  call->state = Call::State::taken;
  out.request = std::move(call->request);
  out.request.body = std::move(call->body);
  out.lease = std::make_shared<std::vector<std::shared_ptr<void>>>(std::move(call->leases));
  ++outstanding_;
  owner_.take(stream, std::move(out));
}

void GrpcSession::answer(std::int32_t stream, GrpcAnswer answer, Time now) {
  now_ = now;
  --outstanding_;
  if (answer.status.code == 0) purse_ = std::min(purse, purse_ + earned_by_call);
  auto* call = find(stream);
  if (call == nullptr || session_ == nullptr) return;
  if (answer.status.code != 0) return refuse(stream, *call, answer.status);
  const std::array fields{pair(":status", "200"), pair("content-type", "application/grpc"),
                          pair("grpc-accept-encoding", site_.encodings)};
  nghttp2_data_provider provider{};
  provider.read_callback = GrpcCallbacks::read_answer;
  become_answered(*call, prefixed(answer.message));
  broken_ = broken_ || nghttp2_submit_response(session_, stream, fields.data(), fields.size(), &provider) != 0;
}

// Trailers alone.
void GrpcSession::refuse(std::int32_t stream, Call& call, const GrpcStatus& status) {
  const std::string code = std::to_string(status.code);
  const std::string message = percent_encode(status.message);
  const std::string details = base64(status.details);
  std::vector fields{pair(":status", "200"), pair("content-type", "application/grpc"),
                     pair("grpc-accept-encoding", site_.encodings), pair("grpc-status", code),
                     pair("grpc-message", message)};
  if (!details.empty()) fields.push_back(pair("grpc-status-details-bin", details));
  become_answered(call, {});
  broken_ = broken_ || nghttp2_submit_response(session_, stream, fields.data(), fields.size(), nullptr) != 0;
}

void GrpcSession::refuse_http(std::int32_t stream, Call& call, std::string_view status) {
  const auto field = pair(":status", status);
  become_answered(call, {});
  broken_ = broken_ || nghttp2_submit_response(session_, stream, &field, 1, nullptr) != 0;
}

void GrpcSession::become_answered(Call& call, std::string body) {
  call.state = Call::State::answering;
  call.since = now_;
  call.leases.clear();
  call.request = {};
  call.admission = {};
  call.body = std::move(body);
}

GrpcSession::Call* GrpcSession::find(std::int32_t stream) {
  const auto found = calls_.find(stream);
  return found == calls_.end() ? nullptr : &found->second;
}

}  // namespace sockeye::net
