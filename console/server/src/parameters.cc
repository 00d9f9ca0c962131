#include "parameters.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "sockeye/base/text.h"

namespace sockeye::console {
namespace {

constexpr std::size_t most_parameters = 64;

}  // namespace

Parameters::Parameters(std::string_view query) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.empty()) continue;
    if (list_.size() == most_parameters) {
      problem_ = "more than " + std::to_string(most_parameters) + " parameters";
      return;
    }
    const auto equals = std::min(pair.find('='), pair.size());
    auto name = base::percent_decode(pair.substr(0, equals), true);
    auto value = base::percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) {
      problem_ = "malformed escape in the query";
      return;
    }
    list_.push_back({*std::move(name), *std::move(value)});
  }
}

Parameters::Parameter* Parameters::find(std::string_view name) {
  for (auto& each : list_) {
    if (each.name != name) continue;
    each.asked = true;
    return &each;
  }
  return nullptr;
}

void Parameters::wrong(std::string_view name, std::string_view expected) {
  if (problem_.empty()) problem_ = std::string(name) + ": expected " + std::string(expected);
}

std::string Parameters::text(std::string_view name) {
  const auto* found = find(name);
  return found == nullptr ? std::string() : found->value;
}

std::vector<std::string> Parameters::texts(std::string_view name) {
  std::vector<std::string> out;
  for (auto& each : list_) {
    if (each.name != name) continue;
    each.asked = true;
    out.push_back(each.value);
  }
  return out;
}

std::optional<double> Parameters::number(std::string_view name, double least, double most) {
  const auto* found = find(name);
  if (found == nullptr || found->value.empty()) return std::nullopt;
  double value = 0;
  const char* const end = found->value.data() + found->value.size();
  const auto [at, error] = std::from_chars(found->value.data(), end, value);
  if (error != std::errc() || at != end || !std::isfinite(value) || value < least || value > most) {
    wrong(name, "a number from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
  }
  return value;
}

std::uint64_t Parameters::integer(std::string_view name, std::uint64_t otherwise, std::uint64_t least,
                                  std::uint64_t most) {
  const auto* found = find(name);
  if (found == nullptr || found->value.empty()) return otherwise;
  std::uint64_t value = 0;
  const char* const end = found->value.data() + found->value.size();
  const auto [at, error] = std::from_chars(found->value.data(), end, value);
  if (error != std::errc() || at != end || value < least || value > most) {
    wrong(name, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return otherwise;
  }
  return value;
}

bool Parameters::flag(std::string_view name) {
  const auto* found = find(name);
  if (found == nullptr) return false;
  if (found->value != "true" && found->value != "false" && found->value != "1" && found->value != "0")
    wrong(name, "true or false");
  return found->value == "true" || found->value == "1";
}

std::optional<std::size_t> Parameters::word(std::string_view name, std::initializer_list<std::string_view> words) {
  const auto* found = find(name);
  if (found == nullptr || found->value.empty()) return std::nullopt;
  const auto* at = std::find(words.begin(), words.end(), found->value);
  if (at != words.end()) return static_cast<std::size_t>(at - words.begin());
  std::string expected;
  for (const auto each : words) expected += (expected.empty() ? "" : ", ") + std::string(each);
  wrong(name, "one of " + expected);
  return std::nullopt;
}

// To the microsecond: a double has no more of today's milliseconds, and what it has would be a bound that no span has.
std::optional<std::uint64_t> Parameters::time(std::string_view name) {
  const auto ms = number(name, 0, 9.2e12);
  return ms ? std::optional(static_cast<std::uint64_t>(std::llround(*ms * 1e3)) * 1000) : std::nullopt;
}

// To the nearest nanosecond: 0.000000127 is 127 ns, though its product is a little less.
std::optional<std::uint64_t> Parameters::duration(std::string_view name) {
  const auto seconds = number(name, 0, longest_seconds);
  return seconds ? std::optional(static_cast<std::uint64_t>(std::llround(*seconds * 1e9))) : std::nullopt;
}

base::Result<void> Parameters::check() const {
  if (!problem_.empty()) return base::fail(problem_);
  for (const auto& each : list_)
    if (!each.asked) return base::fail("unknown parameter \"" + each.name + "\"");
  return {};
}

}  // namespace sockeye::console
