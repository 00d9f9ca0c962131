// Secrets of TLS sessions as clients and servers write them down (SSLKEYLOGFILE, draft-ietf-tls-keylogfile), by the
// random number of the client's hello. Bounded: the session that was added first goes first. Never logged, and wiped
// when dropped. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "sockeye/base/bytes.h"
#include "sockeye/base/result.h"

namespace sockeye::tap {

class KeyLog {
 public:
  static constexpr std::size_t max_sessions = 262'144;
  static constexpr std::size_t max_line = 1024;  // a longer one is counted as malformed

  using Random = std::array<base::Byte, 32>;
  class Secret {
   public:
    static constexpr std::size_t max = 64;
    [[nodiscard]] base::Bytes view() const { return {bytes_.data(), size_}; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    // False: not hexadecimal, or too long.
    bool assign_hex(std::string_view hex);
    void assign(base::Bytes bytes);
    void wipe();

   private:
    std::array<base::Byte, max> bytes_{};
    std::uint8_t size_ = 0;
  };
  struct Secrets {
    Secret master;  // CLIENT_RANDOM: up to TLS 1.2
    Secret client_handshake;
    Secret server_handshake;
    Secret client_traffic;
    Secret server_traffic;
  };

  KeyLog() = default;
  ~KeyLog();
  KeyLog(const KeyLog&) = delete;
  KeyLog& operator=(const KeyLog&) = delete;

  // Lines of it; what follows the last line's end is kept for the next call.
  void add(base::Bytes lines);
  // Reads the file, now and with each refresh() what was added to it.
  [[nodiscard]] base::Result<void> follow(const std::string& path);
  // `descriptor` is closed with this; `name` stands in messages.
  [[nodiscard]] base::Result<void> follow(int descriptor, const std::string& name);
  // True when there was something.
  bool refresh();
  // What is not there yet may come: there is a file to follow, or expect_more() was said.
  [[nodiscard]] bool growing() const { return growing_; }
  void expect_more() { growing_ = true; }

  // nullptr: none. Valid until the next call of another.
  [[nodiscard]] const Secrets* find(const Random& client) const;
  [[nodiscard]] bool empty() const { return sessions_.empty(); }
  [[nodiscard]] std::size_t sessions() const { return sessions_.size(); }
  [[nodiscard]] std::uint64_t malformed() const { return malformed_; }  // lines; comments and unknown labels are not
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }      // sessions

 private:
  void line(std::string_view line);

  std::map<Random, Secrets> sessions_;  // ordered: whoever made the file chose the randoms, and no hash of ours
  std::deque<Random> order_;
  std::string partial_;
  bool overlong_ = false;  // the current line is: skipped to its end
  bool growing_ = false;
  int fd_ = -1;
  std::uint64_t malformed_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace sockeye::tap
