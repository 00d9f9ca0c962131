// A Connection between two imagined peers: what each would receive is collected, time is a number.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "build_frame.h"
#include "sockeye/model/anomaly.h"
#include "sockeye/observer/handshake.h"
#include "sockeye/observer/observation.h"
#include "sockeye/relay/connection.h"
#include "sockeye/wire/extensions.h"
#include "sockeye/wire/frame_parser.h"
#include "sockeye/wire/frame_writer.h"

namespace sockeye::relay::test {

using namespace std::chrono_literals;
using model::Anomaly;
using model::Opcode;
using model::Side;

using wire::test::close;
using wire::test::frame;
using wire::test::FrameSpec;
using wire::test::text;

// A frame as a leg received it, unmasked.
struct Frame {
  Opcode opcode = Opcode::continuation;
  std::string payload;
  bool masked = false;
  [[nodiscard]] int code() const {
    return payload.size() < 2 ? 1005
                              : (static_cast<unsigned char>(payload[0]) << 8) | static_cast<unsigned char>(payload[1]);
  }
};
inline std::vector<Frame> frames(std::string_view wire) {
  std::vector<Frame> out;
  wire::FrameParser parser{{.sender = Side::client, .deflate = true}};
  base::Bytes in = base::as_bytes(wire);
  while (!in.empty()) {
    const auto piece = parser.next(in);
    in = in.subspan(piece.used);
    if (piece.kind == wire::FrameParser::Piece::Kind::more) break;
    if (piece.starts)
      out.push_back({.opcode = parser.header().opcode, .payload = {}, .masked = parser.header().masked});
    std::string plain(piece.payload.size(), '\0');
    wire::unmask(piece.payload, parser.header().mask, piece.offset, reinterpret_cast<base::Byte*>(plain.data()));
    out.back().payload += plain;
  }
  return out;
}

struct SpanList final : model::SpanSink {
  void offer(model::Span&& span) override { spans.push_back(std::move(span)); }
  std::vector<model::Span> spans;
};

// What a 101 says that puts such extensions in force.
inline std::string in_words(const wire::Extensions& extensions) {
  std::string out;
  if (extensions.deflate) {
    const wire::DeflateParameters& p = extensions.parameters;
    out = "permessage-deflate";
    if (p.client_no_context_takeover) out += "; client_no_context_takeover";
    if (p.server_no_context_takeover) out += "; server_no_context_takeover";
    if (p.client_max_window_bits != 15) out += "; client_max_window_bits=" + std::to_string(p.client_max_window_bits);
    if (p.server_max_window_bits != 15) out += "; server_max_window_bits=" + std::to_string(p.server_max_window_bits);
  }
  if (extensions.other) out += std::string(out.empty() ? "" : ", ") + "x-other";
  return out;
}

// An Observation of a session that was just opened, through its handshake.
struct Opened {
  std::string target = "/chat", host = "example.org", subprotocol, tracestate;
};
inline std::unique_ptr<observer::Observation> observe(const observer::Options& options,
                                                      const wire::Extensions& extensions, const Opened& what,
                                                      observer::Listener* listener, const Call& call) {
  const std::string in_force = in_words(extensions);
  model::HttpHead request;
  request.method = "GET";
  request.target = what.target;
  request.fields = {{"Host", what.host}};
  if (!in_force.empty())
    request.fields.push_back({"Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits, x-other"});
  if (!what.tracestate.empty()) {
    request.fields.push_back({"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"});
    request.fields.push_back({"tracestate", what.tracestate});
  }
  model::HttpHead response;
  response.status = 101;
  if (!in_force.empty()) response.fields.push_back({"Sec-WebSocket-Extensions", in_force});
  if (!what.subprotocol.empty()) response.fields.push_back({"Sec-WebSocket-Protocol", what.subprotocol});
  observer::Handshake handshake(options, {.client_address = "192.0.2.1", .server_address = "server"}, call.now, call);
  handshake.request(request, call);
  return handshake.accepted(request, response, listener, call);
}

struct Rig : Outlet, observer::Listener {
  struct Injection {
    std::size_t at;  // bytes of the leg's output before it
    std::string bytes;
    base::Time when;
  };
  Options options;
  observer::Options observe;
  wire::Extensions extensions;
  std::unique_ptr<model::RouteMetrics> metrics = std::make_unique<model::RouteMetrics>();
  SpanList spans;
  observer::Workspace workspace{.spans = &spans, .random = base::Random(7), .wall = {.ns = 1'700'000'000'000'000'000}};
  base::Time now = base::Time{} + 1000s;
  std::int64_t turn = observer::Turn::unbounded;
  int turns = 0;
  std::unique_ptr<Connection> connection;
  std::array<std::string, 2> out;     // by leg: all it would receive
  std::array<std::string, 2> passed;  // by leg: the forwarded part of it
  std::array<std::vector<Injection>, 2> injected;
  std::array<std::vector<Finish>, 2> finished;
  base::Time finished_at{};  // a leg, last
  std::vector<std::pair<Side, base::Time>> silences;
  std::array<bool, 2> advances{};
  std::vector<std::pair<base::Bytes, std::string>> lent;  // forwarded in the running call: must stay what they are

