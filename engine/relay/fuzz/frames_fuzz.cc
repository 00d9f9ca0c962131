// Drives a Connection from both sides with whatever bytes, pieces, times and ends the input asks for, and holds it to
// its promises: what passes is what came, without the pongs to our pings; ours go only between frames; a finished leg
// gets nothing more; a leg gets one Close of ours at most and nothing behind it; every deadline is met by one tick or
// moves on.
//
// Input: one byte of options, one of limits, then commands (see Session::step).
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "build_frame.h"
#include "rig.h"
#include "sockeye/relay/connection.h"
#include "sockeye/wire/frame_parser.h"

namespace {

using namespace sockeye;
using namespace std::chrono_literals;
using model::Opcode;
using model::Side;

void require(bool holds) {
  if (!holds) std::abort();
}

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {}
  [[nodiscard]] bool empty() const { return at_ == end_; }
  std::uint8_t byte() { return empty() ? 0 : *at_++; }
  std::string bytes(std::size_t n) {
    n = std::min(n, static_cast<std::size_t>(end_ - at_));
    std::string out(reinterpret_cast<const char*>(at_), n);
    at_ += n;
    return out;
  }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

struct Session final : relay::Outlet {
  relay::Options options;
  observer::Options observe;
  wire::Extensions extensions;
  model::RouteMetrics metrics;
  observer::Workspace workspace;
  base::Time now = base::Time{} + 1000s;
  std::unique_ptr<relay::Connection> connection;
  std::array<std::string, 2> came;    // by sender
  std::array<std::string, 2> passed;  // by sender
  struct Injection {
    std::size_t at = 0;  // of what passed to that leg
    std::string bytes;
  };
  std::array<std::vector<Injection>, 2> injected;  // by leg
  std::array<std::set<std::string>, 2> pings;      // payloads, by leg
  std::array<bool, 2> close_sent{};
  std::array<bool, 2> finished{};
  std::array<bool, 2> ended{};
  std::vector<std::pair<base::Bytes, std::string>> lent;
  bool advances = false;
  std::int64_t turn = observer::Turn::unbounded;

  Session(std::uint8_t flags, std::uint8_t limits, std::uint64_t seed) {
    options.conformance = (flags & 1U) != 0 ? relay::Conformance::forward : relay::Conformance::strict;
    extensions.deflate = (flags & 2U) != 0;
    extensions.other = (flags & 4U) != 0;
    observe.inflate = (flags & 8U) != 0 ? observer::Inflate::always : observer::Inflate::automatic;
    extensions.parameters.client_no_context_takeover = (flags & 16U) != 0;
    extensions.parameters.server_max_window_bits = (flags & 32U) != 0 ? 8 : 15;
    options.heartbeat.client = options.heartbeat.upstream = (flags & 64U) == 0;
    if ((flags & 128U) != 0) options.heartbeat.timeout = 40s;
    if ((limits & 1U) != 0) options.limits.frame = 100;
    if ((limits & 2U) != 0) options.limits.message = observe.inflated = 200;
    if ((limits & 4U) != 0) options.limits.fragments = 5;
    if ((limits & 8U) != 0) options.limits.control_rate = 1;
    if ((limits & 16U) != 0) options.idle_timeout = 45s;
    if ((limits & 32U) != 0) turn = 64;
    workspace.random = base::Random(seed);
    connection =
        relay::carry(relay::test::observe(observe, extensions, {}, nullptr, call()), options, *this, 0, call());
  }
  [[nodiscard]] relay::Call call() { return {workspace, metrics, now}; }

  void check_loans() {
    for (const auto& [view, copy] : lent) require(base::as_text(view) == copy);
  }
  void forward(Side from, base::Bytes bytes) override {
    const std::size_t leg = model::index(model::other(from));
    require(!finished[leg] && !close_sent[leg] && !bytes.empty());
    check_loans();
    lent.emplace_back(bytes, base::as_text(bytes));
    passed[model::index(from)] += base::as_text(bytes);
  }
  void inject(Side to, base::Bytes bytes) override {
    const std::size_t leg = model::index(to);
    require(!finished[leg] && !close_sent[leg]);
    check_loans();
    wire::FrameParser parser({.sender = model::other(to)});
    const auto piece = parser.next(bytes);
    require(piece.kind == wire::FrameParser::Piece::Kind::control && piece.used == bytes.size());
    require(piece.anomaly == model::Anomaly::none);
    std::string payload(piece.payload.size(), '\0');
    wire::unmask(piece.payload, parser.header().mask, 0, reinterpret_cast<base::Byte*>(payload.data()));
    if (parser.header().opcode == Opcode::ping) {
      pings[leg].insert(payload);
    } else {
      require(parser.header().opcode == Opcode::close);
      close_sent[leg] = true;
    }
    injected[leg].push_back({passed[1 - leg].size(), std::string(base::as_text(bytes))});
  }
  void finish(Side leg, relay::Finish) override {
    require(!finished[model::index(leg)]);
    finished[model::index(leg)] = true;
  }
  bool advancing(Side) override { return advances; }

