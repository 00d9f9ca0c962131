// MQTT 3.1.1 and 5 (3.1 where it is the same) in binary messages: the stream of each side is one stream of bytes,
// control packets lie across messages as they come.
//
//   {"packet":"connect","version":5,"client_id":"c","keep_alive":60,"clean":true,"will":false,"properties":{..}}
//   {"packet":"connack","session_present":false,"reason":0,"properties":{..}}
//   {"packet":"publish","id":3,"topic":"a/b","qos":1,"retain":false,"dup":false,"payload_bytes":5,"properties":{..}}
//   {"packet":"puback|pubrec|pubrel|pubcomp","id":3,"reason":0,"properties":{..}}
//   {"packet":"subscribe","id":4,"filters":[{"topic":"a/#","qos":1}],"filter_count":1,"properties":{..}}
//   {"packet":"unsubscribe","id":5,"filters":[{"topic":"a/#"}],"filter_count":1,"properties":{..}}
//   {"packet":"suback|unsuback","id":4,"reason":128,"reasons":[1,128],"properties":{..}}
//   {"packet":"pingreq|pingresp"}
//   {"packet":"disconnect|auth","reason":0,"properties":{..}}
//   properties: {"response_topic":"r","correlation":"<hex>","content_type":"t","reason_string":"s","topic_alias":1,
//                "subscription_id":1,"user":{"traceparent":".."}}, each as far as it was sent
//
// `id` is absent at QoS 0; `properties` in MQTT 3.1.1 and when there are none. `reason` of suback and unsuback is the
// greatest code, so that 128 and more means a failure; in a 3.1.1 connack it is the return code. `filters` and
// `reasons` hold the first most_listed. A topic alias is resolved (the first most_aliases of a side, topics of at most
// most_alias_topic bytes). A CONNECT's user name, password and will, authentication data and PUBLISH payloads are
// neither copied nor held: they are counted as they pass, and the document is there as soon as the bytes it is made of
// are; wire_bytes is the whole packet all the same. Past most_properties bytes there are no properties in the document
// of a PUBLISH, and no client id in that of a CONNECT; of other packets past most_packet only id and reason are read.
//
// The version is learned from CONNECT or, where the decoder starts later, from the first packet that is only possible
// in one version; until then properties of a PUBLISH count as payload.
//
// A fault loses the rest of its message, what was held, and the side's aliases: the stream is taken up at the beginning
// of the next message, since most peers begin a packet there. What a side cannot send (flags, sender, topics with
// wildcards, ...) is a fault, so that a decoder which starts in the middle of a packet does not go astray for long. A
// text message is a fault (MQTT-6.0.0-1).
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "decoders.h"
#include "mqtt_properties.h"
#include "sockeye/base/utf8.h"

