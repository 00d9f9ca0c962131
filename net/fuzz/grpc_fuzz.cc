// What a client of a gRPC server may send. Input: one byte of how it comes, then what follows the preface; two bytes of
// it, 0xFF and a number, end a read: calls are answered then, and with the higher numbers time passes. However it
// comes, what is kept stays within its bounds, and all that was leased is given back.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grpc_session.h"

namespace {

using namespace sockeye::net;

constexpr std::size_t room = 1 << 20;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Server final : GrpcSession::Owner {
  explicit Server(bool open) {
    site.encodings = "gzip,zstd";
    site.admit = [this, open](const Request& head) {
      GrpcAdmission out;
      if (!open && head.field("authorization").empty())
        out.refusal = GrpcStatus{16, "who \xC3\xBC are you?", "details"};
      out.largest_message = room / 2;
      out.lease = [this](std::size_t bytes) -> std::shared_ptr<void> {
        if (leased + bytes > room) return nullptr;
        leased += bytes;
        return {this, [bytes](void* self) { static_cast<Server*>(self)->leased -= bytes; }};
      };
      return out;
    };
    session.emplace(site, peer, static_cast<GrpcSession::Owner&>(*this), now);
  }
  void take(std::int32_t stream, GrpcCall&& call) override {
    require(call.request.method == "POST" && call.request.body.size() <= room / 2);
    taken.emplace_back(stream, std::move(call));
  }
  void let_in() override {}

  void flush() {
    for (std::string out; session->output(out), !out.empty();) require(out.size() < (1U << 20U));
  }
  bool read(std::string_view bytes) {
    const bool more = session->receive(bytes, now);
    flush();
    require(session->streams() + session->outstanding() <= 2 * GrpcSession::streams_at_once);
    return more;
  }
  void answer(std::uint8_t how) {
    for (auto& [stream, call] : std::exchange(taken, {}))
      session->answer(stream, how % 3 == 0 ? GrpcAnswer{{14, "later"}, ""} : GrpcAnswer{{}, std::string(how, 'a')},
                      now);
    flush();
  }

  GrpcSite site;
  Request peer;
  GrpcSession::Time now{std::chrono::seconds(1000)};
  std::size_t leased = 0;
  std::vector<std::pair<std::int32_t, GrpcCall>> taken;
  std::optional<GrpcSession> session;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Server server((data[0] & 1U) != 0);
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  bool more = (data[0] & 2U) != 0 || server.read("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  while (more && !rest.empty()) {
    const std::size_t end = std::min(rest.find('\xFF'), rest.size());
    more = server.read(rest.substr(0, end));
    rest.remove_prefix(end);
    if (rest.size() < 2) break;
    const auto how = static_cast<std::uint8_t>(rest[1]);
    rest.remove_prefix(2);
    server.answer(how);
    if (how >= 128) {
      server.now += std::chrono::seconds(how - 128);
      more = more && server.session->tick(server.now);
      server.flush();
    }
    if (how == 255) server.session->leave();
  }
  server.answer(1);
  server.session.reset();
  server.taken.clear();
  require(server.leased == 0);
  return 0;
}
