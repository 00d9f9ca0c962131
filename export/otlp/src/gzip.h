// RFC 1952 in one call.
#pragma once

#include <string>
#include <string_view>

namespace sockeye::otlp {

class Gzip {
 public:
  Gzip();
  ~Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  // False: no memory; `out` is not to be used.
  [[nodiscard]] bool compress(std::string_view in, std::string& out);

 private:
  struct State;
  State* state_;
};

}  // namespace sockeye::otlp