namespace sockeye::dialect {
namespace {

using mqtt::Cursor;
using mqtt::write_properties;

constexpr std::size_t most_packet = 64U << 10U;      // of a packet that is read whole
constexpr std::size_t most_properties = 16U << 10U;  // of PUBLISH and CONNECT
constexpr std::size_t most_listed = 32;
constexpr std::size_t most_aliases = 32;
constexpr std::size_t most_alias_topic = 512;

enum Type : std::uint8_t {
  reserved,
  connect,
  connack,
  publish,
  puback,
  pubrec,
  pubrel,
  pubcomp,
  subscribe,
  suback,
  unsubscribe,
  unsuback,
  pingreq,
  pingresp,
  disconnect,
  auth
};

struct Kind {
  std::string_view name;
  std::uint8_t flags;    // PUBLISH aside, the one value the four bits may have
  std::uint8_t senders;  // a bit a side
};
constexpr std::uint8_t from_client = 1;
constexpr std::uint8_t from_server = 2;
constexpr std::uint8_t from_both = 3;
constexpr std::array<Kind, 16> kinds{{{"", 0, 0},
                                      {"connect", 0, from_client},
                                      {"connack", 0, from_server},
                                      {"publish", 0, from_both},
                                      {"puback", 0, from_both},
                                      {"pubrec", 0, from_both},
                                      {"pubrel", 2, from_both},
                                      {"pubcomp", 0, from_both},
                                      {"subscribe", 2, from_client},
                                      {"suback", 0, from_server},
                                      {"unsubscribe", 2, from_client},
                                      {"unsuback", 0, from_server},
                                      {"pingreq", 0, from_client},
                                      {"pingresp", 0, from_server},
                                      {"disconnect", 0, from_both},
                                      {"auth", 0, from_both}}};

// The variable byte integer at a place of `text`: how many bytes it has (0: they are not all there), and its value.
struct Varint {
  std::size_t size = 0;
  std::uint32_t value = 0;
  bool bad = false;
};
Varint varint_at(std::string_view text, std::size_t at) {
  const std::string_view bytes = text.substr(std::min(at, text.size()), 4);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if ((static_cast<std::uint8_t>(bytes[i]) & 0x80U) != 0) continue;
    Cursor cursor(bytes);
    return {.size = i + 1, .value = cursor.varint()};
  }
  return {.bad = bytes.size() == 4};
}

bool is_topic(std::string_view text) {
  return text.find_first_of(std::string_view("\0+#", 3)) == std::string_view::npos &&
         base::valid_utf8_prefix(text) == text.size();
}
bool is_filter(std::string_view text) {
  return !text.empty() && text.find('\0') == std::string_view::npos && base::valid_utf8_prefix(text) == text.size();
}

void write_flag(std::string& to, std::string_view name, bool value) {
  to += ",\"";
  to += name;
  to += value ? "\":true" : "\":false";
}
void write_count(std::string& to, std::string_view name, std::uint64_t value) {
  to += ",\"";
  to += name;
  to += "\":";
  append_number(to, value);
}

class Mqtt final : public Decoder {
 public:
  bool decode(model::Side from, model::Opcode opcode, base::Bytes plain, Documents& out) override {
    Stream& s = streams_[model::index(from)];
    if (opcode != model::Opcode::binary) return fault(s);
    std::string_view rest = base::as_text(plain);
    for (;;) {
      const std::uint64_t passing = std::min<std::uint64_t>(s.passing, rest.size());
      s.passing -= passing;
      rest.remove_prefix(passing);
      // What is needed of a packet becomes known as it is read: where it is whole in this message it is read in place.
      const std::string_view seen = s.held.empty() ? rest : s.held;
      if (seen.empty()) break;
      const auto need = needed(from, seen);
      if (!need) return fault(s);
      if (seen.size() < *need) {
        const std::size_t more = std::min(*need - s.held.size(), rest.size());
        if (more == 0) break;
        s.held += rest.substr(0, more);
        rest.remove_prefix(more);
        continue;
      }
      if (!packet(s, seen.substr(0, *need), out)) return fault(s);
      if (s.held.empty()) rest.remove_prefix(*need);
      s.held.clear();
    }
    return true;
  }

  [[nodiscard]] std::size_t held() const override {
    std::size_t out = 0;
    for (const Stream& s : streams_) {
      out += s.held.capacity();
      for (const std::string& alias : s.aliases) out += sizeof(std::string) + alias.size();
    }
    return out;
  }

 private:
  struct Stream {
    std::string held;           // the beginning of a packet that spans messages, as far as it is needed
    std::uint64_t passing = 0;  // bytes of the packet being read that are not needed
    std::vector<std::string> aliases;
  };

  bool fault(Stream& s) {
    if (!certain_) version_ = 0;
    s.held.clear();
    s.passing = 0;
    s.aliases.clear();
    return false;
  }

