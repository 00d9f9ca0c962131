// JSON records that each end with 0x1e: SignalR's JSON hub protocol, its handshake included.
//
// A document is the record as it was sent, without the separator; wire_bytes counts the separator. The stream of each
// side is one stream of bytes: a message may hold many records, and a record may span messages (a .NET peer reads its
// transport as a pipe). A record that lies in one message is copied once, into the documents.
//
// A record begins with `{` or `[`. Anything else (MessagePack, say, or an empty record) is passed over up to the next
// separator, and each message with any of it is false. A record that spans messages and is longer than most_held is
// dropped and counted, likewise one that has no room in Documents.
#include <array>

#include "decoders.h"

namespace sockeye::dialect {
namespace {

class Records final : public Decoder {
 public:
  bool decode(model::Side from, model::Opcode /*opcode*/, base::Bytes plain, Documents& out) override {
    Stream& s = streams_[model::index(from)];
    std::string_view rest = base::as_text(plain);
    bool good = true;
    while (!rest.empty()) {
      const std::size_t end = rest.find(record_separator);
      const bool ends = end != std::string_view::npos;
      const std::string_view piece = rest.substr(0, end);
      if (s.at == At::start) s.at = piece.starts_with('{') || piece.starts_with('[') ? At::record : At::lost;
      if (s.at == At::lost) good = false;
      if (s.at == At::record) take(s, piece, ends, out);
      if (ends) s.at = At::start;
      rest.remove_prefix(ends ? end + 1 : rest.size());
    }
    return good;
  }

  [[nodiscard]] std::size_t held() const override {
    std::size_t out = 0;
    for (const Stream& s : streams_) out += s.held.capacity();
    return out;
  }

 private:
  enum class At : std::uint8_t { start, record, dropped, lost };
  struct Stream {
    At at = At::start;
    std::string held;  // of a record whose end has not come
  };

  static void take(Stream& s, std::string_view piece, bool ends, Documents& out) {
    const std::size_t size = s.held.size() + piece.size();
    if (!ends && size <= most_held) {
      s.held += piece;
      return;
    }
    out.begin();
    if (!ends || (!s.held.empty() && size > most_held) || !out.fits(size)) {
      out.drop();
      s.at = At::dropped;
    } else {
      out.text() += s.held;
      out.text() += piece;
      out.finish(size + 1);
    }
    s.held.clear();
  }

  std::array<Stream, 2> streams_;
};

}  // namespace

std::unique_ptr<Decoder> make_records_decoder() { return std::make_unique<Records>(); }

}  // namespace sockeye::dialect
