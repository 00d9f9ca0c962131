// What observations hold has a bound over all of them.
#include "sockeye/observer/memory.h"
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "build_frame.h"
#include "sockeye/dialect/registry.h"
#include "sockeye/observer/handshake.h"
#include "sockeye/wire/frame_parser.h"

namespace sockeye::observer {
namespace {

using namespace std::chrono_literals;
using model::Opcode;
using model::Side;
using wire::test::frame;
using wire::test::text;

TEST(Memory, WhoHoldsMuchGivesUpFirst) {
  Memory memory(10 << 20);
  memory.add(10 << 20);
  EXPECT_FALSE(memory.gives_up(5 << 20));
  memory.add(1);
  EXPECT_TRUE(memory.gives_up(Memory::most));
  EXPECT_FALSE(memory.gives_up(Memory::most - 1));
  memory.settle();
  EXPECT_TRUE(memory.gives_up(Memory::most / 2));
  for (int i = 0; i < 20; ++i) memory.settle();
  EXPECT_TRUE(memory.gives_up(Memory::grain));
  EXPECT_FALSE(memory.gives_up(Memory::grain - 1));
  memory.add(-1);
  for (int i = 0; i < 20; ++i) memory.settle();
  memory.add(1);
  EXPECT_FALSE(memory.gives_up(Memory::most - 1));
  memory.add(3 << 20);  // far over it nothing goes on growing
  EXPECT_TRUE(memory.gives_up(Memory::grain));
}

// Sessions that speak JSON-RPC, observed by one thread.
struct Fleet {
  Options options;
  std::unique_ptr<model::RouteMetrics> metrics = std::make_unique<model::RouteMetrics>();
  Memory memory{1 << 20};
  Workspace workspace{.memory = &memory, .random = base::Random(7), .wall = {}};
  base::Time now = base::Time{} + 1000s;
  std::vector<std::unique_ptr<Observation>> sessions;

  explicit Fleet(std::size_t size) {
    options.dialect = {DialectOptions::Mode::fixed, dialect::find(dialect::built_in(), "jsonrpc"), nullptr};
    model::HttpHead request;
    request.method = "GET";
    request.target = "/";
    model::HttpHead response;
    response.status = 101;
    for (std::size_t i = 0; i < size; ++i) {
      Handshake handshake(options, {}, now, call());
      handshake.request(request, call());
      sessions.push_back(handshake.accepted(request, response, nullptr, call()));
    }
  }
  [[nodiscard]] Call call() { return {workspace, *metrics, now}; }
  void say(std::size_t i, const std::string& bytes) { sessions[i]->bytes(Side::client, base::as_bytes(bytes), call()); }
};

TEST(Memory, CountsWhatIsNotComplete) {
  Fleet fleet(2);
  fleet.say(0, frame(Side::client, Opcode::text, std::string(200'000, ' '), false));
  EXPECT_GE(fleet.memory.held(), 200'000U);
  EXPECT_LE(fleet.memory.held(), 600'000U);
  EXPECT_NEAR(static_cast<double>(fleet.sessions[0]->held()), static_cast<double>(fleet.memory.held()), Memory::grain);
  fleet.say(0, frame(Side::client, Opcode::continuation, "{}"));
  EXPECT_LE(fleet.memory.held(), 2 * Memory::grain);
  const auto before = fleet.memory.held();
  for (int i = 0; i < 200; ++i)
    fleet.say(1, text(Side::client, R"({"jsonrpc":"2.0","id":)" + std::to_string(i) + R"(,"method":")" +
                                        std::string(100, 'm') + "\"}"));
  EXPECT_GE(fleet.memory.held(), before + 200 * 100);
  for (int i = 0; i < 200; ++i)
    fleet.say(1, text(Side::client, R"({"jsonrpc":"2.0","id":)" + std::to_string(1000 + i) + R"(,"method":"m"})"));
  for (auto& each : fleet.sessions) each->finish(fleet.call());
  EXPECT_EQ(fleet.memory.held(), 0U);
}

TEST(Memory, AnObservationThatIsGivenUpGoesOnCounting) {
  Fleet fleet(1);
  fleet.say(0, text(Side::client, R"({"jsonrpc":"2.0","id":1,"method":"ask"})"));
  fleet.say(0, frame(Side::client, Opcode::text, std::string(200'000, ' '), false));
  EXPECT_EQ(fleet.sessions[0]->figures({}).invocations_open, 1U);
  fleet.sessions[0]->count_only(false, fleet.call());
  EXPECT_EQ(fleet.memory.held(), 0U);
  EXPECT_EQ(fleet.sessions[0]->held(), 0U);
  EXPECT_EQ(fleet.sessions[0]->figures({}).invocations_open, 0U);
  fleet.say(0, frame(Side::client, Opcode::continuation, "{}"));
  fleet.say(0, text(Side::client, R"({"jsonrpc":"2.0","id":2,"method":"ask"})"));
  EXPECT_EQ(fleet.sessions[0]->figures({}).messages[0], 3U);
  EXPECT_EQ(fleet.memory.held(), 0U);
}

// A carrier's: what begins while the process is short of something is counted, and blamed on nobody.
TEST(Memory, WhatIsShedIsCountedAsUnreadable) {
  Fleet fleet(1);
  wire::FrameParser parser({.sender = Side::client});
  const auto pass = [&](const std::string& bytes) {
    std::optional<wire::Piece> piece;
    const auto step = fleet.sessions[0]->advance(Side::client, parser, base::as_bytes(bytes), bytes.size(), false,
                                                 piece, fleet.call());
    EXPECT_EQ(step.at, nullptr);
  };
  const auto request = [](int id) {
    return text(Side::client, R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":"ask"})");
  };
  pass(request(1));
  fleet.workspace.shedding = model::Shedding::reading;
  pass(request(2));
  pass(request(3));
  fleet.workspace.shedding = model::Shedding::nothing;
  pass(request(4));
  EXPECT_EQ(fleet.sessions[0]->figures({}).messages[0], 4U);
  EXPECT_EQ(fleet.sessions[0]->figures({}).invocations_open, 2U);
  EXPECT_EQ(fleet.sessions[0]->detail().unreadable[0], 2U);
  EXPECT_EQ(fleet.sessions[0]->figures({}).anomalies, 0U);
}

}  // namespace
}  // namespace sockeye::observer