  // How many of the bytes of the packet that begins at `text` have to be read, as far as those that are there tell:
  // where there are as many, that is all. None: no packet.
  std::optional<std::size_t> needed(model::Side from, std::string_view text) {
    const auto first = static_cast<std::uint8_t>(text[0]);
    const auto type = static_cast<Type>(first >> 4U);
    const std::uint8_t flags = first & 15U;
    const Kind& kind = kinds[type];
    if ((kind.senders & (1U << model::index(from))) == 0) return std::nullopt;
    if (type == publish) {
      const unsigned qos = (flags >> 1U) & 3U;
      if (qos == 3 || (qos == 0 && (flags & 8U) != 0)) return std::nullopt;
    } else if (flags != kind.flags) {
      return std::nullopt;
    }
    const Varint remaining = varint_at(text, 1);
    if (remaining.bad) return std::nullopt;
    if (remaining.size == 0) return text.size() + 1;
    const std::size_t begin = 1 + remaining.size;
    const std::size_t end = begin + remaining.value;
    std::size_t need = 0;
    if (type == publish) {
      need = publish_head(text, begin, (flags & 6U) != 0);
    } else if (type == connect) {
      need = connect_head(text, begin);
    } else {
      need = remaining.value <= most_packet ? end : begin + 3;
    }
    if (need == 0 || need > end) return std::nullopt;
    return need;
  }

  // Both: 0 when it cannot be.
  std::size_t publish_head(std::string_view text, std::size_t begin, bool has_id) {
    std::size_t need = begin + 2;
    if (text.size() < need) return need;
    Cursor in(text.substr(begin));
    const std::uint32_t topic = in.number(2);
    if (topic == 0 && version_ == 0) version_ = 5;  // only then: an alias stands for it
    if (topic == 0 && version_ != 5) return 0;
    need += topic + (has_id ? 2 : 0);
    return version_ == 5 ? with_properties(text, need) : need;
  }

  static std::size_t connect_head(std::string_view text, std::size_t begin) {
    std::size_t need = begin + 2;
    if (text.size() < need) return need;
    Cursor in(text.substr(begin));
    const std::uint32_t name = in.number(2);
    if (name != 4 && name != 6) return 0;  // "MQTT", "MQIsdp"
    need += name + 4;                      // level, flags, keep alive
    if (text.size() < need) return need;
    if (text[need - 4] == 5) {
      const std::size_t behind = with_properties(text, need);
      const Varint size = varint_at(text, need);
      if (behind == 0 || size.size == 0 || size.value > most_properties) return behind;
      need = behind;
    }
    if (text.size() < need + 2) return need + 2;
    Cursor client(text.substr(need));
    return need + 2 + client.number(2);
  }

  // The properties at `at` too, or only their length where they are past the bound.
  static std::size_t with_properties(std::string_view text, std::size_t at) {
    const Varint size = varint_at(text, at);
    if (size.bad) return 0;
    if (size.size == 0) return std::max(text.size(), at) + 1;
    return at + size.size + (size.value <= most_properties ? size.value : 0);
  }

  // `text`: what is needed of a packet. False: malformed.
  bool packet(Stream& s, std::string_view text, Documents& out) {
    const auto first = static_cast<std::uint8_t>(text[0]);
    const auto type = static_cast<Type>(first >> 4U);
    const Varint remaining = varint_at(text, 1);
    const std::size_t begin = 1 + remaining.size;
    const std::uint64_t size = begin + remaining.value;
    const std::string_view body = text.substr(begin);
    const bool whole = text.size() == size;
    s.passing = size - text.size();
    out.begin();
    std::string& to = out.text();
    to += R"({"packet":")";
    to += kinds[type].name;
    to += '"';
    bool good = false;
    switch (type) {
      case connect:
        good = read_connect(body, to);
        break;
      case connack:
        good = read_connack(body, whole, to);
        break;
      case publish:
        good = read_publish(s, first, body, size - text.size(), to);
        break;
      case puback:
      case pubrec:
      case pubrel:
      case pubcomp:
        good = read_reason(body, whole, true, to);
        break;
      case subscribe:
      case unsubscribe:
        good = read_filters(body, whole, type == subscribe, to);
        break;
      case suback:
      case unsuback:
        good = read_reasons(body, whole, type == unsuback, to);
        break;
      case pingreq:
      case pingresp:
        good = body.empty();
        break;
      case disconnect:
      case auth:
        if (version_ == 0 && (type == auth || !body.empty())) version_ = 5;
        good = (version_ == 5 || (type == disconnect && body.empty())) && read_reason(body, whole, false, to);
        break;
      case reserved:
        break;
    }
    if (!good) {
      out.abandon();
      return false;
    }
    to += '}';
    out.finish(size);
    return true;
  }

