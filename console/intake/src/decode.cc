// A request becomes records in two steps at most: JSON is written as protobuf first (transcode.h), so that there is one
// reading of ids, limits and text, and both formats store the same. The protobuf body then is read in place; the batch
// adopts it once it is known to be good.
#include "sockeye/intake/decode.h"

#include <exception>
#include <limits>
#include <protozero/exception.hpp>

#include "records.h"
#include "transcode.h"

namespace sockeye::intake {
namespace {

// Where the lists of a batch ended.
class Mark {
 public:
  explicit Mark(const store::Batch& batch)
      : origins_(batch.origins.size()),
        attributes_(batch.attributes.size()),
        events_(batch.events.size()),
        links_(batch.links.size()),
        spans_(batch.spans.size()),
        logs_(batch.logs.size()) {}

  void roll_back(store::Batch& batch) const {
    batch.origins.resize(origins_);
    batch.attributes.resize(attributes_);
    batch.events.resize(events_);
    batch.links.resize(links_);
    batch.spans.resize(spans_);
    batch.logs.resize(logs_);
  }

 private:
  std::size_t origins_, attributes_, events_, links_, spans_, logs_;
};

// A shorter string moves its characters when it is moved, and with them what the views of a batch point to.
constexpr std::size_t longest_inside = 64;

Tally read(Signal signal, std::string_view body, store::Batch& batch) {
  switch (signal) {
    case Signal::traces:
      return read_traces(batch, body);
    case Signal::logs:
      return read_logs(batch, body);
    case Signal::metrics:
      break;
  }
  return read_metrics(body);
}

Tally decode_protobuf(Signal signal, std::string&& body, store::Batch& batch) {
  if (body.capacity() <= longest_inside) body.reserve(longest_inside + 1);
  const Mark mark(batch);
  try {
    Tally tally = read(signal, body, batch);
    if (tally.accepted > 0) {
      batch.adopt(std::move(body));
    } else {
      mark.roll_back(batch);
    }
    return tally;
  } catch (...) {
    mark.roll_back(batch);
    throw;
  }
}

}  // namespace

base::Result<Tally> decode(Signal signal, Format format, std::string&& body, store::Batch& batch) {
  if (body.size() > std::numeric_limits<std::int32_t>::max()) return base::fail("the request is longer than 2 GiB");
  try {
    if (format == Format::protobuf) return decode_protobuf(signal, std::move(body), batch);
    auto transcoded = transcode(signal, std::move(body));
    if (!transcoded) return tl::unexpected(std::move(transcoded.error()));
    return decode_protobuf(signal, std::move(*transcoded), batch);
  } catch (const protozero::exception& error) {
    return base::fail(std::string("malformed protobuf: ") + error.what());
  } catch (const std::exception& error) {  // memory
    return base::fail(std::string("the request could not be read: ") + error.what());
  }
}

}  // namespace sockeye::intake
