#include "grpc_session.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "http2_frames.h"

namespace sockeye::net {
namespace {

using namespace std::chrono_literals;
using namespace test;

constexpr int enhance_your_calm = 11, refused_stream = 7, no_error = 0;

struct Fixture : GrpcSession::Owner {
  Fixture() {
    site.encodings = "gzip";
    site.admit = [this](const Request& head) {
      GrpcAdmission out;
      if (head.path == "/none") out.refusal = GrpcStatus{12, "no such thing: 100 %, über", "\x08\x0c"};
      out.largest_message = 1 << 20;
      out.lease = [this](std::size_t bytes) -> std::shared_ptr<void> {
        if (leased + bytes > room) return nullptr;
        leased += bytes;
        return {this, [bytes](void* self) { static_cast<Fixture*>(self)->leased -= bytes; }};
      };
      out.no_room = {8, "full"};
      return out;
    };
    peer.client_address = "192.0.2.1";
    session.emplace(site, peer, static_cast<GrpcSession::Owner&>(*this), now);
  }
  void take(std::int32_t stream, GrpcCall&& call) override { taken.emplace_back(stream, std::move(call)); }
  void let_in() override { ++welcomed; }

  bool send(std::string_view bytes) {
    const bool more = session->receive(bytes, now);
    hear();
    return more;
  }
  void hear() {
    for (std::string out; session->output(out), !out.empty(); written += out.size()) heard.hear(out);
  }
  void answer_all(const GrpcAnswer& answer = {{}, "answer"}) {
    for (auto& [stream, call] : std::exchange(taken, {})) session->answer(stream, answer, now);
    hear();
  }

