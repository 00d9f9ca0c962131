#include "sockeye/observer/byte_stream.h"

#include <array>
#include <deque>
#include <string>
#include <utility>

#include "sockeye/observer/handshake.h"
#include "sockeye/wire/http.h"

namespace sockeye::observer {

using base::Bytes;
using base::Time;
using model::Side;
using wire::BodyFramer;
using wire::HeadParser;

namespace {

class PlainUpgrade final : public Upgrade {
 public:
  PlainUpgrade(const Options& options, const Endpoints& endpoints, Time first_byte, const model::HttpHead& request,
               const Call& call)
      : handshake_(options, endpoints, first_byte, call) {
    handshake_.request(request, call);
  }
  void passed_on(model::Anomaly kind, const Call& call) override { handshake_.passed_on(kind, call); }
  void refused(int status, model::Anomaly kind, std::string_view why, const Call& call) override {
    handshake_.refused(status, kind, why, call);
  }
  std::unique_ptr<Observation> accepted(const model::HttpHead& request, const model::HttpHead& response,
                                        Listener* listener, const Call& call) override {
    return handshake_.accepted(request, response, listener, call);
  }

 private:
  Handshake handshake_;
};

}  // namespace

// One direction of HTTP: a head, its body, the next head.
struct HttpDirection {
  std::string unread;  // of a head that is not whole
  std::unique_ptr<HeadParser> parser;
  BodyFramer body;
  bool in_body = false;
  Time head_began{};
};

struct ByteStream::Live {
  Live(const Options& o, Endpoints e, Listener* l, Openings* how)
      : options(o), endpoints(std::move(e)), listener(l), openings(how) {}

  // A request whose answer has not come.
  struct Asked {
    std::string method;
    std::unique_ptr<std::string> head;  // of an upgrade: what its answer is held against
    std::unique_ptr<Upgrade> handshake;
  };

  const Options& options;
  Endpoints endpoints;
  Listener* listener;
  Openings* openings;
  State state = State::http;
  std::array<HttpDirection, 2> http;
  std::deque<Asked> asked;
  std::string early;  // what the client said behind an upgrade that has no answer yet
  std::unique_ptr<Observation> observation;

  void give_up(const Call& call) {
    refuse(call, 0, "what followed is no HTTP");
    state = State::other;
    http = {};
    early = {};
  }
  // Upgrades that will have no answer.
  void refuse(const Call& call, int status, std::string_view why) {
    for (Asked& each : asked)
      if (each.handshake) each.handshake->refused(status, model::Anomaly::none, why, call);
    asked.clear();
  }

