// Any messages through any built-in dialect: bounded, and every invocation that opens ends once.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../test/notes.h"
#include "sockeye/dialect/registry.h"

namespace {

// Counts instead of writing down.
class Counts final : public sockeye::dialect::Listener {
 public:
  std::uint64_t begun = 0, over = 0;
  void opened(sockeye::model::Invocation& i) override {
    ++begun;
    if (i.operation.empty() || i.operation.size() > sockeye::model::Invocation::max_operation) __builtin_trap();
  }
  void chunk(const sockeye::model::Invocation&, std::optional<sockeye::base::Duration>) override {}
  void ended(sockeye::model::Invocation&& i) override {
    ++over;
    if (i.attributes.size() > sockeye::model::Invocation::max_attributes) __builtin_trap();
    if (i.events.size() > sockeye::model::Invocation::max_events) __builtin_trap();
    if (i.ended < i.opened) __builtin_trap();
  }
  void media(sockeye::model::Side, std::string_view, std::uint64_t, sockeye::base::Time) override {}
  void beat(sockeye::model::Side, std::string_view, std::optional<sockeye::base::Duration>,
            sockeye::base::Time) override {}
  void session_attribute(std::string_view, const sockeye::model::AttributeValue&) override {}
  void event(std::string_view, sockeye::model::Side, sockeye::base::Time) override {}
  void error(sockeye::model::Side, std::string_view, sockeye::base::Time) override {}
  void dialect_error(sockeye::dialect::DialectError, sockeye::model::Side, std::uint64_t,
                     sockeye::base::Time) override {}
};

}  // namespace

// The first byte chooses the dialect; then messages: one byte of flags (side, opcode, time), two of length, the bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sockeye;
  if (size < 1) return 0;
  static dialect::Workspace workspace;
  const auto all = dialect::built_in();
  Counts counts;
  dialect::Session session(all[data[0] % all.size()], {.path = "/x", .query = "model=m", .subprotocol = "s"},
                           {.open = 16, .text = 4096}, workspace, counts, 1);
  base::Time now(std::chrono::seconds(1));
  for (std::size_t at = 1; at + 3 <= size;) {
    const std::uint8_t flags = data[at];
    const std::size_t length = std::min<std::size_t>(data[at + 1] | (data[at + 2] << 8U), size - at - 3);
    const base::Bytes bytes(data + at + 3, length);
    at += 3 + length;
    now += std::chrono::milliseconds((flags & 0xf0U) * 20U);
    session.tick(now);
    session.message((flags & 1U) != 0 ? model::Side::client : model::Side::server,
                    (flags & 2U) != 0 ? model::Opcode::binary : model::Opcode::text,
                    {.bytes = bytes, .readable = length, .on_wire = length}, now);
    if (session.open() > 16 || counts.begun - counts.over != session.open()) __builtin_trap();
  }
  session.finish(now);
  if (counts.begun != counts.over) __builtin_trap();
  return 0;
}
