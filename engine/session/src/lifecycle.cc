#include "sockeye/session/lifecycle.h"

#include <array>

namespace sockeye::session {
namespace {

enum class Who : std::uint8_t { any, first, second, client };

struct Row {
  State state;
  Event event;
  Who who;
  State next;
  Actions actions;
};

constexpr Actions nothing{};
constexpr Actions pass{.pass = true};
constexpr Actions finish_self{.finish_self = true};
constexpr Actions finish_other{.finish_other = true};
constexpr Actions finish_both{.finish_self = true, .finish_other = true};
constexpr Actions abort_self{.abort_self = true};
constexpr Actions abort_self_finish_other{.finish_other = true, .abort_self = true};
constexpr Actions tell_and_finish_both{
    .tell_self = true, .tell_other = true, .finish_self = true, .finish_other = true};
constexpr Actions tell_other{.tell_other = true};
constexpr Actions tell_and_finish_other{.tell_other = true, .finish_other = true, .abort_self = true};
constexpr Actions tell_both_soon{.tell_both_soon = true};
constexpr Actions give_up{.abort_silent = true};

// The first row that fits decides. A pair without a row changes nothing.
constexpr std::array rows{
    // clang-format off
    Row{State::open,         Event::close,     Who::any,    State::close_seen,   pass},
    Row{State::open,         Event::eof,       Who::any,    State::half_closed,  finish_other},
    Row{State::open,         Event::reset,     Who::any,    State::closed,       abort_self_finish_other},
    Row{State::open,         Event::violation, Who::any,    State::failing,      tell_other},
    Row{State::open,         Event::silent,    Who::any,    State::closed,       tell_and_finish_both},
    Row{State::open,         Event::shut,      Who::any,    State::parting,      tell_both_soon},

    Row{State::close_seen,   Event::close,     Who::second, State::close_agreed, pass},
    Row{State::close_seen,   Event::eof,       Who::first,  State::half_closed,  finish_other},
    Row{State::close_seen,   Event::eof,       Who::second, State::closed,       finish_both},
    Row{State::close_seen,   Event::reset,     Who::any,    State::closed,       abort_self_finish_other},
    Row{State::close_seen,   Event::violation, Who::any,    State::closed,       tell_and_finish_both},
    Row{State::close_seen,   Event::shut,      Who::any,    State::parting,      tell_both_soon},
    Row{State::close_seen,   Event::timeout,   Who::any,    State::closed,       give_up},

    // The server ends TCP first; a client that does not wait for it ends the session just as well.
    Row{State::close_agreed, Event::eof,       Who::any,    State::closed,       finish_both},
    Row{State::close_agreed, Event::reset,     Who::any,    State::closed,       abort_self_finish_other},
    Row{State::close_agreed, Event::timeout,   Who::any,    State::closed,       give_up},

    // First's FIN is with second, so only second can still speak, and only first can be spoken to.
    Row{State::half_closed,  Event::close,     Who::second, State::half_closed,  pass},
    Row{State::half_closed,  Event::eof,       Who::second, State::closed,       finish_both},
    Row{State::half_closed,  Event::reset,     Who::any,    State::closed,       abort_self_finish_other},
    Row{State::half_closed,  Event::violation, Who::any,    State::closed,       tell_and_finish_both},
    Row{State::half_closed,  Event::shut,      Who::any,    State::closed,       tell_and_finish_both},
    Row{State::half_closed,  Event::timeout,   Who::any,    State::closed,       give_up},

    // What second had to say to the good messages ahead of the violation still passes; its Close, or the close timeout,
    // ends that, and then first gets our Close (RFC 6455 §7.1.7).
    Row{State::failing,      Event::close,     Who::second, State::closed,       tell_and_finish_both},
    Row{State::failing,      Event::eof,       Who::second, State::closed,       tell_and_finish_both},
    Row{State::failing,      Event::reset,     Who::second, State::closed,       tell_and_finish_other},
    Row{State::failing,      Event::reset,     Who::first,  State::closed,       abort_self_finish_other},
    Row{State::failing,      Event::violation, Who::second, State::closed,       tell_and_finish_both},
    Row{State::failing,      Event::shut,      Who::any,    State::closed,       tell_and_finish_both},
    Row{State::failing,      Event::timeout,   Who::any,    State::closed,       tell_and_finish_both},

    // On each leg apart: towards the client we are the server and end TCP once its Close is here; towards the server we
    // are the client and wait for it to do so. Both finished is noticed by the owner.
    Row{State::parting,      Event::close,     Who::client, State::parting,      finish_self},
    Row{State::parting,      Event::eof,       Who::any,    State::parting,      finish_self},
    Row{State::parting,      Event::reset,     Who::any,    State::parting,      abort_self},
    Row{State::parting,      Event::violation, Who::any,    State::parting,      finish_self},
    Row{State::parting,      Event::timeout,   Who::any,    State::closed,       give_up},
    // clang-format on
};

}  // namespace

Actions Lifecycle::on(Event event, model::Side who) {
  for (const Row& row : rows) {
    if (row.state != state_ || row.event != event) continue;
    const bool fits = row.who == Who::any || (row.who == Who::first && who == first_) ||
                      (row.who == Who::second && who != first_) ||
                      (row.who == Who::client && who == model::Side::client);
    if (!fits) continue;
    if (state_ == State::open) first_ = who;
    state_ = row.next;
    return row.actions;
  }
  return nothing;
}

}  // namespace sockeye::session
