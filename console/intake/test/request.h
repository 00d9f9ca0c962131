// Requests written field by field, with numbers taken from the .proto files and not from the decoder.
#pragma once

#include <protozero/pbf_writer.hpp>
#include <string>
#include <string_view>

#include "sockeye/intake/decode.h"

namespace sockeye::intake::test {

using protozero::pbf_writer;

template <class Write>
std::string message(Write write) {
  std::string out;
  pbf_writer writer(out);
  write(writer);
  return out;
}

inline std::string text_value(std::string_view text) {
  return message([&](pbf_writer& w) { w.add_string(1, text.data(), text.size()); });
}
inline std::string int_value(std::int64_t n) {
  return message([&](pbf_writer& w) { w.add_int64(3, n); });
}
inline std::string key_value(std::string_view key, const std::string& value) {
  return message([&](pbf_writer& w) {
    w.add_string(1, key.data(), key.size());
    w.add_message(2, value);
  });
}

inline const std::string trace_id = "\x5b\x8e\xff\xf7\x98\x03\x81\x03\xd2\x69\xb6\x33\x81\x3f\xc6\x0c";
inline const std::string span_id = "\xee\xe1\x9b\x7e\xc3\xc1\xb1\x74";

// A span with ids; `more` adds the rest.
template <class More>
std::string span(More more) {
  return message([&](pbf_writer& w) {
    w.add_bytes(1, trace_id);
    w.add_bytes(2, span_id);
    more(w);
  });
}
inline std::string span() {
  return span([](pbf_writer&) {});
}

inline std::string request(const std::vector<std::string>& records, const std::string& resource = "",
                           const std::string& scope = "") {
  return message([&](pbf_writer& w) {
    pbf_writer of_resource(w, 1);
    if (!resource.empty()) of_resource.add_message(1, resource);
    pbf_writer of_scope(of_resource, 2);
    if (!scope.empty()) of_scope.add_message(1, scope);
    for (const auto& record : records) of_scope.add_message(2, record);
  });
}

inline base::Result<Tally> decode_copy(Signal signal, std::string body, store::Batch& batch,
                                       Format format = Format::protobuf) {
  return decode(signal, format, std::move(body), batch);
}

}  // namespace sockeye::intake::test
