#include "sockeye/capture/replay.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <utility>

#include "options_text.h"
#include "sockeye/observer/handshake.h"
#include "sockeye/wire/extensions.h"
#include "sockeye/wire/frame_parser.h"

namespace sockeye::capture {
namespace {

using base::Byte;
using base::Bytes;
using model::Opcode;
using model::Side;
using observer::Call;
using wire::FrameParser;
using wire::Piece;
using Kind = Event::Kind;

observer::Endpoints endpoints_of(const Session& session) {
  return {.client_address = session.client_address,
          .client_port = session.client_port,
          .server_address = session.server_address,
          .server_port = session.server_port,
          .tls = session.tls};
}

// 0: no limit.
template <class T>
T limit(std::uint64_t number) {
  constexpr T none = std::numeric_limits<T>::max();
  return number == 0 || number > none ? none : static_cast<T>(number);
}

class Player {
 public:
  Player(const Session& session, observer::Options options, model::SpanSink& spans, model::RouteMetrics& metrics)
      : session_(session), options_(std::move(options)), metrics_(metrics), now_(session.first_byte) {
    workspace_.spans = &spans;
    workspace_.random = base::Random(session.seed);
    workspace_.wall = session.wall;
  }

  void open() {
    observation_ = session_.attached ? attached() : accepted();
    workspace_.wall = session_.wall_opened;
    for (const Side side : {Side::client, Side::server}) {
      const wire::Extensions& extensions = observation_->extensions();
      parsers_.emplace_back(wire::FrameRules{.sender = side,
                                             .deflate = extensions.deflate,
                                             .judge_reserved = !extensions.other,
                                             .fragments = limit<std::uint32_t>(session_.most_fragments),
                                             .frame = limit<std::uint64_t>(session_.most_frame),
                                             .message = limit<std::uint64_t>(session_.most_message)});
    }
  }

  void play(const Event& event);

  // Of a session that was not seen to end, the end of its recording.
  void finish() {
    if (!std::exchange(finished_, true)) observation_->finish(call());
  }

  [[nodiscard]] Replayed result() const {
    Replayed out;
    const base::WallOffset wall = workspace_.wall;
    out.row.record = {.facts = observation_->facts(wall), .figures = observation_->figures(wall), .end = {}};
    out.row.record.figures.dialect = observation_->dialect();
    out.row.detail = observation_->detail();
    out.row.now = now_;
    out.row.wall = wall;
    out.recorder = observation_->recorder();
    return out;
  }

 private:
  [[nodiscard]] Call call() { return {.workspace = workspace_, .metrics = metrics_, .now = now_}; }

  std::unique_ptr<observer::Observation> accepted() {
    const model::HttpHead request = session_.request.view();
    observer::Handshake handshake(options_, endpoints_of(session_), session_.first_byte, call());
    now_ = session_.requested;
    handshake.request(request, call());
    // A carrier named our span upstream; who only watched had no say in it.
    if (options_.vantage != "tap") static_cast<void>(handshake.propagated());
    workspace_.wall = session_.wall_opened;
    now_ = session_.opened;
    for (const auto& each : session_.passed_on)
      for (unsigned i = 0; i < static_cast<unsigned>(model::Anomaly::count_); ++i)
        if (model::name(static_cast<model::Anomaly>(i)) == each)
          handshake.passed_on(static_cast<model::Anomaly>(i), call());
    if (session_.before) handshake.reconnect_of(*session_.before, session_.basis);
    return handshake.accepted(request, session_.response.view(), nullptr, call());
  }

  std::unique_ptr<observer::Observation> attached() {
    now_ = session_.opened;
    return observer::attach(options_, endpoints_of(session_), nullptr, call());
  }

  void bytes(const Event& event);
  void step(const Event& event);
  void pass(Side from, const observer::Observation::Advance&, const Piece&);
  void control(Side from, const Piece&, bool reads, bool passes);
  void condition(model::Condition);