  Rig() { options.heartbeat.client = options.heartbeat.upstream = false; }
  [[nodiscard]] Call call() { return {workspace, *metrics, now}; }
  Rig& open(const Opened& what = {}) {
    auto observation = test::observe(observe, extensions, what, this, call());
    spans.spans.clear();  // the handshake's
    connection = carry(std::move(observation), options, *this, 0, call());
    return *this;
  }

  void feed(Side from, std::string_view bytes) {
    // A buffer of its own that dies with the call: nothing may be kept.
    const std::vector<base::Byte> read(bytes.begin(), bytes.end());
    std::size_t came = read.size();
    for (base::Bytes rest = read; !rest.empty(); came = 0) {
      workspace.turn.left = turn;
      rest = rest.subspan(connection->feed(from, rest, came, call()));
      lent.clear();
      ++turns;
    }
  }
  void chop(Side from, std::string_view bytes, std::size_t size) {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size()))) feed(from, bytes.substr(0, size));
  }
  // Lets time pass, ticking at each deadline as a vantage does.
  void wait(base::Duration time) {
    const base::Time end = now + time;
    for (int i = 0; connection->next_deadline() <= end; ++i) {
      if (i > 1'000'000) {
        stuck = true;
        return;
      }
      now = std::max(now, connection->next_deadline());
      connection->tick(call());
    }
    now = end;
  }

  [[nodiscard]] const std::string& to(Side leg) const { return out[model::index(leg)]; }
  [[nodiscard]] std::uint64_t anomalies(Anomaly kind) const {
    return metrics->anomalies[static_cast<std::size_t>(kind)].value();
  }
  [[nodiscard]] bool was_finished(Side leg, Finish how) const {
    const auto& list = finished[model::index(leg)];
    return list.size() == 1 && list[0] == how;
  }
  [[nodiscard]] model::SessionDetail detail() const { return connection->observed().detail(); }
  [[nodiscard]] model::SessionFigures figures() const { return connection->observed().figures(workspace.wall); }

  void forward(Side from, base::Bytes bytes) override {
    const std::size_t leg = model::index(model::other(from));
    if (!finished[leg].empty() || bytes.empty()) ++after_finish;
    check_loans();
    lent.emplace_back(bytes, base::as_text(bytes));
    out[leg] += base::as_text(bytes);
    passed[leg] += base::as_text(bytes);
  }
  void inject(Side to, base::Bytes bytes) override {
    const std::size_t leg = model::index(to);
    if (!finished[leg].empty()) ++after_finish;
    check_loans();
    injected[leg].push_back({out[leg].size(), std::string(base::as_text(bytes)), now});
    out[leg] += base::as_text(bytes);
  }
  void finish(Side leg, Finish how) override {
    finished[model::index(leg)].push_back(how);
    finished_at = now;
  }
  bool advancing(Side leg) override { return advances[model::index(leg)]; }
  void raised(const model::Condition& condition) override {
    if (condition.kind == model::ConditionKind::silent) silences.emplace_back(*condition.subject.leg, condition.since);
  }

  // What was forwarded stays valid as long as the call it was forwarded from: the best that can be seen from in here is
  // that it still is at each later call of ours.
  void check_loans() {
    for (const auto& [view, copy] : lent)
      if (base::as_text(view) != copy) ++broken_loans;
  }
  int broken_loans = 0;
  int after_finish = 0;
  bool stuck = false;
};

}  // namespace sockeye::relay::test
