#include "tls_stream.h"

#include <algorithm>
#include <utility>

#include "byte_order.h"

namespace sockeye::tap {
namespace {

using model::Side;

namespace content {  // RFC 8446 §5.1
constexpr std::uint8_t change_cipher_spec = 20;
constexpr std::uint8_t handshake = 22;
constexpr std::uint8_t application_data = 23;
}  // namespace content

namespace handshake_type {  // RFC 8446 §4
constexpr std::uint8_t client_hello = 1;
constexpr std::uint8_t server_hello = 2;
constexpr std::uint8_t finished = 20;
constexpr std::uint8_t key_update = 24;
}  // namespace handshake_type

constexpr std::uint16_t extension_encrypt_then_mac = 22;
constexpr std::uint16_t extension_supported_versions = 43;

// A server's hello with this random asks for another of the client's (RFC 8446 §4.1.3).
constexpr KeyLog::Random retry_random = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                         0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                         0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

// Version 3.x, a content type that exists, a length that may be.
bool is_header(const base::Byte* at) {
  return at[0] >= content::change_cipher_spec && at[0] <= content::application_data && at[1] == 3 && at[2] <= 4 &&
         big16(at + 3) <= TlsKeys::max_record - TlsKeys::header_size;
}

}  // namespace

template <class Done>
void TlsStream::Handshake::feed(base::Bytes in, Done&& done) {
  while (!in.empty()) {
    const auto wanted = size == 0 ? std::size_t{4} : size;
    const auto n = std::min(in.size(), wanted - seen);
    const auto room = max_message - std::min(max_message, message.size());
    message.insert(message.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(std::min(n, room)));
    seen += n;
    in = in.subspan(n);
    if (size == 0 && seen == 4) size = 4 + std::size_t{big24(message.data() + 1)};
    if (size == 0 || seen < size) continue;
    done(base::Bytes(message));
    message.clear();
    size = seen = 0;
  }
}

TlsStream::TlsStream(TlsShared& shared, TlsListener& listener, Side client)
    : shared_(shared), listener_(listener), client_(client) {
  ++shared_.stats.streams;
}

TlsStream::~TlsStream() {
  shared_.kept -= kept_size_;
  for (auto& each : halves_) each.secret.wipe();
}

std::optional<bool> TlsStream::begins(base::Bytes first) {
  constexpr std::array<base::Byte, 2> start = {content::handshake, 3};
  for (std::size_t i = 0; i < std::min(first.size(), start.size()); ++i)
    if (first[i] != start[i]) return false;
  if (first.size() < 6) return std::nullopt;
  return is_header(first.data()) && first[5] == handshake_type::client_hello;
}

void TlsStream::bytes(Side from, base::Bytes bytes, base::Time time) {
  if (waiting_) {
    keep(from, bytes, 0, time);
    try_secrets(time);
  } else {
    take(from, bytes, time);
  }
}

void TlsStream::gap(Side from, std::uint64_t count, base::Time time) {
  if (waiting_) {
    keep(from, {}, count, time);
  } else {
    take_gap(from, count, time);
  }
}

void TlsStream::take(Side from, base::Bytes in, base::Time time) {
  auto& own = half(from);
  while (!in.empty() && !own.blind && !blind_) {
    if (own.skip > 0) {
      const auto n = std::min(own.skip, in.size());
      own.skip -= n;
      in = in.subspan(n);
      if (own.skip == 0) end_skip(from, time);
      continue;
    }
    if (own.searching) {
      own.record.insert(own.record.end(), in.begin(), in.end());
      in = {};
      search(from, time);
      return;
    }
    const auto next = next_record(own, in);
    if (!next) return;
    const bool gathered = !own.record.empty();
    if (!record(from, *next, time)) {
      waiting_ = true;
      waiting_since_ = time;
      keep(from, *next, 0, time);
      keep(from, in, 0, time);
      own.record.clear();
      return;
    }
    if (gathered) own.record.clear();
  }
}

std::optional<base::Bytes> TlsStream::next_record(Half& own, base::Bytes& in) {
  constexpr auto header = TlsKeys::header_size;
  const auto gather = [&](std::size_t until) {
    const auto n = std::min(in.size(), until - own.record.size());
    own.record.insert(own.record.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(n));
    in = in.subspan(n);
    return own.record.size() == until;
  };
  if (own.record.empty() && in.size() >= header) {  // as it lies, if it is whole
    const auto size = header + big16(in.data() + 3);
    if (!is_header(in.data())) {
      give_up(own.hello ? Why::wrong_secrets : Why::not_understood);
      return std::nullopt;
    }
    if (in.size() >= size) {
      const auto out = in.first(size);
      in = in.subspan(size);
      return out;
    }
  }
  if (own.record.size() < header && !gather(header)) return std::nullopt;
  if (!is_header(own.record.data())) {
    give_up(own.hello ? Why::wrong_secrets : Why::not_understood);
    return std::nullopt;
  }
  if (!gather(header + big16(own.record.data() + 3))) return std::nullopt;
  return base::Bytes(own.record);
}

bool TlsStream::record(Side from, base::Bytes record, base::Time time) {
  auto& own = half(from);
  const auto type = record[0];
  const auto body = record.subspan(TlsKeys::header_size);
  const bool protects = version13_ ? type == content::application_data : own.changed;
  if (!protects) {
    clear_record(from, type, body);
    return true;
  }
  if (!own.keys && !make_keys(from)) {
    if (blind_) return true;
    if (!shared_.keys.growing()) {
      give_up(Why::without_secrets);
      return true;
    }
    return false;
  }
  const auto plain = own.keys->open(own.sequence, record, shared_.scratch);
  if (!plain) {
    // Behind a gap in the handshake its end may have gone by unrecognised.
    if (!own.resynchronised || !try_record(from, record, time)) give_up(Why::wrong_secrets);
    return true;
  }
  ++own.sequence;
  plain_record(from, *plain, time);
  // The next record may want secrets that are not there yet; that is for it to find out.
  return true;
}

void TlsStream::clear_record(Side from, std::uint8_t type, base::Bytes body) {
  auto& own = half(from);
  if (type == content::handshake) {
    own.handshake.feed(body, [&](base::Bytes whole) { message(from, whole, false); });
  } else if (type == content::change_cipher_spec) {
    if (suite_ != nullptr && !version13_) own.changed = true;  // in TLS 1.3 it means nothing (RFC 8446 §5)
  } else if (type == content::application_data) {
    give_up(suite_ == nullptr && half(client_).hello ? Why::not_understood : Why::incomplete);  // early data
  }
}

void TlsStream::plain_record(Side from, const TlsKeys::Plain& plain, base::Time time) {
  auto& own = half(from);
  ++shared_.stats.records;
  if (plain.type == content::handshake) {
    own.handshake.feed(plain.bytes, [&](base::Bytes whole) { message(from, whole, true); });
  } else if (plain.type == content::application_data && !plain.bytes.empty()) {
    if (!decrypted_) ++shared_.stats.decrypted;
    decrypted_ = true;
    listener_.plain(from, plain.bytes, time);
  }
}

void TlsStream::message(Side from, base::Bytes whole, bool encrypted) {
  if (blind_) return;
  auto& own = half(from);
  const auto body = whole.subspan(4);
  switch (whole[0]) {
    case handshake_type::client_hello:
      if (encrypted) return give_up(Why::not_understood);  // renegotiation
      if (from == client_) client_hello(body);
      break;
    case handshake_type::server_hello:
      if (!encrypted && from != client_) server_hello(body);
      break;
    case handshake_type::finished:
      if (encrypted && version13_ && !own.traffic) {
        own.traffic = true;
        own.keys.reset();  // the next record wants others
        own.sequence = 0;
      }
      break;
    case handshake_type::key_update:
      if (encrypted && version13_ && own.traffic) {
        own.secret = updated_secret(*suite_, own.secret);
        own.keys = TlsKeys::tls13(*suite_, own.secret);
        own.sequence = 0;
      }
      break;
    default:
      break;
  }
}

void TlsStream::client_hello(base::Bytes body) {
  if (body.size() < 34) return give_up(Why::not_understood);
  half(client_).hello = true;
  std::copy_n(body.begin() + 2, client_random_.size(), client_random_.begin());
}

void TlsStream::server_hello(base::Bytes body) {
  auto& own = half(model::other(client_));
  if (body.size() < 35 || body.size() < 35U + body[34] + 3U) return give_up(Why::not_understood);
  std::copy_n(body.begin() + 2, server_random_.size(), server_random_.begin());
  if (server_random_ == retry_random) return;
  own.hello = true;
  if (!half(client_).hello) return give_up(Why::incomplete);
  auto version = big16(body.data());
  auto rest = body.subspan(35U + body[34]);
  suite_ = find_suite(big16(rest.data()));
  const bool compressed = rest[2] != 0;
  rest = rest.subspan(3);
  if (rest.size() >= 2) rest = rest.subspan(2);
  while (rest.size() >= 4) {
    const auto type = big16(rest.data());
    const auto size = std::size_t{big16(rest.data() + 2)};
    rest = rest.subspan(4);
    if (size > rest.size()) break;
    if (type == extension_supported_versions && size == 2) version = big16(rest.data());
    if (type == extension_encrypt_then_mac) encrypt_then_mac_ = true;
    rest = rest.subspan(size);
  }
  version13_ = version == 0x0304;
  if (suite_ == nullptr || compressed || (version != 0x0303 && version != 0x0304)) give_up(Why::not_understood);
}

// False, and not blind: the secrets are not there (yet).
bool TlsStream::make_keys(Side from) {
  if (suite_ == nullptr) {
    give_up(Why::incomplete);
    return false;
  }
  if (version13_ && half(from).traffic) return install_traffic_keys(from);
  const auto* secrets = shared_.keys.find(client_random_);
  if (secrets == nullptr) return false;
  auto& own = half(from);
  if (version13_) {
    const auto& secret = from == client_ ? secrets->client_handshake : secrets->server_handshake;
    if (secret.empty()) return false;
    own.keys = TlsKeys::tls13(*suite_, secret);
  } else {
    if (secrets->master.empty()) return false;
    auto pair = TlsKeys::tls12(*suite_, secrets->master.view(), client_random_, server_random_, encrypt_then_mac_);
    own.keys = std::move(from == client_ ? pair.client : pair.server);
  }
  if (!own.keys) give_up(Why::not_understood);
  return own.keys != nullptr;
}

bool TlsStream::install_traffic_keys(Side from) {
  const auto* secrets = shared_.keys.find(client_random_);
  if (secrets == nullptr) return false;
  auto& own = half(from);
  const auto& secret = from == client_ ? secrets->client_traffic : secrets->server_traffic;
  if (secret.empty()) return false;
  own.secret = secret;
  own.keys = TlsKeys::tls13(*suite_, secret);
  if (!own.keys) give_up(Why::not_understood);
  return own.keys != nullptr;
}

void TlsStream::take_gap(Side from, std::uint64_t count, base::Time time) {
  auto& own = half(from);
  if (own.blind || blind_) return;
  if (!own.hello || suite_ == nullptr) return give_up(Why::incomplete);
  if (own.skip > 0) {
    if (count <= own.skip) {
      own.skip -= static_cast<std::size_t>(count);
      if (own.skip == 0) end_skip(from, time);
      return;
    }
    own.skip = 0;
    ++own.sequence;
    return begin_search(from, time);
  }
  if (!own.searching && own.record.size() >= TlsKeys::header_size) {
    const auto size = TlsKeys::header_size + big16(own.record.data() + 3);
    const auto left = size - own.record.size();
    if (count <= left) {
      own.skip = left - static_cast<std::size_t>(count);
      own.skipped_size = size;
      own.skipped_type = own.record[0];
      own.record.clear();
      if (own.skip == 0) end_skip(from, time);
      return;
    }
  }
  begin_search(from, time);
}

// A record is over in which bytes are missing. All behind it can be read.
void TlsStream::end_skip(Side from, base::Time time) {
  auto& own = half(from);
  const bool protects = version13_ ? own.skipped_type == content::application_data : own.changed;
  if (!protects) {  // of the handshake in clear: its messages cannot be told apart any more, nor when the keys change
    if (own.skipped_type == content::handshake) begin_search(from, time);
    return;
  }
  ++shared_.stats.records_lost;
  ++own.sequence;
  if (version13_ && !own.traffic) return begin_search(from, time);  // its Finished may have been in it
  if (own.skipped_type != content::application_data) return;
  listener_.plain_gap(from, own.keys ? own.keys->plain_size(own.skipped_size) : std::nullopt, time);
}

void TlsStream::begin_search(Side from, base::Time time) {
  auto& own = half(from);
  own.record.clear();
  own.handshake = {};
  own.candidates = 0;
  own.searched = 0;
  own.searching = true;
  if (in_traffic(own)) say_gap(from, time);
}

bool TlsStream::in_traffic(const Half& half) const {
  return version13_ ? half.traffic : half.changed && half.sequence > 0;  // TLS 1.2: its Finished is the first
}

void TlsStream::say_gap(Side from, base::Time time) {
  if (!std::exchange(half(from).gap_said, true)) listener_.plain_gap(from, std::nullopt, time);
}

// Looks for a record that decrypts in what has been gathered since the gap.
void TlsStream::search(Side from, base::Time time) {
  auto& own = half(from);
  constexpr auto header = TlsKeys::header_size;
  std::size_t at = 0;
  while (own.searching && own.record.size() - at >= header) {
    const auto* here = own.record.data() + at;
    const bool looks = is_header(here) && here[2] == 3 &&
                       (here[0] == content::application_data || (!version13_ && here[0] == content::handshake)) &&
                       big16(here + 3) >= 16;
    if (looks) {
      const auto size = header + big16(here + 3);
      if (own.record.size() - at < size) break;
      if (try_record(from, base::Bytes(own.record).subspan(at, size), time)) {
        own.searching = own.gap_said = false;
        own.resynchronised = true;
        const std::vector<base::Byte> rest(own.record.begin() + static_cast<std::ptrdiff_t>(at + size),
                                           own.record.end());
        own.record.clear();
        ++shared_.stats.resynchronised;
        take(from, rest, time);
        return;
      }
      if (++own.candidates == max_candidates) own.blind = true;
    }
    ++at;
    if (++own.searched == max_searched) own.blind = true;
    if (own.blind) break;
  }
  own.record.erase(own.record.begin(), own.record.begin() + static_cast<std::ptrdiff_t>(at));
  if (own.blind) {
    own.record = {};
    say_gap(from, time);
  }
  if (halves_[0].blind && halves_[1].blind) give_up(Why::incomplete);
}

// With the keys in force, and where the handshake's may just have ended, with those that follow.
bool TlsStream::try_record(Side from, base::Bytes record, base::Time time) {
  auto& own = half(from);
  const auto open = [&](std::uint64_t first) -> bool {
    for (auto sequence = first; sequence <= first + max_skipped; ++sequence) {
      const auto plain = own.keys->open(sequence, record, shared_.scratch);
      if (!plain) continue;
      shared_.stats.records_lost += sequence - first;
      const auto first_of_traffic = version13_ ? std::uint64_t{0} : std::uint64_t{1};
      if (own.searching && (!version13_ || own.traffic) && sequence > std::max(first, first_of_traffic))
        say_gap(from, time);
      own.sequence = sequence + 1;
      plain_record(from, *plain, time);
      return true;
    }
    return false;
  };
  if (!version13_) own.changed = true;  // if it decrypts
  if (!own.keys && !make_keys(from)) return false;
  if (open(own.sequence)) return true;
  if (!version13_ || own.traffic) return false;
  auto handshake_keys = std::move(own.keys);
  own.traffic = install_traffic_keys(from);
  if (own.traffic && open(0)) return true;
  own.traffic = false;
  own.keys = std::move(handshake_keys);
  return false;
}

void TlsStream::keep(Side from, base::Bytes bytes, std::uint64_t gap, base::Time time) {
  if (bytes.empty() && gap == 0) return;
  const auto size = bytes.size() + sizeof(Kept);
  if (kept_size_ + size > max_kept || shared_.kept + size > TlsShared::max_kept) return give_up(Why::without_secrets);
  kept_size_ += size;
  shared_.kept += size;
  kept_.push_back({from, time, gap, {bytes.begin(), bytes.end()}});
}

void TlsStream::try_secrets(base::Time time) {
  constexpr base::Duration refresh_every = std::chrono::milliseconds(10);
  if (blind_) return;
  if (time - shared_.refreshed >= refresh_every) {
    shared_.refreshed = time;
    shared_.keys.refresh();
  }
  const auto* secrets = shared_.keys.find(client_random_);
  const bool there =
      secrets != nullptr && (version13_ ? !secrets->client_traffic.empty() && !secrets->server_traffic.empty() &&
                                              !secrets->client_handshake.empty() && !secrets->server_handshake.empty()
                                        : !secrets->master.empty());
  if (!there) {
    if (time - waiting_since_ > patience) give_up(Why::without_secrets);
    return;
  }
  waiting_ = false;
  const auto kept = std::move(kept_);
  kept_.clear();
  shared_.kept -= kept_size_;
  kept_size_ = 0;
  for (const auto& each : kept) {
    if (waiting_) {
      keep(each.from, each.bytes, each.gap, each.time);
    } else if (each.gap > 0) {
      take_gap(each.from, each.gap, each.time);
    } else {
      take(each.from, each.bytes, each.time);
    }
  }
}

void TlsStream::give_up(Why why) {
  if (blind_) return;
  blind_ = true;
  waiting_ = false;
  shared_.kept -= kept_size_;
  kept_size_ = 0;
  kept_ = {};
  switch (why) {
    case Why::without_secrets:
      ++shared_.stats.without_secrets;
      break;
    case Why::not_understood:
      ++shared_.stats.not_understood;
      break;
    case Why::incomplete:
      ++shared_.stats.incomplete;
      break;
    case Why::wrong_secrets:
      ++shared_.stats.wrong_secrets;
      break;
  }
}

}  // namespace sockeye::tap