  void bytes(Side from, Bytes in, const Call& call);
  bool head(Side from, const model::HttpHead&, const Call&);
  bool request(const model::HttpHead&, const Call&);
  bool response(const model::HttpHead&, const Call&);
};

void ByteStream::Live::bytes(Side from, Bytes in, const Call& call) {
  HttpDirection& d = http[model::index(from)];
  while (!in.empty() && state == State::http) {
    if (from == Side::client && !asked.empty() && asked.back().handshake) {
      // Frames, when the answer is a 101; else the next request. No client sends either before it knows.
      if (early.size() + in.size() > longest_head) return give_up(call);
      early.append(base::as_text(in));
      return;
    }
    if (d.in_body) {
      in = in.subspan(d.body.consume(in));
      if (d.body.failed()) return give_up(call);
      d.in_body = !d.body.done();
      continue;
    }
    if (!d.parser) {
      d.parser =
          std::make_unique<HeadParser>(from == Side::client ? HeadParser::Kind::request : HeadParser::Kind::response,
                                       wire::HttpLimits{.head = longest_head, .fields = 1000});
      d.unread.clear();
      d.head_began = call.now;
    }
    const std::size_t before = d.unread.size();
    d.unread.append(base::as_text(in));
    const auto progress = d.parser->parse(base::as_bytes(d.unread));
    if (progress == HeadParser::Progress::failed) return give_up(call);
    if (progress == HeadParser::Progress::need_more) return;
    in = in.subspan(d.parser->size() - before);
    if (!head(from, d.parser->head(), call)) return give_up(call);
    d.parser.reset();
    d.unread.clear();
  }
  if (!in.empty() && observation) observation->bytes(from, in, call);
}

bool ByteStream::Live::head(Side from, const model::HttpHead& head, const Call& call) {
  return from == Side::client ? request(head, call) : response(head, call);
}

bool ByteStream::Live::request(const model::HttpHead& head, const Call& call) {
  if (asked.size() == most_pipelined) return false;
  HttpDirection& d = http[0];
  if (BodyFramer::for_request(head, d.body)) return false;
  d.in_body = !d.body.done();
  Asked& added = asked.emplace_back();
  added.method = head.method;
  if (!wire::wants_websocket(head) || d.in_body) return true;
  added.head = std::make_unique<std::string>(d.unread.substr(0, d.parser->size()));
  if (openings != nullptr)
    added.handshake = openings->upgrade(options, endpoints, d.head_began, head, call);
  else
    added.handshake = std::make_unique<PlainUpgrade>(options, endpoints, d.head_began, head, call);
  return true;
}

bool ByteStream::Live::response(const model::HttpHead& head, const Call& call) {
  if (asked.empty()) return false;
  HttpDirection& d = http[1];
  Asked& of = asked.front();
  const bool switching = head.status == 101;
  if (head.status < 200 && !switching) {  // RFC 9110 §15.2: the answer is still to come
    d.in_body = false;
    return true;
  }
  if (switching && !of.handshake) return false;  // to some other protocol
  if (BodyFramer::for_response(head, of.method, d.body)) return false;
  d.in_body = !switching && !d.body.done();
  if (!of.handshake) {
    asked.pop_front();
    return true;
  }
  HeadParser parser(HeadParser::Kind::request, {.head = longest_head + 1, .fields = 1000});
  const bool whole = parser.parse(base::as_bytes(*of.head)) == HeadParser::Progress::done;
  const auto invalid = whole && switching ? wire::check_switching(parser.head(), head) : std::nullopt;
  if (!switching || !whole || invalid) {
    of.handshake->refused(head.status, invalid ? invalid->kind : model::Anomaly::none,
                          invalid ? invalid->why : "refused by the server", call);
    asked.pop_front();
    const std::string next = std::exchange(early, {});
    if (invalid) return false;
    bytes(Side::client, base::as_bytes(next), call);
    return state == State::http;
  }
  if (const auto bent = wire::check_upgrade_response(parser.head(), head)) of.handshake->passed_on(bent->kind, call);
  observation = of.handshake->accepted(parser.head(), head, listener, call);
  state = State::websocket;
  asked.clear();
  http[0] = {};
  const std::string first = std::exchange(early, {});
  if (!first.empty()) observation->bytes(Side::client, base::as_bytes(first), call);
  return true;
}

ByteStream::ByteStream(const Options& options, Endpoints endpoints, Listener* listener, Openings* openings)
    : live_(std::make_unique<Live>(options, std::move(endpoints), listener, openings)) {}
ByteStream::~ByteStream() = default;
ByteStream::ByteStream(ByteStream&&) noexcept = default;
ByteStream& ByteStream::operator=(ByteStream&&) noexcept = default;

void ByteStream::bytes(Side from, Bytes in, const Call& call) {
  if (live_->observation) return live_->observation->bytes(from, in, call);
  if (live_->state == State::http) live_->bytes(from, in, call);
}

void ByteStream::gap(Side from, std::optional<std::uint64_t> count, const Call& call) {
  Live& l = *live_;
  if (l.observation) return l.observation->gap(from, count, call);
  if (l.state != State::http) return;
  // Inside a body of known length nothing is lost that matters; anywhere else the next head cannot be told any more.
  HttpDirection& d = l.http[model::index(from)];
  if (count && d.in_body && d.body.skip(*count)) {
    d.in_body = !d.body.done();
    return;
  }
  l.give_up(call);
}

void ByteStream::end(Side from, StreamEnd how, const Call& call) {
  if (live_->observation) live_->observation->end(from, how, call);
}

Time ByteStream::next_deadline() const {
  return live_->observation ? live_->observation->next_deadline() : base::never;
}

void ByteStream::tick(const Call& call) {
  if (live_->observation) live_->observation->tick(call);
}

void ByteStream::finish(const Call& call) {
  live_->refuse(call, 0, "the connection ended before an answer");
  if (live_->observation) live_->observation->finish(call);
}

ByteStream::State ByteStream::state() const { return live_->state; }

std::size_t ByteStream::held() const {
  std::size_t out = live_->early.size() + live_->http[0].unread.size() + live_->http[1].unread.size();
  for (const auto& each : live_->asked) out += each.method.size() + (each.head ? each.head->size() : 0);
  return out;
}

Observation* ByteStream::observation() { return live_->observation.get(); }
void ByteStream::observe(const Around& around) { live_->observation = around(std::move(live_->observation)); }

}  // namespace sockeye::observer
