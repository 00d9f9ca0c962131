#include "opening.h"

#include <algorithm>

#include "sockeye/base/utf8.h"

namespace sockeye::observer {
namespace {

constexpr std::array<std::size_t, SessionTexts::count_> bounds{512, 255, 128, 128, 128, 255, 512};

}  // namespace

SessionTexts::SessionTexts(const Views& views) {
  Views kept;
  std::size_t total = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    kept[i] = base::cut_utf8(views[i], bounds[i]);
    total += kept[i].size();
  }
  block_ = std::make_unique_for_overwrite<char[]>(total);
  std::size_t at = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    std::copy(kept[i].begin(), kept[i].end(), block_.get() + at);
    at += kept[i].size();
    ends_[i] = static_cast<std::uint16_t>(at);
  }
}

std::string_view SessionTexts::operator[](Field field) const {
  const std::size_t begin = field == 0 ? 0U : ends_[field - 1U];
  return {block_.get() + begin, ends_[field] - begin};
}

signal::SessionAttributes Opening::span_attributes() const {
  return {.id = id,
          .reconnect_of = reconnect_of,
          .reconnect_basis = reconnect_basis,
          .vantage = options->vantage,
          .route = options->route,
          .dialect = dialect,
          .target = texts[SessionTexts::target],
          .host = texts[SessionTexts::host],
          .subprotocol = texts[SessionTexts::subprotocol],
          .extensions = texts[SessionTexts::extensions],
          .client_address = texts[SessionTexts::client_address],
          .upstream_address = texts[SessionTexts::upstream_address],
          .client_port = client_port,
          .upstream_port = upstream_port,
          .tls = tls};
}

signal::TracePlace Opening::connection_place() const {
  return {.trace_id = trace_id,
          .span_id = connection_span,
          .parent_id = handshake_span,
          .flags = trace_flags,
          .parent_is_remote = false,
          .trace_state = texts[SessionTexts::trace_state]};
}

}  // namespace sockeye::observer
