#include "../src/tls_stream.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "sockeye/base/random.h"
#include "tls_pair.h"

namespace sockeye::tap {
namespace {

using model::Side;
using test::TlsPair;

struct Heard final : TlsListener {
  std::string text[2];
  int gaps[2] = {};
  std::optional<std::uint64_t> last_gap;
  void plain(Side from, base::Bytes bytes, base::Time) override { text[model::index(from)] += base::as_text(bytes); }
  void plain_gap(Side from, std::optional<std::uint64_t> count, base::Time) override {
    ++gaps[model::index(from)];
    last_gap = count;
    text[model::index(from)] += "|";
  }
};

std::string numbered(const char* what, int i, std::size_t size = 60) {
  std::string out = std::string("<") + what + std::to_string(i) + ":";
  out.resize(size, static_cast<char>('a' + i % 26));
  return out + ">";
}

void talk(TlsPair& pair, int messages = 10, std::size_t size = 60) {
  ASSERT_TRUE(pair.shake_hands());
  for (int i = 0; i < messages; ++i) {
    pair.send(Side::client, numbered("c", i, size));
    pair.send(Side::server, numbered("s", i, size * 3));
  }
}

struct Watched {
  TlsShared shared;
  Heard heard;
  base::Time time{std::chrono::seconds(1)};
  std::unique_ptr<TlsStream> stream = std::make_unique<TlsStream>(shared, heard, Side::client);

  void give(const TlsPair& pair, std::size_t step = SIZE_MAX) {
    for (const auto& flight : pair.flights) {
      base::Bytes rest = flight.bytes;
      while (!rest.empty()) {
        const auto n = std::min(step, rest.size());
        stream->bytes(flight.from, rest.first(n), time);
        rest = rest.subspan(n);
      }
    }
  }
};

std::vector<TlsPair::Options> every_kind() {
  std::vector<TlsPair::Options> out;
  for (const auto* suite : {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}) {
    out.push_back({TLS1_3_VERSION, "", suite, true, false, 0});
  }
  out.push_back({TLS1_3_VERSION, "", "", true, true, 0});
  for (const auto* cipher :
       {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA"}) {
    out.push_back({TLS1_2_VERSION, cipher, "", true, false, 0});
    if (std::string(cipher).find("SHA") != std::string::npos)
      out.push_back({TLS1_2_VERSION, cipher, "", false, false, 0});
  }
  return out;
}

TEST(Tls, EveryVersionAndSuiteHoweverItIsSplit) {
  for (const auto& options : every_kind()) {
    TlsPair pair(options);
    talk(pair);
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{100}, SIZE_MAX}) {
      Watched w;
      w.shared.keys.add(base::as_bytes(pair.key_log));
      w.give(pair, step);
      for (const auto side : {0, 1}) EXPECT_EQ(w.heard.text[side], pair.sent[side]) << options.cipher << options.suite;
      EXPECT_EQ(w.shared.stats.decrypted, 1U);
      EXPECT_FALSE(w.stream->blind());
    }
  }
}

TEST(Tls, KeysAreUpdated) {
  TlsPair pair({});
  talk(pair, 2);
  for (int i = 0; i < 6; ++i) {
    pair.update_keys(i % 2 == 0 ? Side::client : Side::server);
    pair.send(Side::client, numbered("c", 10 + i));
    pair.send(Side::server, numbered("s", 10 + i));
  }
  Watched w;
  w.shared.keys.add(base::as_bytes(pair.key_log));
  w.give(pair);
  for (const auto side : {0, 1}) EXPECT_EQ(w.heard.text[side], pair.sent[side]);
}

TEST(Tls, WithoutSecretsItIsCountedAndNoMore) {
  TlsPair pair({});
  talk(pair);
  Watched w;
  w.give(pair);
  EXPECT_TRUE(w.stream->blind());
  EXPECT_EQ(w.shared.stats.without_secrets, 1U);
  EXPECT_EQ(w.heard.text[0] + w.heard.text[1], "");
  auto wrong = pair.key_log;
  for (std::size_t i = 0; i + 1 < wrong.size(); ++i)
    if (wrong[i + 1] == '\n') wrong[i] = wrong[i] == '0' ? '1' : '0';
  Watched x;
  x.shared.keys.add(base::as_bytes(wrong));
  x.give(pair);
  EXPECT_EQ(x.shared.stats.wrong_secrets, 1U);
  EXPECT_EQ(x.heard.text[0] + x.heard.text[1], "");
}

TEST(Tls, SecretsMayComeLate) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsPair pair({version, "", "", true, false, 0});
    talk(pair);
    Watched w;
    w.shared.keys.expect_more();
    const auto flights = pair.flights;
    const auto half = flights.size() / 2;
    pair.flights.assign(flights.begin(), flights.begin() + static_cast<std::ptrdiff_t>(half));
    w.give(pair);
    EXPECT_EQ(w.heard.text[0], "");
    EXPECT_GT(w.shared.kept, 0U);
    w.shared.keys.add(base::as_bytes(pair.key_log));
    pair.flights.assign(flights.begin() + static_cast<std::ptrdiff_t>(half), flights.end());
    w.give(pair);
    for (const auto side : {0, 1}) EXPECT_EQ(w.heard.text[side], pair.sent[side]);
    EXPECT_EQ(w.shared.kept, 0U);

