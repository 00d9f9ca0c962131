#include "sockeye/capture/recording.h"

#include <utility>

#include "options_text.h"
#include "recorded_observation.h"
#include "recorder.h"
#include "redacted_head.h"

namespace sockeye::capture {

struct Recording::State {
  State(const RecordingOptions& options, std::uint64_t seed) : recorder(std::make_unique<Recorder>(options, seed)) {
    session.seed = seed;
    session.payload = options.payload;
    session.most_fragments = options.most_fragments;
    session.most_frame = options.most_frame;
    session.most_message = options.most_message;
  }
  void between(const observer::Endpoints& endpoints) {
    session.client_address = endpoints.client_address;
    session.client_port = endpoints.client_port;
    session.server_address = endpoints.server_address;
    session.server_port = endpoints.server_port;
    session.tls = endpoints.tls;
  }
  // `extensions`: null where nobody knows them.
  void begin_attached(const base::SessionId& id, const observer::Endpoints& endpoints, const observer::Options& options,
                      const wire::Extensions* extensions, const observer::Call& call) {
    session.id = id;
    session.attached = true;
    between(endpoints);
    session.first_byte = session.requested = session.opened = call.now;
    session.wall = session.wall_opened = call.workspace.wall;
    session.options = to_texts(options);
    if (extensions != nullptr) put_extensions(session.options, *extensions);
    recorder->begin(session);
    begun = true;
  }
  std::unique_ptr<Recorder> recorder;
  Session session;
  bool begun = false;
};

Identifiers::Identifiers(base::Random& own, observer::Workspace& of) : own_(&own), of_(&of) {
  std::swap(*own_, of_->random);
}
Identifiers::~Identifiers() {
  if (own_ != nullptr) std::swap(*own_, of_->random);
}

Recording::Recording(const RecordingOptions& options, std::uint64_t seed)
    : state_(std::make_unique<State>(options, seed)) {}
Recording::~Recording() = default;
Recording::Recording(Recording&&) noexcept = default;
Recording& Recording::operator=(Recording&&) noexcept = default;

void Recording::to(std::unique_ptr<Sink> sink) { state_->recorder->to(std::move(sink)); }

Identifiers Recording::identifiers(observer::Workspace& workspace) { return {state_->recorder->random(), workspace}; }

void Recording::requested(const observer::Endpoints& endpoints, base::Time first_byte, const model::HttpHead& request,
                          const observer::Options& options, const observer::Call& call) {
  Session& s = state_->session;
  state_->between(endpoints);
  s.first_byte = first_byte;
  s.requested = call.now;
  s.wall = call.workspace.wall;
  s.request = redacted_head(request, options);
}

void Recording::passed_on(model::Anomaly kind) { state_->session.passed_on.emplace_back(model::name(kind)); }

void Recording::reconnect_of(const base::SessionId& before, model::ReconnectBasis basis) {
  state_->session.before = before;
  state_->session.basis = basis;
}

void Recording::accepted(const base::SessionId& id, const model::HttpHead& response, const observer::Options& options,
                         const observer::Call& call) {
  Session& s = state_->session;
  s.id = id;
  s.opened = call.now;
  s.wall_opened = call.workspace.wall;
  s.response = redacted_head(response, options);
  s.options = to_texts(options);
  state_->recorder->begin(s);
  state_->begun = true;
}

void Recording::attached(const base::SessionId& id, const observer::Endpoints& endpoints,
                         const observer::Options& options, const observer::Call& call) {
  state_->begin_attached(id, endpoints, options, nullptr, call);
}

std::unique_ptr<observer::Observation> Recording::observe(std::unique_ptr<observer::Observation> observation,
                                                          const observer::Endpoints& endpoints,
                                                          const observer::Call& call) && {
  using Begun = RecordedObservation::Begun;
  Begun begun = Begun::at_once;
  if (!state_->begun) {
    // Its identifiers go on as they were; those of a replay are its own.
    state_->recorder->random() = base::Random(call.workspace.random());
    state_->begin_attached(observation->id(), endpoints, observation->options(), &observation->extensions(), call);
    begun = Begun::late;
  } else if (state_->session.attached && !state_->session.payload) {
    begun = Begun::at_frame;  // nothing tells headers from payload before
  }
  return std::make_unique<RecordedObservation>(std::move(observation), std::move(state_->recorder), begun);
}

}  // namespace sockeye::capture