  bool read_connect(std::string_view body, std::string& to) {
    Cursor in(body);
    const std::string_view protocol = in.string();
    const std::uint32_t level = in.number(1);
    const std::uint32_t flags = in.number(1);
    const std::uint32_t keep_alive = in.number(2);
    if (protocol != (level == 3 ? "MQIsdp" : "MQTT") || level < 3 || level > 5 || (flags & 1U) != 0) return false;
    version_ = level == 5 ? 5 : 4;
    certain_ = true;
    for (Stream& s : streams_) s.aliases.clear();
    write_count(to, "version", level);
    const std::uint32_t size = level == 5 ? in.varint() : 0;
    const std::string_view properties = size <= most_properties ? in.take(size) : std::string_view{};
    if (size <= most_properties) {
      to += R"(,"client_id":)";
      append_json(to, in.string());
    }
    write_count(to, "keep_alive", keep_alive);
    write_flag(to, "clean", (flags & 2U) != 0);
    write_flag(to, "will", (flags & 4U) != 0);
    return in.ok() && write_properties(to, properties);
  }

  bool read_connack(std::string_view body, bool whole, std::string& to) {
    Cursor in(body);
    const std::uint32_t flags = in.number(1);
    const std::uint32_t reason = in.number(1);
    if (!in.ok() || flags > 1) return false;
    write_flag(to, "session_present", flags != 0);
    write_count(to, "reason", reason);
    if (version_ == 0) version_ = body.size() == 2 ? 4 : 5;  // MQTT 5 has at least the properties' length
    if (version_ == 4) return in.done();
    return rest_properties(in, whole, to);
  }

  // The last of a packet.
  static bool rest_properties(Cursor& in, bool whole, std::string& to) {
    if (!whole) return true;
    const std::string_view properties = in.take(in.varint());
    return in.ok() && in.done() && write_properties(to, properties);
  }

  bool read_publish(Stream& s, std::uint8_t first, std::string_view body, std::uint64_t payload, std::string& to) {
    Cursor in(body);
    std::string_view topic = in.string();
    const unsigned qos = (first >> 1U) & 3U;
    if (qos > 0) {
      const std::uint32_t id = in.number(2);
      if (id == 0) return false;
      write_count(to, "id", id);
    }
    std::string_view properties;
    if (version_ == 5) {
      const std::uint32_t size = in.varint();
      if (size <= most_properties)
        properties = in.take(size);
      else if (size <= payload)
        payload -= size;
      else
        return false;
    }
    if (!in.ok() || !is_topic(topic)) return false;
    if (version_ == 5 && !resolve(s, topic, properties)) return false;
    to += R"(,"topic":)";
    append_json(to, topic);
    write_count(to, "qos", qos);
    write_flag(to, "retain", (first & 1U) != 0);
    write_flag(to, "dup", (first & 8U) != 0);
    write_count(to, "payload_bytes", payload);
    return write_properties(to, properties);
  }

  // Learns a topic's alias, or says what an alias stands for. False: malformed properties.
  static bool resolve(Stream& s, std::string_view& topic, std::string_view properties) {
    std::uint32_t alias = 0;
    const bool good = mqtt::read_properties(properties, alias);
    if (!good || alias == 0 || alias > most_aliases) return good;
    if (topic.empty()) {
      if (alias <= s.aliases.size()) topic = s.aliases[alias - 1];
      return true;
    }
    if (s.aliases.size() < alias) s.aliases.resize(alias);
    s.aliases[alias - 1] = topic.size() <= most_alias_topic ? topic : std::string_view{};
    return true;
  }

