// A TLS connection seen from beside: its records, and with the session's secrets what they protect.
//
// Theory of operation. The records of each direction are followed from the first on; the hellos are read in clear and
// name the session (the client's random number) and its cipher suite. When the first protected record of a direction
// comes, the secrets are looked up. Where they may still be written (a key log that grows), both directions are kept,
// in order, until they are or `patience` or a bound is over. Then each record is decrypted and its application data
// handed on; handshake messages are read as far as keys change with them.
//
// A gap inside a record costs that record: its length was known, so the next one is found. A longer one is looked
// behind for a record that can be decrypted with one of the next sequence numbers; until then, and for good where none
// is found, that direction is blind, which is said as a gap of unknown length.
//
// Without secrets a stream is counted as what it is, and no more. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "key_log.h"
#include "sockeye/base/time.h"
#include "sockeye/model/frame.h"
#include "tls_keys.h"

namespace sockeye::tap {

struct TlsStats {
  std::uint64_t streams = 0;
  std::uint64_t decrypted = 0;        // of them: application data was
  std::uint64_t without_secrets = 0;  // the key log does not have them, or none was given
  std::uint64_t not_understood = 0;   // another version, cipher suite or use (early data, renegotiation)
  std::uint64_t incomplete = 0;       // the handshake is not all in the capture
  std::uint64_t wrong_secrets = 0;    // a record does not decrypt
  std::uint64_t records = 0;          // decrypted
  std::uint64_t records_lost = 0;     // to gaps, as far as they can be counted
  std::uint64_t resynchronised = 0;   // behind gaps
};

// What all TLS streams of a tap share.
struct TlsShared {
  // Bytes kept until secrets come.
  static constexpr std::size_t max_kept = 32U << 20U;

  KeyLog keys;
  TlsStats stats;
  std::size_t kept = 0;
  base::Time refreshed{};
  std::vector<base::Byte> scratch;
};

class TlsListener {
 public:
  virtual ~TlsListener() = default;
  // Valid during the call.
  virtual void plain(model::Side from, base::Bytes bytes, base::Time time) = 0;
  virtual void plain_gap(model::Side from, std::optional<std::uint64_t> count, base::Time time) = 0;
};

class TlsStream {
 public:
  static constexpr std::size_t max_kept = 256 * 1024;  // bytes of one stream, until secrets come
  static constexpr base::Duration patience = std::chrono::seconds(5);
  static constexpr std::uint64_t max_skipped = 128;        // records that a gap may have held
  static constexpr std::size_t max_searched = 128 * 1024;  // bytes behind a gap
  static constexpr int max_candidates = 32;                // what looks like a record in them

  // `client` is who sends the client's hello.
  TlsStream(TlsShared& shared, TlsListener& listener, model::Side client);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // The first bytes of a stream look like a client's hello; none: more are needed.
  [[nodiscard]] static std::optional<bool> begins(base::Bytes first);

  void bytes(model::Side from, base::Bytes bytes, base::Time time);
  void gap(model::Side from, std::uint64_t count, base::Time time);
  // Nothing of it will ever be handed on (again).
  [[nodiscard]] bool blind() const { return blind_; }

 private:
  enum class Why : std::uint8_t { without_secrets, not_understood, incomplete, wrong_secrets };

  // Takes handshake messages apart, keeping the first bytes of each.
  struct Handshake {
    static constexpr std::size_t max_message = 4 + 4096;
    std::vector<base::Byte> message;
    std::size_t size = 0;  // of the whole message with its header; 0: not known yet
    std::size_t seen = 0;
    template <class Done>
    void feed(base::Bytes in, Done&& done);
  };

  struct Half {
    std::vector<base::Byte> record;  // what has come of the current one
    std::size_t skip = 0;            // bytes of the current record that do not matter: a gap was in it
    std::size_t skipped_size = 0;    // of that record
    std::uint8_t skipped_type = 0;
    bool hello = false;    // was read
    bool changed = false;  // TLS 1.2: ChangeCipherSpec was sent
    bool traffic = false;  // TLS 1.3: past the handshake's keys
    bool searching = false;
    bool gap_said = false;  // of the one that is searched behind
    bool resynchronised = false;
    bool blind = false;
    int candidates = 0;
    std::size_t searched = 0;
    std::uint64_t sequence = 0;
    std::unique_ptr<TlsKeys> keys;
    KeyLog::Secret secret;  // TLS 1.3: of the traffic
    Handshake handshake;
  };
  struct Kept {
    model::Side from = model::Side::client;
    base::Time time{};
    std::uint64_t gap = 0;
    std::vector<base::Byte> bytes;
  };

  [[nodiscard]] Half& half(model::Side side) { return halves_[model::index(side)]; }
  void take(model::Side from, base::Bytes in, base::Time time);
  // The next record from `in`, or of what has come before and `in`: whole. `in` is what is behind it.
  std::optional<base::Bytes> next_record(Half& half, base::Bytes& in);
  // False: it cannot be read before there are secrets.
  bool record(model::Side from, base::Bytes record, base::Time time);
  void clear_record(model::Side from, std::uint8_t type, base::Bytes body);
  void plain_record(model::Side from, const TlsKeys::Plain& plain, base::Time time);
  void message(model::Side from, base::Bytes message, bool encrypted);
  void client_hello(base::Bytes body);
  void server_hello(base::Bytes body);
  bool make_keys(model::Side from);
  bool install_traffic_keys(model::Side from);

  void take_gap(model::Side from, std::uint64_t count, base::Time time);
  void end_skip(model::Side from, base::Time time);
  // Application data may come under the keys in force.
  [[nodiscard]] bool in_traffic(const Half& half) const;
  void say_gap(model::Side from, base::Time time);
  void begin_search(model::Side from, base::Time time);
  void search(model::Side from, base::Time time);
  bool try_record(model::Side from, base::Bytes record, base::Time time);

  // Keeps bytes or a gap until there are secrets.
  void keep(model::Side from, base::Bytes bytes, std::uint64_t gap, base::Time time);
  void try_secrets(base::Time time);
  void give_up(Why why);

  TlsShared& shared_;
  TlsListener& listener_;
  model::Side client_;
  bool blind_ = false;
  bool waiting_ = false;
  bool decrypted_ = false;
  bool version13_ = false;
  bool encrypt_then_mac_ = false;
  base::Time waiting_since_{};
  std::size_t kept_size_ = 0;
  std::vector<Kept> kept_;
  const TlsSuite* suite_ = nullptr;
  KeyLog::Random client_random_{};
  KeyLog::Random server_random_{};
  std::array<Half, 2> halves_;
};

}  // namespace sockeye::tap
