#include "sockeye/model/overload.h"

#include <array>
#include <cstddef>

namespace sockeye::model {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Shedding::count_)> sheddings{
    "nothing", "message_spans", "inflating", "reading", "sessions"};
constexpr std::array<std::string_view, static_cast<std::size_t>(Strain::count_)> strains{"none", "memory", "loop_lag",
                                                                                         "descriptors"};

}  // namespace

std::string_view name(Shedding level) { return sheddings[static_cast<std::size_t>(level)]; }
std::string_view name(Strain cause) { return strains[static_cast<std::size_t>(cause)]; }

}  // namespace sockeye::model
