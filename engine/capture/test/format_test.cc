// The file itself: what is not one, what is cut short, what a later version may add.
#include <gtest/gtest.h>

#include "recorded.h"

namespace sockeye::capture::test {
namespace {

std::string recorded() {
  RecordedRig rig;
  rig.open();
  rig.feed(Side::client, text(Side::client, std::string(100, '\0') + "text" + std::string(20, '\0')));
  rig.now += 1s;
  rig.feed(Side::server, frame(Side::server, Opcode::ping, "p") + close(Side::server, 1000, "bye"));
  rig.connection->eof(Side::client, rig.call());
  rig.end();
  return rig.file;
}

std::string error_of(std::string_view file) {
  auto reader = Reader::open(base::as_bytes(file));
  if (!reader) return reader.error().message;
  for (;;) {
    const auto event = reader->next();
    if (!event) return event.error().message;
    if (!*event) return reader->incomplete() ? "incomplete" : "";
  }
}

TEST(CaptureFile, IsRefusedWhereItIsNone) {
  EXPECT_EQ(error_of(""), "this is no capture: it does not begin with \"sockeye capture \"");
  EXPECT_EQ(error_of("sockeye capture 2\n"), "a capture of version \"2\"; this program reads version 1");
  EXPECT_EQ(error_of("sockeye capture 1"), "a capture of version \"\"; this program reads version 1");
  EXPECT_EQ(error_of("sockeye capture 1\n"), "byte 18: the record of the session is missing");
  EXPECT_EQ(error_of(std::string("sockeye capture 1\n\x01\x02\0\0", 22)),
            "byte 18: the record of the session cannot be read");
}

TEST(CaptureFile, CutShortAnywhereIsNoError) {
  const std::string file = recorded();
  EXPECT_EQ(error_of(file), "");
  std::size_t incomplete = 0;
  for (std::size_t size = 0; size < file.size(); ++size) {
    const auto error = error_of(std::string_view(file).substr(0, size));
    EXPECT_NE(error, "") << size;
    incomplete += error == "incomplete" ? 1 : 0;
    static_cast<void>(Again(file.substr(0, size)).all());
  }
  EXPECT_GT(incomplete, 50U);
}

TEST(CaptureFile, NamesTheByteOfWhatIsWrong) {
  const std::string file = recorded() + std::string("\x03\x02\x00\x09", 4);  // a step of a side that is none
  EXPECT_EQ(error_of(file), "byte " + std::to_string(file.size() - 4) + ": a record of type 3 that cannot be read");
}

TEST(CaptureFile, RecordsOfALaterVersionArePassedOver) {
  const std::string file = recorded();
  const auto at = file.size() - 3;  // finish: type, length, time
  std::string more = file;
  more.insert(at, std::string("\x63\x03\xff\xff\xff", 5));
  EXPECT_EQ(error_of(more), "");
  EXPECT_EQ(Again(more).all(), Again(file).all());
}

// Lengths that lie must not be believed.
TEST(CaptureFile, ClaimsOfSizeAreBounded) {
  Session session;
  session.id.bytes[0] = 1;
  Encoder encoder;
  encoder.session(session);
  const std::string file = encoder.take();
  // bytes: after 0, of the client, 0 received, no plain byte, 2^40 zeros
  EXPECT_NE(error_of(file + std::string("\x02\x0a\0\0\0\0\x80\x80\x80\x80\x80\x20", 12)).find("cannot be read"),
            std::string::npos);
  EXPECT_EQ(error_of(file + std::string("\x02\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10)), "incomplete");
}

TEST(CaptureFile, KeepsEveryFieldOfTheSession) {
  Session out;
  out.id.bytes[3] = 9;
  out.seed = 0xffff'ffff'ffff'ffffULL;
  out.payload = out.tls = true;
  out.client_address = "::1";
  out.client_port = 65535;
  out.server_address = "host";
  out.server_port = 443;
  out.passed_on = {"handshake_invalid"};
  out.before = base::SessionId{};
  out.before->bytes[15] = 7;
  out.basis = model::ReconnectBasis::cookie;
  out.first_byte = base::Time(-5s);
  out.requested = base::Time(1s);
  out.opened = base::Time(2s);
  out.wall.ns = -1;
  out.wall_opened.ns = 1'700'000'000'000'000'000;
  out.most_fragments = 1;
  out.most_frame = 2;
  out.most_message = 1ULL << 62U;
  out.request = {.method = "GET", .target = "/", .status = 0, .reason = "", .fields = {{"Host", "a"}}};
  out.response = {.method = "", .target = "", .status = 101, .reason = "Switching", .fields = {}};
  out.options = {{"route", "r"}};
  Encoder encoder;
  encoder.session(out);
  const std::string file = encoder.take();
  const auto reader = Reader::open(base::as_bytes(file));
  ASSERT_TRUE(reader) << reader.error().message;
  const Session& in = reader->session();
  Encoder again;
  again.session(in);
  EXPECT_EQ(again.take(), file);
  EXPECT_EQ(in.seed, out.seed);
  EXPECT_EQ(in.before, out.before);
  EXPECT_EQ(in.basis, out.basis);
  EXPECT_EQ(in.first_byte, out.first_byte);
  EXPECT_EQ(in.wall_opened.ns, out.wall_opened.ns);
  EXPECT_EQ(in.request.fields, out.request.fields);
  EXPECT_EQ(in.response.status, 101);
}

}  // namespace
}  // namespace sockeye::capture::test
