#include "sockeye/capture/openings.h"

#include <utility>

#include "recorded_observation.h"
#include "sockeye/observer/handshake.h"

namespace sockeye::capture {
namespace {

using observer::Call;

// Whether there is room is known with the session's identifier, so once it is accepted.
class RecordedUpgrade final : public observer::Upgrade {
 public:
  RecordedUpgrade(Recordings& to, const observer::Options& options, const observer::Endpoints& endpoints,
                  base::Time first_byte, const model::HttpHead& request, const Call& call)
      : to_(to),
        options_(options),
        endpoints_(endpoints),
        recording_(to.options(), call.workspace.random()),
        handshake_(made(first_byte, request, call)) {
    recording_.requested(endpoints, first_byte, request, options, call);
  }
  void passed_on(model::Anomaly kind, const Call& call) override {
    handshake_.passed_on(kind, call);
    recording_.passed_on(kind);
  }
  void refused(int status, model::Anomaly kind, std::string_view why, const Call& call) override {
    handshake_.refused(status, kind, why, call);
  }
  std::unique_ptr<observer::Observation> accepted(const model::HttpHead& request, const model::HttpHead& response,
                                                  observer::Listener* listener, const Call& call) override {
    auto sink = to_.open(handshake_.id());
    if (!sink) return handshake_.accepted(request, response, listener, call);
    recording_.to(std::move(sink));
    recording_.accepted(handshake_.id(), response, options_, call);
    std::unique_ptr<observer::Observation> observation;
    {
      const auto own = recording_.identifiers(call.workspace);
      observation = handshake_.accepted(request, response, listener, call);
    }
    return std::move(recording_).observe(std::move(observation), endpoints_, call);
  }

 private:
  observer::Handshake made(base::Time first_byte, const model::HttpHead& request, const Call& call) {
    const auto own = recording_.identifiers(call.workspace);
    observer::Handshake out(options_, endpoints_, first_byte, call);
    out.request(request, call);
    return out;
  }

  Recordings& to_;
  const observer::Options& options_;
  const observer::Endpoints endpoints_;
  Recording recording_;
  observer::Handshake handshake_;
};

}  // namespace

std::unique_ptr<observer::Upgrade> RecordedOpenings::upgrade(const observer::Options& options,
                                                             const observer::Endpoints& endpoints,
                                                             base::Time first_byte, const model::HttpHead& request,
                                                             const Call& call) {
  return std::make_unique<RecordedUpgrade>(to_, options, endpoints, first_byte, request, call);
}

std::unique_ptr<observer::Observation> RecordedOpenings::attach(const observer::Options& options,
                                                                const observer::Endpoints& endpoints,
                                                                observer::Listener* listener, const Call& call) {
  Recording recording(to_.options(), call.workspace.random());
  std::unique_ptr<observer::Observation> observation;
  {
    const auto own = recording.identifiers(call.workspace);
    observation = observer::attach(options, endpoints, listener, call);
  }
  auto sink = to_.open(observation->id());
  if (!sink) return observation;
  recording.to(std::move(sink));
  recording.attached(observation->id(), endpoints, options, call);
  return std::move(recording).observe(std::move(observation), endpoints, call);
}

bool is_recorded(const observer::Observation& observation) {
  return dynamic_cast<const RecordedObservation*>(&observation) != nullptr;
}

}  // namespace sockeye::capture
