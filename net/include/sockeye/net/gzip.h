// RFC 1952 in one call, for bodies that are whole in memory.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace sockeye::net {

// Keeps zlib's quarter of a megabyte between calls. For one thread at a time.
class Gzip {
 public:
  explicit Gzip(int level);  // zlib's, 1 (fastest) to 9
  ~Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  // Replaces `out`, whose capacity may exceed its size by far. False: no memory, or over 2 GiB; `out` is not to be
  // used.
  [[nodiscard]] bool compress(std::string_view in, std::string& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sockeye::net