    Watched never;
    never.shared.keys.expect_more();
    never.give(pair);
    pair.flights = flights;
    Watched late;
    late.shared.keys.expect_more();
    late.give(pair);
    EXPECT_FALSE(late.stream->blind());
    late.time += TlsStream::patience + base::Duration(1);
    late.give(pair);
    EXPECT_TRUE(late.stream->blind());
    EXPECT_EQ(late.shared.kept, 0U);
  }
}

TEST(Tls, WhatIsKeptForSecretsIsBounded) {
  TlsPair pair({});
  ASSERT_TRUE(pair.shake_hands());
  for (int i = 0; i < 40; ++i) pair.send(Side::client, numbered("c", i, 10'000));
  Watched w;
  w.shared.keys.expect_more();
  for (const auto& flight : pair.flights) {
    w.stream->bytes(flight.from, flight.bytes, w.time);
    EXPECT_LE(w.shared.kept, TlsStream::max_kept);
  }
  EXPECT_TRUE(w.stream->blind());
  EXPECT_EQ(w.shared.kept, 0U);
}

// Every range of the application's records that a lost packet may take out: what is heard is what was sent, less what
// is missing, with a gap said where it is.
TEST(Tls, BehindAGapItIsFoundAgain) {
  base::Random random(1);
  for (const auto& options : every_kind()) {
    TlsPair pair(options);
    talk(pair, 20);
    for (int round = 0; round < 60; ++round) {
      Watched w;
      w.shared.keys.add(base::as_bytes(pair.key_log));
      const auto side = round % 2 == 0 ? Side::client : Side::server;
      std::size_t handshake = 0;  // bytes of this side before the first message
      std::size_t total = 0;
      for (const auto& flight : pair.flights) total += flight.from == side ? flight.bytes.size() : 0;
      handshake = total * 2 / 5;
      const auto from = handshake + random() % (total - handshake - 1);
      const auto to = std::min<std::size_t>(total, from + 1 + random() % 1500);
      std::size_t at = 0;
      for (const auto& flight : pair.flights) {
        if (flight.from != side) {
          w.stream->bytes(flight.from, flight.bytes, w.time);
          continue;
        }
        const auto end = at + flight.bytes.size();
        const auto cut_from = std::clamp(from, at, end);
        const auto cut_to = std::clamp(to, at, end);
        const base::Bytes bytes = flight.bytes;
        if (cut_from > at) w.stream->bytes(side, bytes.first(cut_from - at), w.time);
        if (cut_to > cut_from) w.stream->gap(side, cut_to - cut_from, w.time);
        if (cut_to < end) w.stream->bytes(side, bytes.subspan(cut_to - at), w.time);
        at = end;
      }
      const auto& sent = pair.sent[model::index(side)];
      const auto& heard = w.heard.text[model::index(side)];
      EXPECT_EQ(w.heard.text[1 - model::index(side)], pair.sent[1 - model::index(side)]);
      // The pieces between gaps are of what was sent, in order.
      std::size_t position = 0;
      std::size_t begin = 0;
      while (begin <= heard.size()) {
        const auto bar = std::min(heard.find('|', begin), heard.size());
        const auto piece = heard.substr(begin, bar - begin);
        const auto found = sent.find(piece, position);
        ASSERT_NE(found, std::string::npos) << piece;
        EXPECT_TRUE(begin != 0 || found == 0);
        position = found + piece.size();
        begin = bar + 1;
      }
      EXPECT_GE(w.heard.gaps[model::index(side)], 1);
      if (to + 2000 < total) {
        EXPECT_EQ(position, sent.size()) << "not found again: " << options.cipher << options.suite << " " << from << " "
                                         << to;
      }
    }
  }
}

TEST(Tls, AGapInARecordIsAsLongAsWhatItHeld) {
  TlsPair pair({TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "", true, false, 0});
  ASSERT_TRUE(pair.shake_hands());
  pair.send(Side::client, "first");
  pair.send(Side::client, "lost");
  pair.send(Side::client, "last");
  Watched w;
  w.shared.keys.add(base::as_bytes(pair.key_log));
  const auto last = pair.flights.size() - 1;
  for (std::size_t i = 0; i <= last; ++i) {
    const base::Bytes bytes = pair.flights[i].bytes;
    if (i != last - 1) {
      w.stream->bytes(pair.flights[i].from, bytes, w.time);
      continue;
    }
    w.stream->bytes(Side::client, bytes.first(8), w.time);
    w.stream->gap(Side::client, bytes.size() - 10, w.time);
    w.stream->bytes(Side::client, bytes.last(2), w.time);
  }
  EXPECT_EQ(w.heard.text[0], "first|last");
  EXPECT_EQ(w.heard.last_gap, std::optional<std::uint64_t>(4));
}

TEST(Tls, AHandshakeThatIsNotAllThereIsNotDecrypted) {
  TlsPair pair({});
  talk(pair);
  Watched w;
  w.shared.keys.add(base::as_bytes(pair.key_log));
  w.stream->gap(Side::client, 10, w.time);
  w.give(pair);
  EXPECT_EQ(w.shared.stats.incomplete, 1U);
  EXPECT_EQ(w.heard.text[0] + w.heard.text[1], "");
}

TEST(Tls, BeginsWithAHello) {
  TlsPair pair({});
  talk(pair, 1);
  const base::Bytes first = pair.flights[0].bytes;
  EXPECT_EQ(TlsStream::begins(first), true);
  EXPECT_EQ(TlsStream::begins(first.first(3)), std::nullopt);
  EXPECT_EQ(TlsStream::begins(pair.flights[1].bytes), false);
  EXPECT_EQ(TlsStream::begins(base::as_bytes("GET / HTTP/1.1")), false);
}

TEST(KeyLog, LinesInPiecesCommentsAndNonsense) {
  const std::string random(64, '0');
  const std::string other = "01" + std::string(62, '0');
  const std::string text = "# a comment\r\nCLIENT_RANDOM " + random + " " + std::string(96, 'a') +
                           "\r\nCLIENT_TRAFFIC_SECRET_0 " + other + " " + std::string(64, 'B') + "\nEXPORTER_SECRET " +
                           other + " 00\nCLIENT_RANDOM zz aa\nCLIENT_RANDOM " + random + " abc\nnonsense\n" +
                           std::string(5000, 'x') + "\nSERVER_TRAFFIC_SECRET_0 " + other + " " + std::string(64, 'c') +
                           "\n";
  for (const std::size_t step : {std::size_t{1}, std::size_t{13}, text.size()}) {
    KeyLog log;
    for (std::size_t at = 0; at < text.size(); at += step)
      log.add(base::as_bytes(std::string_view(text).substr(at, step)));
    EXPECT_EQ(log.sessions(), 2U);
    EXPECT_EQ(log.malformed(), 4U);
    ASSERT_NE(log.find({}), nullptr);
    EXPECT_EQ(log.find({})->master.view().size(), 48U);
    const auto* second = log.find({1});
    ASSERT_NE(second, nullptr);
    EXPECT_EQ(second->client_traffic.view()[0], 0xbb);
    EXPECT_EQ(second->server_traffic.view()[31], 0xcc);
    EXPECT_EQ(log.find({2}), nullptr);
  }
}

TEST(KeyLog, FollowsAFile) {
  std::string path = ::testing::TempDir() + "keylogXXXXXX";
  const int fd = ::mkstemp(path.data());
  ASSERT_GE(fd, 0);
  KeyLog log;
  ASSERT_TRUE(log.follow(path));
  EXPECT_TRUE(log.growing());
  EXPECT_FALSE(log.refresh());
  const std::string line = "CLIENT_RANDOM " + std::string(64, '0') + " " + std::string(96, 'a') + "\n";
  ASSERT_EQ(::write(fd, line.data(), 100), 100);
  EXPECT_TRUE(log.refresh());
  EXPECT_TRUE(log.empty()) << "the line is not whole";
  ASSERT_EQ(::write(fd, line.data() + 100, line.size() - 100), static_cast<ssize_t>(line.size() - 100));
  EXPECT_TRUE(log.refresh());
  EXPECT_EQ(log.sessions(), 1U);
  KeyLog opened;
  ASSERT_EQ(::lseek(fd, 0, SEEK_SET), 0);
  ASSERT_TRUE(opened.follow(fd, "opened before"));  // which closes it
  EXPECT_EQ(opened.sessions(), 1U);
  ::unlink(path.c_str());
  KeyLog none;
  EXPECT_NE(none.follow("/nonexistent/keys").error().message.find("No such file"), std::string::npos);
  EXPECT_NE(none.follow("/").error().message.find("Is a directory"), std::string::npos);
}

}  // namespace
}  // namespace sockeye::tap
