// Messages that are passed on with something put into them. Only connections that insert have one.
//
// A message that may get something is held back until it has been read: then either the bytes go out that came, or one
// frame of ours. Control frames do not wait for it (RFC 6455 §5.4: they may come in between).
//
// Compression with context takeover: once one message has been changed, what its sender refers back to is not what the
// receiver has. So from then on every compressed message of that direction is remade, in pieces of bounded size,
// whether something was put into it or not. Without context takeover each message stands alone.
//
// Memory: most_held a direction at worst, given back when a message that needed much has passed; and a Deflater.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/model/frame.h"
#include "sockeye/wire/deflate.h"
#include "sockeye/wire/extensions.h"

namespace sockeye::relay {

class Rewriter {
 public:
  static constexpr std::size_t most_held = 1U << 20U;  // bytes of a message; a longer one passes as it is

  explicit Rewriter(const wire::Extensions& in_force);

  // A data message begins, in a frame masked with `mask`. `wanted`: something may be put into it. True: its frames are
  // to be given here and not to be passed on.
  bool begin(model::Side from, model::Opcode, bool compressed, std::uint32_t mask, bool wanted);
  // It is remade: give its inflated text, not its frames.
  [[nodiscard]] bool remakes(model::Side from) const { return direction(from).mode == Mode::remake; }
  // Frame bytes as they came: `raw` behind `lead`. False: it has become too long. Pass on what taken() has, and the
  // rest of it as it comes.
  [[nodiscard]] bool hold(model::Side from, base::Bytes lead, base::Bytes raw);
  // Inflated text of a message that is remade.
  void text(model::Side from, base::Bytes);
  // The message is complete, and this is what goes instead of it; empty: what came.
  void finish(model::Side from, base::Bytes instead);
  // It will not be completed: what came of it, if that was held as it came, can be passed on.
  void give_up(model::Side from);
  // What can be passed on now. Stays where it is until recall().
  [[nodiscard]] base::Bytes taken(model::Side from);
  // Nobody holds what was taken any more.
  void recall() { lent_.clear(); }

 private:
  enum class Mode : std::uint8_t { pass, hold, remake };
  struct Direction {
    Mode mode = Mode::pass;
    model::Opcode opcode = model::Opcode::text;
    bool compressed = false;  // the message is
    bool packed = false;      // so is what goes instead
    bool begun = false;       // a frame of it has been written
    bool wanted = false;      // something may be put into it
    bool for_good = false;    // every compressed message is remade
    bool no_takeover = false;
    std::uint8_t window_bits = 15;
    std::uint32_t mask = 0;
    std::vector<base::Byte> held;   // hold: frames; remake: text that has not been packed
    std::vector<base::Byte> ready;  // packed text that is in no frame yet
    std::vector<base::Byte> out;    // frames to pass on
    std::optional<wire::Deflater> deflater;
  };
  [[nodiscard]] Direction& direction(model::Side from) { return directions_[model::index(from)]; }
  [[nodiscard]] const Direction& direction(model::Side from) const { return directions_[model::index(from)]; }
  void pack(Direction&, base::Bytes text, bool last) const;
  void write_frame(Direction&, model::Side from, bool fin) const;

  std::array<Direction, 2> directions_;
  std::vector<std::vector<base::Byte>> lent_;
};

}  // namespace sockeye::relay
