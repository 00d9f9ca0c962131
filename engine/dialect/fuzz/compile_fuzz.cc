// Any text is a dialect or a list of problems, in bounded time; what compiles can be run.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../test/notes.h"
#include "sockeye/dialect/program.h"
#include "sockeye/dialect/session.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sockeye;
  if (size > 20'000) return 0;
  const auto program = dialect::compile({reinterpret_cast<const char*>(data), size}, "fuzz.yaml");
  if (!program) return program.error().message.empty() ? __builtin_trap(), 0 : 0;
  static dialect::Workspace workspace;
  dialect::Notes notes;
  dialect::Session session(*program, {.path = "/a", .query = "b=c", .subprotocol = "d"}, {}, workspace, notes, 1);
  for (const std::string_view text :
       {R"({"type":"a","id":1,"op":"x","list":[{"id":1},{"id":2}]})", R"([2,"1","Op",{}])", "{"})
    for (const model::Side from : {model::Side::client, model::Side::server})
      session.message(from, model::Opcode::text,
                      {.bytes = base::as_bytes(text), .readable = text.size(), .on_wire = text.size()},
                      base::Time(std::chrono::seconds(1)));
  session.finish(base::Time(std::chrono::seconds(2)));
  return 0;
}
