// Query strings, taken apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sockeye/base/result.h"

namespace sockeye::console {

inline constexpr double longest_seconds = 9.2e9;  // of a duration in a parameter

// The parameters of a query string. Each is asked for by its name and kind; what was not asked for is an error in the
// end, so that a misspelt filter is not an unfiltered answer.
class Parameters {
 public:
  explicit Parameters(std::string_view query);  // at most 64 parameters

  [[nodiscard]] std::string text(std::string_view name);
  [[nodiscard]] std::vector<std::string> texts(std::string_view name);
  [[nodiscard]] std::optional<double> number(std::string_view name, double least, double most);
  [[nodiscard]] std::uint64_t integer(std::string_view name, std::uint64_t otherwise, std::uint64_t least,
                                      std::uint64_t most);
  [[nodiscard]] bool flag(std::string_view name);
  // The index in `words`; none when the parameter is not there.
  [[nodiscard]] std::optional<std::size_t> word(std::string_view name, std::initializer_list<std::string_view> words);
  // Unix milliseconds, with a fraction → nanoseconds, to the microsecond.
  [[nodiscard]] std::optional<std::uint64_t> time(std::string_view name);
  // Seconds → nanoseconds.
  [[nodiscard]] std::optional<std::uint64_t> duration(std::string_view name);

  void wrong(std::string_view name, std::string_view expected);
  // The first thing that was wrong, or a parameter nobody asked for.
  [[nodiscard]] base::Result<void> check() const;

 private:
  struct Parameter {
    std::string name, value;
    bool asked = false;
  };
  Parameter* find(std::string_view name);
  std::vector<Parameter> list_;
  std::string problem_;
};

}  // namespace sockeye::console