  void feed(Side from, const std::string& bytes) {
    if (ended[model::index(from)]) return;  // a vantage reads nothing behind an EOF
    came[model::index(from)] += bytes;
    const auto read = std::make_unique<base::Byte[]>(bytes.size());  // so that a sanitizer sees every byte too many
    std::copy(bytes.begin(), bytes.end(), read.get());
    std::size_t fresh = bytes.size();
    for (base::Bytes rest{read.get(), bytes.size()}; !rest.empty(); fresh = 0) {
      workspace.turn.left = turn;
      const std::size_t taken = connection->feed(from, rest, fresh, call());
      require(taken > 0 && taken <= rest.size());
      rest = rest.subspan(taken);
      lent.clear();
    }
  }

  void step(Input& in) {
    const std::uint8_t command = in.byte();
    const Side side = (command & 1U) != 0 ? Side::server : Side::client;
    const std::size_t i = model::index(side);
    switch ((command >> 1U) & 7U) {
      case 0:
      case 1:
        feed(side, in.bytes(1 + (command >> 4U)));
        break;  // a few raw bytes
      case 2:
        feed(side, in.bytes(in.byte()));
        break;   // many
      case 3: {  // a frame that is well-formed but for what it is
        const std::uint8_t first = in.byte();
        const std::string whole =
            wire::test::frame(side, {.opcode = static_cast<Opcode>(first & 15U),
                                     .payload = in.bytes(command >> 4U == 15 ? in.byte() : command >> 4U),
                                     .fin = (first & 128U) == 0,
                                     .rsv = (first >> 4U) & 7U});
        const std::size_t cut = in.byte() % (whole.size() + 1);
        feed(side, whole.substr(0, cut));
        feed(side, whole.substr(cut));
        break;
      }
      case 4:  // an answer to the last ping
        if (!pings[i].empty()) feed(side, wire::test::frame(side, Opcode::pong, *pings[i].rbegin()));
        break;
      case 5: {  // time passes
        const base::Time end = now + (1U + (command >> 4U)) * 2s;
        for (int n = 0; connection->next_deadline() <= end; ++n) {
          require(n < 10'000);
          now = std::max(now, connection->next_deadline());
          connection->tick(call());
          require(connection->next_deadline() > now);
        }
        now = end;
        break;
      }
      case 6:
        connection->reading(side, (command & 16U) != 0, now), advances = (command & 32U) != 0;
        break;
      case 7:
        switch (command >> 4U) {
          case 0:
            if (!ended[i]) connection->eof(side, call());
            ended[i] = true;
            break;
          case 1:
            if (!ended[i]) connection->reset(side, call());
            ended[i] = true;
            break;
          case 2:
            connection->shut(model::EndReason::drain, 1001, "drain", call());
            break;
          default:
            (void)connection->observed().detail(),
                require(connection->observed().recorder().size() <= model::flight_recorder_size);
        }
        lent.clear();
        break;
    }
  }

  // What passed is what came without the pongs to our pings, up to where it ended; ours sit on its frame boundaries.
  void check(Side from) const {
    const std::size_t s = model::index(from);
    wire::FrameParser parser({.sender = from, .deflate = extensions.deflate, .judge_reserved = !extensions.other});
    std::string expected;
    std::set<std::size_t> boundaries{0};
    base::Bytes in = base::as_bytes(came[s]);
    while (!in.empty()) {
      const auto piece = parser.next(in);
      const auto wire = base::as_text(in.first(piece.used));
      in = in.subspan(piece.used);
      std::string payload(piece.payload.size(), '\0');
      wire::unmask(piece.payload, parser.header().mask, 0, reinterpret_cast<base::Byte*>(payload.data()));
      const bool ours = piece.kind == wire::FrameParser::Piece::Kind::control &&
                        parser.header().opcode == Opcode::pong && piece.anomaly == model::Anomaly::none &&
                        pings[s].contains(payload);
      if (!ours) expected += wire;
      const bool close =
          piece.kind == wire::FrameParser::Piece::Kind::control && parser.header().opcode == Opcode::close;
      if (close) break;  // nothing passes behind it
      if (piece.frame_done) boundaries.insert(expected.size());
    }
    require(expected.starts_with(passed[s]));
    const auto state = connection->observed().figures(workspace.wall).state;
    if (state == model::SessionState::open) require(expected.size() - passed[s].size() <= wire::FrameParser::max_held);
    for (const auto& injection : injected[1 - s]) require(boundaries.contains(injection.at));
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint64_t seed = 0xcbf29ce484222325ULL;  // of all of the input, so that it cannot know our nonces
  for (std::size_t i = 0; i < size; ++i) seed = (seed ^ data[i]) * 0x100000001b3ULL;
  Input in(data, size);
  const std::uint8_t flags = in.byte();
  const std::uint8_t limits = in.byte();
  Session session(flags, limits, seed);
  while (!in.empty()) session.step(in);
  for (const Side side : {Side::client, Side::server}) session.check(side);
  for (const Side side : {Side::client, Side::server}) session.connection->reset(side, session.call());
  require(session.finished[0] && session.finished[1]);
  require(session.connection->next_deadline() == base::never);
  session.connection->finish(session.call());
  require(session.connection->observed().close_info().has_value());
  return 0;
}
