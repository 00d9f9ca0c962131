#include "watch.h"

#include <algorithm>
#include <utility>

#include "sockeye/base/prefetch.h"
#include "sockeye/observer/prefetch.h"

namespace sockeye::tap {
namespace {

using base::Bytes;
using base::Time;
using model::Side;

// A request begins here, as the one that asks for a WebSocket does (RFC 6455 §4.1).
bool begins_request(Bytes bytes) {
  const auto text = base::as_text(bytes);
  if (!text.starts_with("GET ")) return false;
  const auto line = text.substr(0, text.find('\r'));
  return line.ends_with(" HTTP/1.1");
}

// A TLS record of application data: a stream in the midst of which the capture began.
bool begins_record(Bytes bytes) {
  return bytes.size() >= 5 && bytes[0] == 23 && bytes[1] == 3 && bytes[2] == 3 && bytes[3] < 0x48;
}

model::SessionEnd end_of(const model::CloseInfo& close, std::uint64_t unix_ns) {
  return {unix_ns, close.code, std::string(model::name(close.why)), std::string(model::name(close.initiator)),
          close.reason};
}

}  // namespace

void Shared::keep_ended(model::SessionRow row, std::vector<model::RecordedMessage> recorder) {
  if (on_ended) on_ended(row);
  if (delta_kept > 0) {
    if (delta_ended.size() >= delta_kept) {
      delta_ended.pop_front();
      ++delta_lost;
    }
    delta_ended.push_back({row.record, row.wall, std::move(recorder)});
  }
  ended.push_front(std::move(row));
  if (ended.size() > ended_kept) ended.pop_back();
}

Watch::~Watch() { shared_.held -= held_; }

void Watch::bytes(Side from, Bytes bytes, Time time) {
  if (!begun_) [[unlikely]]
    begin(from, bytes);
  if (!tls_) [[likely]]
    return plain(from, bytes, time);
  if (stream_.ignored) return;
  tls_->bytes(from, bytes, time);
  if (tls_->blind() && !stream_.ignored) {
    if (session_ != nullptr) {  // it goes on, unread
      for (const auto each : {Side::client, Side::server}) plain_gap(each, std::nullopt, time);
    }
    ignore();
  }
}

void Watch::gap(Side from, std::uint64_t count, Time time) {
  gap_seen_ = true;
  if (!begun_) begin(from, {});
  if (!tls_) return plain_gap(from, count, time);
  tls_->gap(from, count, time);
  if (tls_->blind() && session_ == nullptr) ignore();
}

// What the first bytes are.
void Watch::begin(Side from, Bytes first) {
  begun_ = true;
  auto& stats = shared_.tls.stats;
  if (!first.empty() && TlsStream::begins(first).value_or(true)) {
    if (!stream_.begin_seen) swapped_ = from == Side::server;
    if (shared_.tls.keys.empty() && !shared_.tls.keys.growing()) {
      ++stats.streams;
      ++stats.without_secrets;
      return ignore();
    }
    tls_ = std::make_unique<TlsStream>(shared_.tls, *this, from);
    return begin_http(from);
  }
  if (!stream_.begin_seen && begins_record(first)) {
    ++stats.streams;
    ++stats.incomplete;
    return ignore();
  }
  if (stream_.begin_seen) {
    begin_http(Side::client);
  } else {
    begin_search();
  }
}

void Watch::begin_http(Side client) {
  swapped_ = client == Side::server;
  end_search();
  http_ = std::make_unique<observer::ByteStream>(shared_.options, endpoints(), listener(), openings());
}

void Watch::begin_search() {
  swapped_ = false;
  http_.reset();
  search_ = std::make_unique<observer::UnknownStream>();
}

void Watch::end_search() {
  search_.reset();
  hold(0);
}

void Watch::hold(std::size_t bytes) {
  shared_.held += bytes;
  shared_.held -= std::exchange(held_, bytes);
  if (bytes == 0 || shared_.held <= shared_.max_held) return;
  ++shared_.given_up;
  ignore();
}

observer::Endpoints Watch::endpoints() const {
  const auto& client = swapped_ ? stream_.server : stream_.client;
  const auto& server = swapped_ ? stream_.client : stream_.server;
  return {.client_address = address_text(client),
          .client_port = client.port,
          .server_address = address_text(server),
          .server_port = server.port,
          .tls = tls_ != nullptr};
}

observer::Listener* Watch::listener() {
  if (shared_.record_anomalous && !alarm_) alarm_ = std::make_unique<Alarm>(*this);
  return alarm_.get();
}

void Watch::plain(Side from, Bytes bytes, Time time) {
  if (stream_.ignored) return;
  const auto call = shared_.call(at(time));
  if (session_ != nullptr) {
    session_->bytes(side(from), bytes, call);
  } else if (http_) {
    http_->bytes(side(from), bytes, call);
    look_at_http(call);
  } else if (search_) {
    search(from, bytes, call.now);
  }
  after(call);
}

void Watch::plain_gap(Side from, std::optional<std::uint64_t> count, Time time) {
  if (stream_.ignored) return;
  gap_seen_ = true;
  const auto call = shared_.call(at(time));
  if (attached_) {
    attached_->gap(side(from), count, call);
  } else if (http_) {
    http_->gap(side(from), count, call);
    if (session_ == nullptr) look_at_http(call);
  } else if (search_) {
    search_->gap(static_cast<unsigned>(model::index(from)));
    hold_search();
  }
  after(call);
}

void Watch::look_at_http(const observer::Call& call) {
  switch (http_->state()) {
    case observer::ByteStream::State::http:
      return hold(http_->held());
    case observer::ByteStream::State::websocket:
      hold(0);
      return found(*http_->observation());
    case observer::ByteStream::State::other:
      hold(0);
      http_->finish(call);
      return gap_seen_ ? begin_search() : ignore();
  }
}

void Watch::search(Side from, Bytes bytes, Time now) {
  if (begins_request(bytes)) {
    begin_http(from);
    const auto call = shared_.call(now);
    http_->bytes(Side::client, bytes, call);
    return look_at_http(call);
  }
  if (search_->bytes(static_cast<unsigned>(model::index(from)), bytes, now)) return attach(now);
  hold_search();
}

void Watch::hold_search() {
  if (search_->given_up()) return ignore();
  hold(search_->held());
}

void Watch::attach(Time now) {
  swapped_ = search_->client() == model::index(Side::server);
  attached_ = search_->take(shared_.options, endpoints(), listener(), shared_.call(now), openings());
  end_search();
  ++shared_.attached;
  found(*attached_);
}

void Watch::found(observer::Observation& session) {
  session_ = &session;
  recorded_ = shared_.record_all && capture::is_recorded(session);
  stream_.kept = true;
  ++shared_.websockets;
  place_ = shared_.sessions.size();
  shared_.sessions.push_back(this);
}

capture::Recorded Watch::record(Time now) {
  record_wanted_ = false;
  if (session_ == nullptr) return capture::Recorded::unknown;
  if (recorded_) return capture::Recorded::already;
  if (shared_.recordings == nullptr) return capture::Recorded::off;
  auto sink = shared_.recordings->open(session_->id());
  if (!sink) return capture::Recorded::full;
  const auto call = shared_.call(at(now));
  capture::Recording recording(shared_.recordings->options(), call.workspace.random());
  recording.to(std::move(sink));
  const auto around = [&](std::unique_ptr<observer::Observation> of) {
    return std::move(recording).observe(std::move(of), endpoints(), call);
  };
  if (attached_) {
    attached_ = around(std::move(attached_));
    session_ = attached_.get();
  } else {
    http_->observe(around);
    session_ = http_->observation();
  }
  recorded_ = true;
  return capture::Recorded::begun;
}

// What has no session is let go of at once; bytes that come are not handed on any more.
void Watch::ignore() {
  stream_.ignored = true;
  end_search();
  if (session_ == nullptr) http_.reset();
}

void Watch::finished(Side from, Finish how, Time time) {
  const auto call = shared_.call(at(time));
  const auto end = how == Finish::fin ? observer::StreamEnd::fin : observer::StreamEnd::reset;
  if (attached_) {
    attached_->end(side(from), end, call);
  } else if (http_) {
    http_->end(side(from), end, call);
  }
  after(call);
}

void Watch::closed(Closed why, Time time) {
  const auto call = shared_.call(at(time));
  if (tls_ && tls_->blind()) shared_.tls_unread_bytes += stream_.size(Side::client) + stream_.size(Side::server);
  if (session_ == nullptr) {
    if (http_) http_->finish(call);
    return;
  }
  shared_.sessions[place_] = shared_.sessions.back();
  shared_.sessions[place_]->place_ = place_;
  shared_.sessions.pop_back();
  // Open, as far as anybody knows, where it is only we who look no longer.
  const bool open = (why == Closed::end || why == Closed::evicted) && !session_->close_info();
  auto kept = row();
  if (http_) {
    http_->finish(call);
  } else {
    session_->finish(call);
  }
  if (!open) {
    kept = row();
    kept.record.end =
        end_of(session_->close_info().value_or(model::CloseInfo{}), shared_.workspace.wall.unix_ns(call.now));
  }
  auto recorder = session_->recorder();
  session_ = nullptr;
  shared_.keep_ended(std::move(kept), std::move(recorder));
}

void Watch::prefetch(const Watch& watch, Side from, unsigned ahead) noexcept {
  if (ahead == 3) {
    base::prefetch(&watch);
  } else if (watch.session_ == nullptr || watch.recorded_) {
    return;  // a recording stands before the observation, and costs more
  } else if (ahead == 2) {
    observer::prefetch_self(*watch.session_, watch.side(from));
  } else {
    observer::prefetch_bytes(*watch.session_, watch.side(from));
  }
}

void Watch::tick(Time now) {
  if (session_ == nullptr || session_->next_deadline() > now) return;
  const auto call = shared_.call(at(now));
  session_->tick(call);
  after(call);
}

model::SessionRow Watch::row() const {
  const auto wall = shared_.workspace.wall;
  model::SessionRow out{.record = {.facts = session_->facts(wall), .figures = session_->figures(wall), .end = {}},
                        .detail = session_->detail(),
                        .now = last_,
                        .wall = wall};
  out.record.figures.dialect = session_->dialect();
  return out;
}

bool Watch::changed(const model::SessionFigures& figures, std::uint32_t epoch) {
  const bool differs = reported_epoch_ != epoch || !(reported_ == figures);
  reported_epoch_ = epoch;
  if (differs) reported_ = figures;
  return differs;
}

}  // namespace sockeye::tap
