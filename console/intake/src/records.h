// The records of the three requests, read into a batch. All throw protozero::exception where `body` is malformed; what
// they appended until then is the caller's to take away.
#pragma once

#include <cstdint>
#include <string_view>

#include "fields.h"
#include "origin.h"
#include "sockeye/intake/decode.h"
#include "value.h"

namespace sockeye::intake {

[[nodiscard]] Tally read_traces(store::Batch& batch, std::string_view body);
[[nodiscard]] Tally read_logs(store::Batch& batch, std::string_view body);
[[nodiscard]] Tally read_metrics(std::string_view body);

// The only field of `message` that is `tag_and_type`; the last where there are several, "" where there is none.
[[nodiscard]] std::string_view find_field(std::string_view message, std::uint32_t tag_and_type);

// A sum of counts that peers send: does not wrap.
[[nodiscard]] std::uint32_t add_counts(std::uint32_t a, std::uint32_t b);

// An id of exactly the right length; zero otherwise, which is no id.
template <class Id>
[[nodiscard]] Id read_id(std::string_view bytes) {
  Id id;
  if (bytes.size() == id.bytes.size())
    for (std::size_t i = 0; i < bytes.size(); ++i) id.bytes[i] = static_cast<std::uint8_t>(bytes[i]);
  return id;
}

// Steps through the frame that all requests share and calls `record(message)` for each record, with `origins` at the
// resource and scope it came under. These may stand behind their records, hence the look ahead.
template <class Record>
void each_record(std::string_view body, Origins& origins, Record record) {
  protozero::pbf_reader request = reader_of(body);
  while (request.next()) {
    if (request.tag_and_type() != fields::request::of_resource) {
      request.skip();
      continue;
    }
    const std::string_view of_resource = view_of(request);
    origins.enter_resource(find_field(of_resource, fields::of_resource::resource),
                           find_field(of_resource, fields::of_resource::schema_url));
    protozero::pbf_reader scopes = reader_of(of_resource);
    while (scopes.next()) {
      if (scopes.tag_and_type() != fields::of_resource::of_scope) {
        scopes.skip();
        continue;
      }
      const std::string_view of_scope = view_of(scopes);
      origins.enter_scope(find_field(of_scope, fields::of_scope::scope),
                          find_field(of_scope, fields::of_scope::schema_url));
      protozero::pbf_reader records = reader_of(of_scope);
      while (records.next())
        if (records.tag_and_type() == fields::of_scope::record) {
          record(view_of(records));
        } else {
          records.skip();
        }
    }
  }
}

}  // namespace sockeye::intake
