// The one record of a session: facts, which do not change while it lives; figures, which do; its end. Whoever tells of
// a session carries these, from the worker that knows it to the console's page, so that a new figure is a field here.
// Besides, it takes its line in the table below, the proxy's filling it in, docs/formats/live.proto and what maps it
// (export/live), docs/formats/openapi.yaml and web/src/api/types.ts (tests hold them against the table), and a test.
//
// Times are Unix nanoseconds, 0 = not yet, or not known. Pairs are by sender (messages, bytes, last messages) or by
// leg: the client's first, then the server's. Texts are redacted.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "sockeye/base/ids.h"
#include "sockeye/model/session.h"

namespace sockeye::model {

struct SessionFacts {
  base::SessionId id;
  std::string route, client, target, host, subprotocol, extensions;  // client: address
  std::string server;                                                // upstream as configured
  base::TraceId trace_id;                                            // of its connection span; zero: not sampled
  std::uint64_t opened_unix_ns = 0;
  std::optional<base::SessionId> reconnect_of;
  friend bool operator==(const SessionFacts&, const SessionFacts&) = default;
};

// Absolute, since the session opened.
struct SessionFigures {
  SessionState state = SessionState::open;
  std::string dialect;                                 // what its messages are read as; "" in a report: as before
  std::array<std::uint64_t, 2> messages{}, bytes{};    // of data messages, by sender; bytes: payload on the wire
  std::array<std::optional<std::uint64_t>, 2> rtt_ns;  // last pong to a ping of the proxy's, by leg
  std::array<std::uint64_t, 2> buffered_bytes{};       // waiting to reach that leg
  std::array<std::uint32_t, 2> misses{};               // heartbeats missed in a row now, by leg
  std::uint64_t missed_total = 0, anomalies = 0;       // both legs
  std::uint32_t invocations_open = 0;
  std::array<std::uint64_t, 2> gap_bytes{};             // that a capture of it is missing, by sender
  std::array<std::uint64_t, 2> last_message_unix_ns{};  // by sender
  friend bool operator==(const SessionFigures&, const SessionFigures&) = default;
};

struct SessionEnd {
  std::uint64_t unix_ns = 0;
  std::uint16_t code = 0;              // RFC 6455 §7.4.1; 1005, 1006 as CloseInfo has them
  std::string why, initiator, reason;  // the words of EndReason and Initiator, or a later version's; reason as sent
  friend bool operator==(const SessionEnd&, const SessionEnd&) = default;
};

// How figures are reported: a figure of the session that is in this table is in the console's API by its name, and
// whoever puts together what was reported of a session at different times knows what to do with it.
enum class FigureUnit : std::uint8_t {
  count,
  seconds,  // a field in nanoseconds
  time      // a field in Unix nanoseconds, reported in milliseconds
};
template <class Value>
struct Figure {
  std::string_view name;
  Value SessionFigures::*field;
  FigureUnit unit;
  bool lasting;  // it only grows, and is known of a session that ended, too
};
// C++20 has it for aggregates; Clang 14 does not yet.
template <class Value>
Figure(std::string_view, Value SessionFigures::*, FigureUnit, bool) -> Figure<Value>;

inline constexpr std::tuple session_figures{
    Figure{"messages", &SessionFigures::messages, FigureUnit::count, true},
    Figure{"bytes", &SessionFigures::bytes, FigureUnit::count, true},
    Figure{"misses", &SessionFigures::missed_total, FigureUnit::count, true},
    Figure{"anomalies", &SessionFigures::anomalies, FigureUnit::count, true},
    Figure{"rtt_seconds", &SessionFigures::rtt_ns, FigureUnit::seconds, false},
    Figure{"buffered_bytes", &SessionFigures::buffered_bytes, FigureUnit::count, false},
    Figure{"misses_now", &SessionFigures::misses, FigureUnit::count, false},
    Figure{"invocations_open", &SessionFigures::invocations_open, FigureUnit::count, false},
    Figure{"gap_bytes", &SessionFigures::gap_bytes, FigureUnit::count, false},
    Figure{"last_message_ms", &SessionFigures::last_message_unix_ns, FigureUnit::time, false},
};
// Calls visit(figure) for each, in their order.
template <class Visit>
constexpr void each_figure(Visit visit) {
  std::apply([&](const auto&... figures) { (visit(figures), ...); }, session_figures);
}

// The figures of one session, where its facts are known already.
struct SessionUpdate {
  base::SessionId id;
  SessionFigures figures;
  friend bool operator==(const SessionUpdate&, const SessionUpdate&) = default;
};

// All that is reported of one session.
struct SessionRecord {
  SessionFacts facts;
  SessionFigures figures;
  std::optional<SessionEnd> end;  // none while it lives
};

}  // namespace sockeye::model
