// A session that is carried, recorded, and replayed.
#pragma once

#include <memory>
#include <string>

#include "rig.h"
#include "sockeye/capture/recording.h"
#include "sockeye/capture/replay.h"
#include "texts.h"

namespace sockeye::capture::test {

using namespace std::chrono_literals;
using model::Opcode;
using model::Side;
using relay::test::Rig;
using wire::test::close;
using wire::test::frame;
using wire::test::FrameSpec;
using wire::test::text;

struct Collect final : Sink {
  explicit Collect(std::string& to) : file(&to) {}
  bool write(std::string bytes, bool last) override {
    *file += bytes;
    ended = ended || last;
    return last || file->size() < room;
  }
  std::string* file;
  std::size_t room = SIZE_MAX;
  bool ended = false;
};

// What is recorded of the Rig's session, from its handshake on.
struct RecordedRig : Rig {
  std::string file;
  RecordingOptions record{.payload = true};
  model::HttpHead request, response;
  std::string extensions_offered, extensions_taken;

  RecordedRig() {
    observe.dialect.mode = observer::DialectOptions::Mode::automatic;
    request.method = "GET";
    request.target = "/chat?token=verysecret&room=1";
    request.fields = {{"Host", "example.org"}, {"Authorization", "Bearer verysecret"}, {"X-Api-Key", "verysecret"}};
    response.status = 101;
  }
  void deflate() {
    request.fields.push_back({"Sec-WebSocket-Extensions", "permessage-deflate"});
    response.fields.push_back({"Sec-WebSocket-Extensions", "permessage-deflate"});
  }
  void subprotocol(std::string_view name) {
    request.fields.push_back({"Sec-WebSocket-Protocol", name});
    response.fields.push_back({"Sec-WebSocket-Protocol", name});
  }
  RecordedRig& open() {
    record.most_frame = options.limits.frame;
    record.most_message = options.limits.message;
    record.most_fragments = options.limits.fragments;
    Recording recording(record, 42);
    recording.to(std::make_unique<Collect>(file));
    const observer::Endpoints endpoints{.client_address = "192.0.2.1",
                                        .client_port = 4711,
                                        .server_address = "server",
                                        .server_port = 80,
                                        .tls = false};
    const auto first_byte = now;
    std::unique_ptr<observer::Observation> observation;
    {
      const auto own = recording.identifiers(workspace);
      observer::Handshake handshake(observe, endpoints, first_byte, call());
      now += 1ms;
      handshake.request(request, call());
      recording.requested(endpoints, first_byte, request, observe, call());
      static_cast<void>(handshake.propagated());
      now += 2ms;
      workspace.wall.ns += 5;
      recording.accepted(handshake.id(), response, observe, call());
      observation = handshake.accepted(request, response, this, call());
    }
    observation = std::move(recording).observe(std::move(observation), endpoints, call());
    connection = relay::carry(std::move(observation), options, *this, 0, call());
    return *this;
  }
  void end() { connection->finish(call()); }
  [[nodiscard]] std::string live() const {
    const auto& seen = connection->observed();
    auto figures = seen.figures(workspace.wall);
    figures.dialect = seen.dialect();
    return spans_text(spans.spans) + metrics_text(*metrics) +
           row_text(seen.facts(workspace.wall), figures, seen.detail(), seen.recorder());
  }
};

struct Again {
  relay::test::SpanList spans;
  std::unique_ptr<model::RouteMetrics> metrics = std::make_unique<model::RouteMetrics>();
  std::optional<Replayed> result;
  std::string error;
  explicit Again(std::string_view file) {
    auto replayed = replay(base::as_bytes(file), std::nullopt, spans, *metrics);
    if (replayed)
      result = std::move(*replayed);
    else
      error = replayed.error().message;
  }
  [[nodiscard]] std::string all() const {
    if (!result) return error;
    const auto& row = result->row;
    return spans_text(spans.spans) + metrics_text(*metrics) +
           row_text(row.record.facts, row.record.figures, row.detail, result->recorder);
  }
};

}  // namespace sockeye::capture::test