  GrpcSite site;
  Request peer;
  GrpcSession::Time now{1000s};
  std::size_t leased = 0, room = 4 << 20, written = 0;
  int welcomed = 0;
  std::vector<std::pair<std::int32_t, GrpcCall>> taken;
  HeardFrames heard;
  std::optional<GrpcSession> session;
};

TEST(GrpcSession, TakesCallsHoweverTheirBytesAreSplit) {
  const std::string bytes =
      opening() + call(1, "one", call_fields("/shop.Cart/Add", {{"authorization", "Bearer x"}})) +
      call(3, std::string(70'000, 'x'), call_fields("/shop.Cart/Add", {{"grpc-encoding", "gzip"}}));
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1000}, bytes.size()}) {
    Fixture f;
    // DATA of more than 16 KiB in a frame is more than was first_part.
    std::string first_part = bytes.substr(0, bytes.size() - 70'014);
    const std::string second = message(std::string(70'000, 'x'), true);
    for (std::size_t at = 0; at < second.size(); at += 16'000)
      first_part += frame(data_frame, at + 16'000 >= second.size() ? end_stream : 0, 3, second.substr(at, 16'000));
    for (std::size_t at = 0; at < first_part.size(); at += piece)
      ASSERT_TRUE(f.send(std::string_view(first_part).substr(at, piece))) << piece << " at " << at;
    ASSERT_EQ(f.taken.size(), 2U) << piece;
    const auto& [stream, one] = f.taken[0];
    EXPECT_EQ(stream, 1);
    EXPECT_EQ(one.request.path, "/shop.Cart/Add");
    EXPECT_EQ(one.request.field("authorization"), "Bearer x");
    EXPECT_EQ(one.request.client_address, "192.0.2.1");
    EXPECT_EQ(one.request.body, "one");
    EXPECT_EQ(one.encoding, "");
    EXPECT_EQ(f.taken[1].second.request.body, std::string(70'000, 'x'));
    EXPECT_EQ(f.taken[1].second.encoding, "gzip");
    EXPECT_GE(f.leased, 70'003U);
    EXPECT_EQ(f.welcomed, 1);
    f.answer_all();
    EXPECT_EQ(f.leased, 0U);
    for (const std::uint32_t each : {1U, 3U}) {
      auto& answer = f.heard.streams[each];
      EXPECT_EQ(answer.fields[":status"], "200");
      EXPECT_EQ(answer.fields["content-type"], "application/grpc");
      EXPECT_EQ(answer.fields["grpc-status"], "0");
      EXPECT_EQ(answer.data, message("answer"));
      EXPECT_TRUE(answer.ended);
      EXPECT_EQ(answer.reset, -1);
    }
    EXPECT_EQ(f.session->streams(), 0U);
  }
}

TEST(GrpcSession, RefusesWithoutKeepingTheBody) {
  Fixture f;
  EXPECT_TRUE(f.send(opening() + call_head(1, call_fields("/none"))));
  auto& answer = f.heard.streams[1];
  EXPECT_EQ(answer.fields["grpc-status"], "12");
  EXPECT_EQ(answer.fields["grpc-message"], "no such thing: 100 %25, %C3%BCber");
  EXPECT_EQ(answer.fields["grpc-status-details-bin"], "CAw=");
  EXPECT_TRUE(answer.ended);
  EXPECT_EQ(answer.reset, no_error) << "the rest of the request is not wanted";
  EXPECT_TRUE(f.send(frame(data_frame, 0, 1, std::string(10'000, 'x'))));
  EXPECT_EQ(f.leased, 0U);
  EXPECT_EQ(f.welcomed, 0);
  EXPECT_TRUE(f.taken.empty());
  EXPECT_TRUE(f.send(call(3, "yes")));
  EXPECT_EQ(f.taken.size(), 1U);
}

TEST(GrpcSession, SaysWhatIsWrongWithACall) {
  const auto with = [](const FieldList& changed) {
    auto out = call_fields();
    for (const auto& [name, value] : changed) {
      const auto same = [&](const auto& each) { return each.first == name; };
      const auto at = std::find_if(out.begin(), out.end(), same);
      if (at == out.end())
        out.emplace_back(name, value);
      else
        at->second = value;
    }
    return out;
  };
  auto untyped = call_fields();
  untyped.pop_back();
  const auto body = [](std::string_view bytes) { return call_head(1) + frame(data_frame, end_stream, 1, bytes); };
  const struct {
    const char* what;
    std::string bytes;
    const char* http;
    const char* grpc;
  } wrong[] = {
      {"a method", call_head(1, with({{":method", "PUT"}})), "405", ""},
      {"a content type", call_head(1, with({{"content-type", "application/grpcx"}})), "415", ""},
      {"no content type", call_head(1, untyped), "415", ""},
      {"an encoding", call_head(1, with({{"grpc-encoding", "br"}})), "200", "12"},
      {"too many fields", call_head(1, call_fields("/shop.Cart/Add", FieldList(200, {"x", "y"}))), "200", "8"},
      {"no message", frame(headers_frame, end_headers | end_stream, 1, block(call_fields())), "200", "3"},
      {"half a prefix", body(message("one").substr(0, 3)), "200", "3"},
      {"half a message", body(message("one").substr(0, 7)), "200", "3"},
      {"two messages", body(message("one") + message("two")), "200", "3"},
      {"a message that is too large", call_head(1) + frame(data_frame, 0, 1, std::string("\0\0\x10\0\1", 5)), "200",
       "8"},
      {"compressed somehow", body(message("one", true)), "200", "13"},
  };
  for (const auto& each : wrong) {
    Fixture f;
    EXPECT_TRUE(f.send(opening() + each.bytes)) << each.what;
    auto& answer = f.heard.streams[1];
    EXPECT_EQ(answer.fields[":status"], each.http) << each.what;
    EXPECT_EQ(answer.fields["grpc-status"], each.grpc) << each.what;
    EXPECT_TRUE(answer.ended) << each.what;
    EXPECT_TRUE(f.taken.empty()) << each.what;
    EXPECT_EQ(f.leased, 0U) << each.what;
    EXPECT_TRUE(f.send(call(3, "a good one"))) << each.what;
    EXPECT_EQ(f.taken.size(), 1U) << each.what;
  }
}

TEST(GrpcSession, LeasesBeforeItKeeps) {
  Fixture f;
  f.room = 200'000;
  EXPECT_TRUE(f.send(opening()));
  std::size_t sent = 0;
  const std::string whole = message(std::string(500'000, 'x'));
  EXPECT_TRUE(f.send(call_head(1)));
  for (; f.heard.status(1).empty() && sent < whole.size(); sent += 8000) {
    ASSERT_TRUE(f.send(frame(data_frame, 0, 1, std::string_view(whole).substr(sent, 8000))));
    ASSERT_LE(f.leased, f.room);
  }
  EXPECT_EQ(f.heard.status(1), "8");
  EXPECT_EQ(f.leased, 0U);
  EXPECT_LE(sent, f.room + 8000);
}

// Frames that bring nothing, as many as a peer likes: it is cut off, and little was written to it.
TEST(GrpcSession, CutsOffFloods) {
  const auto opened = [](std::uint32_t n) { return call_head(2 * n + 1); };
  const struct {
    const char* what;
    std::string before;
    std::function<std::string(std::uint32_t)> next;
  } floods[] = {
      {"rapid reset", {}, [&](auto n) { return opened(n) + frame(reset_frame, 0, 2 * n + 1, big_endian(8, 4)); }},
      {"reset of whole calls",
       {},
       [&](auto n) { return call(2 * n + 1, "x") + frame(reset_frame, 0, 2 * n + 1, big_endian(8, 4)); }},
      {"ping", {}, [](auto) { return frame(ping_frame, 0, 0, "12345678"); }},
      {"settings", {}, [](auto) { return frame(settings_frame, 0, 0); }},
      {"acknowledged settings", {}, [](auto) { return frame(settings_frame, ack, 0); }},
      {"priority", {}, [](auto n) { return frame(priority_frame, 0, 2 * n + 1, big_endian(0, 4) + '\x10'); }},
      {"window", {}, [](auto) { return frame(window_frame, 0, 0, big_endian(1, 4)); }},
      {"empty data", opened(0), [](auto) { return frame(data_frame, 0, 1); }},
      {"data by the byte", opened(0) + frame(data_frame, 0, 1, message(std::string(100'000, 'x')).substr(0, 5)),
       [](auto) { return frame(data_frame, 0, 1, "x"); }},
      {"an unknown frame", {}, [](auto) { return frame(0x42, 0, 0, std::string(1000, 'x')); }},
      {"continuation", frame(headers_frame, 0, 1, block(call_fields())),
       [](auto) {
         return frame(continuation_frame, 0, 1, block({{"a", "b"}}));
       }},
      {"empty continuation", frame(headers_frame, 0, 1, block(call_fields())),
       [](auto) { return frame(continuation_frame, 0, 1); }},
      {"refused calls", {}, [](auto n) { return call_head(2 * n + 1, call_fields("/none")); }},
      {"headers that are none",
       {},
       [](auto n) {
         return frame(headers_frame, end_headers, 2 * n + 1, block({{"A", "b"}}));
       }},
  };
  for (const auto& flood : floods) {
    Fixture f;
    ASSERT_TRUE(f.send(opening() + flood.before)) << flood.what;
    std::uint32_t n = flood.before.empty() ? 0 : 1;
    while (n < 20'000 && f.send(flood.next(n))) ++n;
    EXPECT_LT(n, 12'000U) << flood.what << " goes on";
    EXPECT_NE(f.heard.goaway, -1) << flood.what;
    EXPECT_LT(f.written, 200'000U) << flood.what;
    EXPECT_LE(f.session->outstanding(), GrpcSession::streams_at_once) << flood.what;
    EXPECT_FALSE(f.send(call(100'001, "late"))) << flood.what;
    f.answer_all();
    EXPECT_EQ(f.leased, 0U) << flood.what;
  }
}

TEST(GrpcSession, CutsOffAHeaderBomb) {
  Fixture f;
  // One large field into the dynamic table, then a byte for each further time (RFC 7541 §6.1: index 62).
  std::string bomb = block(call_fields()) + "\x40" + block({{"x", std::string(3000, 'x')}}).substr(1);
  bomb += std::string(10'000, '\xBE');
  EXPECT_FALSE(f.send(opening() + frame(headers_frame, end_headers, 1, bomb)));
  EXPECT_EQ(f.heard.goaway, enhance_your_calm);
  EXPECT_TRUE(f.session->misbehaved());
}

TEST(GrpcSession, HasSoManyStreamsAtOnce) {
  Fixture f;
  EXPECT_TRUE(f.send(opening()));
  std::uint32_t stream = 1;
  for (; stream < 2 * GrpcSession::streams_at_once; stream += 2) EXPECT_TRUE(f.send(call(stream, "x")));
  EXPECT_EQ(f.taken.size(), std::size_t{GrpcSession::streams_at_once});
  EXPECT_TRUE(f.send(call(stream, "one more")));
  EXPECT_EQ(f.heard.streams[stream].reset, refused_stream);
  stream += 2;
  // Who resets its calls has them under way all the same.
  for (std::uint32_t each = 1; each < 40; each += 2) EXPECT_TRUE(f.send(frame(reset_frame, 0, each, big_endian(8, 4))));
  EXPECT_EQ(f.session->streams(), GrpcSession::streams_at_once - 20);
  EXPECT_TRUE(f.send(call(stream, "one more")));
  EXPECT_EQ(f.heard.streams[stream].reset, refused_stream);
  stream += 2;
  f.answer_all();
  EXPECT_EQ(f.session->outstanding(), 0U);
  EXPECT_EQ(f.heard.streams[1].ended, false);
  EXPECT_EQ(f.heard.status(41), "0");
  EXPECT_TRUE(f.send(call(stream, "and again")));
  EXPECT_EQ(f.taken.size(), 1U);
}

TEST(GrpcSession, LetsABusyClientBe) {
  Fixture f;
  EXPECT_TRUE(f.send(opening()));
  for (std::uint32_t n = 0; n < 5000; ++n) {
    ASSERT_TRUE(f.send(call(2 * n + 1, "x") + frame(ping_frame, 0, 0, "12345678") +
                       frame(window_frame, 0, 0, big_endian(11, 4))))
        << n;
    f.answer_all();
    ASSERT_EQ(f.heard.status(2 * n + 1), "0") << n;
    f.heard.streams.clear();
  }
  EXPECT_EQ(f.heard.pongs, 5000U);
}

TEST(GrpcSession, IsNotHeldUpByTheSlow) {
  Fixture f;
  EXPECT_TRUE(
      f.send(opening() + call_head(1) + frame(data_frame, 0, 1, message(std::string(200'000, 'x')).substr(0, 8000))));
  EXPECT_GT(f.leased, 0U);
  f.now += GrpcSession::body_patience - 1s;
  EXPECT_TRUE(f.session->tick(f.now));
  f.hear();
  EXPECT_EQ(f.heard.status(1), "");
  f.now += 1s;
  EXPECT_TRUE(f.session->tick(f.now));
  f.hear();
  EXPECT_EQ(f.heard.status(1), "4");
  EXPECT_EQ(f.leased, 0U);
  EXPECT_EQ(f.session->slow_bodies(), 1U);

  // As fast as it has to be, but without an end.
  Fixture g;
  g.site.admit = [](const Request&) { return GrpcAdmission{{}, 64 << 20, {}, {}}; };
  std::string part = message(std::string(32 << 20, 'x')).substr(0, GrpcSession::body_progress / 8);
  EXPECT_TRUE(g.send(opening() + call_head(1) + frame(data_frame, 0, 1, part)));
  const auto until = g.now + GrpcSession::longest_body + 2 * GrpcSession::body_patience;
  for (; g.heard.status(1).empty() && g.now < until; g.now += 1s) {
    EXPECT_TRUE(g.send(frame(data_frame, 0, 1, std::string(GrpcSession::body_progress / 8, 'x'))));
    EXPECT_TRUE(g.session->tick(g.now));
    g.hear();
  }
  EXPECT_EQ(g.heard.status(1), "4");

  Fixture half;
  EXPECT_TRUE(half.send(opening() + frame(headers_frame, 0, 1, block(call_fields()))));
  half.now += GrpcSession::body_patience;
  EXPECT_FALSE(half.session->tick(half.now));
}

TEST(GrpcSession, EndsWithAPeerThatTakesNoAnswer) {
  Fixture f;
  const std::string no_window = frame(settings_frame, 0, 0, big_endian(4, 2) + big_endian(0, 4));
  EXPECT_TRUE(f.send(std::string(preface) + no_window + call(1, "x")));
  f.answer_all();
  EXPECT_EQ(f.heard.streams[1].data, "");
  f.now += GrpcSession::answer_patience - 1s;
  EXPECT_TRUE(f.session->tick(f.now));
  f.now += 1s;
  EXPECT_FALSE(f.session->tick(f.now));
  f.hear();
  EXPECT_EQ(f.heard.goaway, enhance_your_calm);
}

TEST(GrpcSession, LeavesWhenItsCallsAreAnswered) {
  Fixture f;
  EXPECT_TRUE(f.send(opening() + call(1, "x")));
  f.session->leave();
  f.hear();
  EXPECT_EQ(f.heard.goaway, no_error);
  EXPECT_FALSE(f.session->over());
  (void)f.send(call(3, "too late"));
  EXPECT_EQ(f.taken.size(), 1U);
  f.answer_all();
  EXPECT_EQ(f.heard.status(1), "0");
  EXPECT_TRUE(f.session->over());
}

}  // namespace
}  // namespace sockeye::net