  bool read_reason(std::string_view body, bool whole, bool has_id, std::string& to) {
    Cursor in(body);
    if (has_id) {
      const std::uint32_t id = in.number(2);
      if (id == 0) return false;
      write_count(to, "id", id);
      if (version_ == 0 && body.size() > 2) version_ = 5;
      if (version_ == 4 && body.size() > 2) return false;
    }
    const std::uint32_t reason = in.done() ? 0 : in.number(1);  // left out: success (§3.4.2.1, §3.14.2.1)
    if (!in.ok()) return false;
    write_count(to, "reason", reason);
    return in.done() || rest_properties(in, whole, to);
  }

  bool read_filters(std::string_view body, bool whole, bool subscribes, std::string& to) {
    if (version_ == 0 && whole) version_ = filters_good(body, subscribes, false) ? 4 : 5;
    Cursor in(body);
    const std::uint32_t id = in.number(2);
    if (!in.ok() || id == 0) return false;
    write_count(to, "id", id);
    if (!whole) return true;
    if (!filters_good(body, subscribes, version_ == 5)) return false;
    const std::string_view properties = version_ == 5 ? in.take(in.varint()) : std::string_view{};
    to += R"(,"filters":[)";
    std::uint64_t count = 0;
    while (!in.done()) {
      const std::string_view filter = in.string();
      const std::uint32_t options = subscribes ? in.number(1) : 0;
      if (++count > most_listed) continue;
      to += count == 1 ? R"({"topic":)" : R"(,{"topic":)";
      append_json(to, filter);
      if (subscribes) write_count(to, "qos", options & 3U);
      to += '}';
    }
    to += ']';
    write_count(to, "filter_count", count);
    return write_properties(to, properties);
  }

  static bool filters_good(std::string_view body, bool subscribes, bool with_properties) {
    Cursor in(body);
    in.number(2);
    std::uint32_t alias = 0;
    if (with_properties && !mqtt::read_properties(in.take(in.varint()), alias)) return false;
    if (in.done()) return false;
    while (in.ok() && !in.done()) {
      if (!is_filter(in.string())) return false;
      if (subscribes && (in.number(1) & (with_properties ? 0xc0U : 0xfcU)) != 0) return false;
    }
    return in.ok();
  }

  bool read_reasons(std::string_view body, bool whole, bool none_in_4, std::string& to) {
    Cursor in(body);
    const std::uint32_t id = in.number(2);
    if (!in.ok() || id == 0) return false;
    write_count(to, "id", id);
    if (!whole) return true;
    if (version_ == 0 && none_in_4) version_ = in.done() ? 4 : 5;
    const std::string_view properties = version_ == 5 ? in.take(in.varint()) : std::string_view{};
    if (!in.ok() || in.done() != (none_in_4 && version_ == 4)) return false;
    std::uint32_t greatest = 0;
    std::string& list = list_;
    list.clear();
    for (std::size_t count = 0; !in.done(); ++count) {
      const std::uint32_t reason = in.number(1);
      greatest = std::max(greatest, reason);
      if (count >= most_listed) continue;
      if (count > 0) list += ',';
      append_number(list, reason);
    }
    write_count(to, "reason", greatest);
    to += R"(,"reasons":[)";
    to += list;
    to += ']';
    return write_properties(to, properties);
  }

  std::array<Stream, 2> streams_;
  std::uint8_t version_ = 0;  // 4 (3.1 and 3.1.1) or 5; 0: not known yet
  bool certain_ = false;      // from CONNECT: a guess ends with the next fault
  std::string list_;
};

}  // namespace

std::unique_ptr<Decoder> make_mqtt_decoder() { return std::make_unique<Mqtt>(); }

}  // namespace sockeye::dialect
