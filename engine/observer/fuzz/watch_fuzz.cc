// A vantage that only watches, with holes. Two modes, by the first byte.
//
// Truth: two peers exchange messages by the rules; any ranges of what they send are dropped, with or without saying how
// much, and the vantage may come late. Then nobody is blamed, and no count exceeds the truth.
// Anything: whatever bytes, gaps, ends and times. Then it only has to go on.
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "build_frame.h"
#include "sockeye/base/random.h"
#include "sockeye/dialect/registry.h"
#include "sockeye/observer/handshake.h"

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

struct Blame final : observer::Listener {
  void anomaly(model::Anomaly, base::Time) override { ++anomalies; }
  int anomalies = 0;
};

struct Watched {
  observer::Options options;
  model::RouteMetrics metrics;
  observer::Workspace workspace;
  Blame blame;
  base::Time now = base::Time{} + 1000s;
  std::unique_ptr<observer::Observation> observation;

  explicit Watched(std::uint8_t flags) {
    if ((flags & 1U) != 0) options.dialect.mode = observer::DialectOptions::Mode::automatic;
    if ((flags & 2U) != 0) options.inflate = observer::Inflate::always;
    options.inflated = 1U << 20U;
    if ((flags & 4U) != 0) {
      observation = observer::attach(options, {}, &blame, call());
      return;
    }
    model::HttpHead request;
    request.method = "GET";
    request.target = "/";
    model::HttpHead response;
    response.status = 101;
    if ((flags & 8U) != 0)
      for (model::HttpHead* head : {&request, &response})
        head->fields.push_back({"Sec-WebSocket-Extensions", "permessage-deflate"});
    observer::Handshake handshake(options, {}, now, call());
    handshake.request(request, call());
    observation = handshake.accepted(request, response, &blame, call());
  }
  [[nodiscard]] observer::Call call() { return {workspace, metrics, now}; }
  void feed(Side from, std::string_view bytes) {
    const auto read = std::make_unique<base::Byte[]>(bytes.size());  // so that a sanitizer sees every byte too many
    std::copy(bytes.begin(), bytes.end(), read.get());
    observation->bytes(from, {read.get(), bytes.size()}, call());
  }
  void pass(base::Duration time) {
    now += time;
    if (observation->next_deadline() <= now) observation->tick(call());
  }
  void finish() {
    for (const Side side : {Side::client, Side::server}) observation->end(side, observer::StreamEnd::reset, call());
    observation->finish(call());
    require(metrics.connections_active.value() == 0);
  }
};

// Payloads are the program's, not the input's: one that is a picture of frames is a picture that nothing can tell from
// frames.
std::string payload(base::Random& random, bool text, std::size_t size) {
  std::string out(size, '\0');
  for (char& c : out) c = text ? static_cast<char>('a' + random() % 26) : static_cast<char>(random() & 0xffU);
  return out;
}

void truth(Input& in) {
  const std::uint8_t flags = in.byte();
  base::Random random(in.byte());
  Watched w(flags & 7U);
  std::array<std::uint64_t, 2> sent{};
  bool holes = (flags & 4U) != 0;
  std::array<bool, 2> late{holes, holes};  // nothing was seen of it yet
  while (!in.empty()) {
    const std::uint8_t command = in.byte();
    const Side side = (command & 1U) != 0 ? Side::server : Side::client;
    const std::size_t s = model::index(side);
    const bool text = (command & 2U) != 0;
    const std::size_t size = (command & 4U) != 0 ? std::size_t{in.byte()} * 40U : command >> 4U;
    std::string wire = wire::test::frame(
        side, {.opcode = text ? Opcode::text : Opcode::binary, .payload = payload(random, text, size)});
    if ((command & 8U) != 0) wire += wire::test::frame(side, Opcode::ping, "beat");
    ++sent[s];
    w.pass(10ms);
    const std::uint8_t how = in.byte();
    if ((how & 3U) != 3U) {
      std::size_t cut = late[s] ? in.byte() % wire.size() : 0;  // the vantage came inside it
      late[s] = false;
      const std::size_t step = 1U + (how >> 2U) * 8U;
      for (; cut < wire.size(); cut += step) w.feed(side, std::string_view(wire).substr(cut, step));
      continue;
    }
    const std::size_t begin = in.byte() % wire.size();
    const std::size_t length = 1 + in.byte() * (how >> 4U) % (wire.size() - begin);
    w.feed(side, std::string_view(wire).substr(0, begin));
    w.observation->gap(side, (how & 4U) != 0 ? std::optional<std::uint64_t>(length) : std::nullopt, w.call());
    w.feed(side, std::string_view(wire).substr(begin + length));
    holes = true;
  }
  const auto figures = w.observation->figures({});
  for (std::size_t s = 0; s < 2; ++s) {
    require(figures.messages[s] <= sent[s]);
    if (!holes) require(figures.messages[s] == sent[s]);
  }
  require(w.blame.anomalies == 0);
  w.finish();
}

void anything(Input& in) {
  Watched w(in.byte());
  while (!in.empty()) {
    const std::uint8_t command = in.byte();
    const Side side = (command & 1U) != 0 ? Side::server : Side::client;
    switch ((command >> 1U) & 7U) {
      case 0:
        w.observation->gap(side, std::nullopt, w.call());
        break;
      case 1:
        w.observation->gap(side, in.byte(), w.call());
        break;
      case 2:
        w.pass((1U + (command >> 4U)) * 20s);
        break;
      case 3:
        w.observation->end(side, observer::StreamEnd::fin, w.call());
        break;
      case 4:
        w.feed(side, wire::test::frame(side, {.opcode = static_cast<Opcode>(in.byte() & 15U),
                                              .payload = in.bytes(in.byte()),
                                              .fin = (command & 16U) != 0,
                                              .rsv = static_cast<unsigned>(command) >> 5U}));
        break;
      default:
        w.feed(side, in.bytes(1U + in.byte()));
    }
    require(w.observation->recorder().size() <= model::flight_recorder_size);
    static_cast<void>(w.observation->detail());
  }
  w.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in(data, size);
  if ((in.byte() & 1U) != 0)
    truth(in);
  else
    anything(in);
  return 0;
}