  const Session& session_;
  observer::Options options_;  // borrowed by the observation
  model::RouteMetrics& metrics_;
  observer::Workspace workspace_;
  base::Time now_;
  std::unique_ptr<observer::Observation> observation_;
  std::vector<FrameParser> parsers_;  // by sender
  std::vector<Byte> data_;            // where the piece lies that is to be decided on
  struct Stop {
    Side from;
    Piece piece;
    bool inspected;
  };
  std::optional<Stop> stop_;
  bool finished_ = false;
};

// What somebody decided on is left in stop_: the steps that follow say how.
void Player::bytes(const Event& event) {
  if (event.watched) return observation_->bytes(event.side, event.data, call());
  data_.assign(event.data.begin(), event.data.end());
  Bytes rest = data_;
  std::size_t came = static_cast<std::size_t>(event.count.value_or(0));
  if (rest.empty()) {
    if (came != 0) observation_->received(event.side, came, call());
    return;
  }
  FrameParser& parser = parsers_[model::index(event.side)];
  while (!rest.empty()) {
    std::optional<Piece> piece;
    const auto advanced = observation_->advance(event.side, parser, rest, came, false, piece, call());
    came = 0;
    if (advanced.at == nullptr || piece->kind == Piece::Kind::more) return;
    rest = Bytes(advanced.at, rest.data() + rest.size()).subspan(piece->used);
    if (rest.empty() && !session_.attached) {
      stop_ = Stop{.from = event.side, .piece = *piece, .inspected = advanced.inspected};
      return;
    }
    // A recording that began late has no steps. Elsewhere a decision in the middle of a record is none that this
    // program writes.
    pass(event.side, advanced, *piece);
  }
}

void Player::pass(Side from, const observer::Observation::Advance& advanced, const Piece& piece) {
  const FrameParser& parser = parsers_[model::index(from)];
  if (piece.kind == Piece::Kind::control) return control(from, piece, true, true);
  if (!parser.in_message_frame() || advanced.completed) return;
  if (!advanced.inspected) {
    if (piece.starts && parser.header().opcode != Opcode::continuation)
      observation_->begin(from, parser, piece, call());
    observation_->inspect(from, parser, piece, nullptr, call());
  }
  observation_->complete(from, parser, piece, {}, call());
}

void Player::control(Side from, const Piece& piece, bool reads, bool passes) {
  const FrameParser& parser = parsers_[model::index(from)];
  std::array<Byte, 125> plain{};
  const auto size = std::min(piece.payload.size(), plain.size());
  wire::unmask(piece.payload.first(size), parser.header().mask, 0, plain.data());
  const Bytes payload{plain.data(), size};
  if (reads && parser.header().opcode == Opcode::close) observation_->read_close(payload, call());
  if (passes) observation_->control(from, parser.header().opcode, payload, call());
}

void Player::step(const Event& event) {
  if (!stop_ || stop_->from != event.side) return;
  const Piece& piece = stop_->piece;
  const FrameParser& parser = parsers_[model::index(stop_->from)];
  const bool is_control = piece.kind == Piece::Kind::control;
  if (is_control != (event.step == Step::read_close || event.step == Step::control)) return;
  if (!is_control && !parser.in_message_frame()) return;
  switch (event.step) {
    case Step::begin:
      if (piece.starts && !stop_->inspected) observation_->begin(stop_->from, parser, piece, call());
      return;
    case Step::inspect:
      if (!stop_->inspected) observation_->inspect(stop_->from, parser, piece, nullptr, call());
      return;
    case Step::complete:
      observation_->complete(stop_->from, parser, piece, {}, call());
      break;
    case Step::read_close:
      return control(stop_->from, piece, true, false);
    case Step::control:
      control(stop_->from, piece, false, true);
      break;
  }
  stop_.reset();
}

void Player::condition(model::Condition condition) {
  condition.subject.session = observation_->id();
  observation_->raise(condition, call());
}

void Player::play(const Event& event) {
  if (finished_) return;
  now_ = event.at;
  const Side side = event.side;
  const auto count = static_cast<std::size_t>(event.count.value_or(0));
  switch (event.kind) {
    case Kind::bytes:
      stop_.reset();
      return bytes(event);
    case Kind::step:
      return step(event);
    case Kind::received:
      return observation_->received(side, count, call());
    case Kind::frame:
      return observation_->next_frame(side);
    case Kind::gap:
      return observation_->gap(side, event.count, call());
    case Kind::end:
      return observation_->end(side, event.flag ? observer::StreamEnd::reset : observer::StreamEnd::fin, call());
    case Kind::cut:
      return observation_->cut(side, parsers_[model::index(side)], event.flag, call());
    case Kind::probe_sent:
      return observation_->probe_sent(side, count, call());
    case Kind::probe_answered: {
      constexpr std::uint64_t longest = std::numeric_limits<std::int64_t>::max() / 4;
      const auto rtt =
          event.count
              ? std::optional(base::Duration(static_cast<std::int64_t>(std::min<std::uint64_t>(*event.count, longest))))
              : std::nullopt;
      return observation_->probe_answered(side, rtt, call());
    }
    case Kind::probe_missed:
      return observation_->probe_missed(side, event.flag, call());
    case Kind::close_sent:
      return observation_->close_sent(side, count, call());
    case Kind::closing:
      return observation_->closing(event.close);
    case Kind::closed:
      return observation_->closed();
    case Kind::condition:
      return condition(event.condition);
    case Kind::anomaly:
      return observation_->anomaly(event.anomaly, call());
    case Kind::tick:
      return observation_->tick(call());
    case Kind::wall:
      workspace_.wall = event.wall;
      return;
    case Kind::finish:
      return finish();
    case Kind::truncated:
      return;
  }
}

observer::Options options_of(const Session& session, const std::optional<observer::DialectOptions>& dialect,
                             std::string& missing) {
  observer::Options options = from_texts(session.options, missing);
  if (session.payload) {
    if (dialect) {
      options.dialect = *dialect;
      missing.clear();
    }
    return options;
  }
  missing.clear();
  options.dialect = {};
  options.inflate = observer::Inflate::never;
  options.close_reasons = false;
  return options;
}

}  // namespace

std::string route_of(const Session& session) {
  std::string missing;
  return from_texts(session.options, missing).route;
}

base::Result<Replayed> replay(Bytes file, const std::optional<observer::DialectOptions>& dialect,
                              model::SpanSink& spans, model::RouteMetrics& metrics) {
  auto reader = Reader::open(file);
  if (!reader) return tl::unexpected(reader.error());
  std::string missing;
  Player player(reader->session(), options_of(reader->session(), dialect, missing), spans, metrics);
  if (!missing.empty())
    return base::fail("it was observed with the dialect \"" + missing +
                      "\", which is not built in; pass its rules with --dialect FILE");
  player.open();
  bool truncated = false;
  for (;;) {
    const auto event = reader->next();
    if (!event) {
      player.finish();
      return tl::unexpected(event.error());
    }
    if (!*event) break;
    truncated = truncated || (*event)->kind == Kind::truncated;
    player.play(**event);
  }
  // How the session ended is not known where the recording ended first: its row is from before the end that a session
  // gets which nobody watches any more.
  const bool to_its_end = !truncated && !reader->incomplete();
  if (to_its_end) player.finish();
  Replayed out = player.result();
  if (!to_its_end) player.finish();
  out.truncated = truncated;
  out.incomplete = reader->incomplete();
  return out;
}

}  // namespace sockeye::capture
