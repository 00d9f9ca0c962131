// Failures of the environment (file, store, exporter, configuration) are values: Result<T>. What a peer does wrong is
// an observation instead (model/anomaly.h), and no exception crosses a module boundary.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace sockeye::base {

struct Error {
  std::string message;  // one line, for a person: what failed, on what, and the fix where there is one
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(std::string message) {
  return tl::unexpected<Error>(Error{std::move(message)});
}

}  // namespace sockeye::base
