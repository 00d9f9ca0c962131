#include "insert.h"

#include <optional>
#include <span>

#include "decoder.h"
#include "scan.h"

namespace sockeye::dialect {
namespace {

constexpr std::size_t traceparent_size = 55;

// A member of an object, by its name.
struct Member {
  const char* value = nullptr;  // where its value begins; null: there is none
  bool unclear = false;         // twice, or there is a name that may be it
};

// Walks one object's members and looks for a few of them.
class Object {
 public:
  explicit Object(const Scan& at) : begin_(at) {}

  // False: not an object, or damaged.
  template <class Each>
  bool members(Each each) const {
    Scan scan = begin_;
    if (!scan.take('{')) return false;
    if (scan.take('}')) return true;
    for (;;) {
      std::string_view name;
      bool plain = false;
      if (!scan.take('"') || !scan.string(name, plain) || !scan.take(':')) return false;
      scan.space();
      each(name, plain, scan.at());
      if (!scan.skip()) return false;
      if (scan.take('}')) return true;
      if (!scan.take(',')) return false;
    }
  }

  [[nodiscard]] bool find(std::string_view wanted, Member& out) const {
    out = {};
    return members([&](std::string_view name, bool plain, const char* value) {
             if (!plain) {
               out.unclear = true;
             } else if (name == wanted) {
               out.unclear = out.unclear || out.value != nullptr;
               out.value = value;
             }
           }) &&
           !out.unclear;
  }

  [[nodiscard]] std::size_t size() const {
    std::size_t count = 0;
    return members([&](std::string_view, bool, const char*) { ++count; }) ? count : 0;
  }

 private:
  Scan begin_;
};

// A string without escapes.
std::optional<std::string_view> plain_string(Scan scan) {
  std::string_view text;
  bool plain = false;
  if (!scan.take('"') || !scan.string(text, plain) || !plain) return std::nullopt;
  return text;
}

class Inserter {
 public:
  Inserter(std::string_view document, const TracePlace& place, const TraceText& context)
      : document_(document), place_(place), context_(context), scan_(document, true) {}

  Insertion run() {
    Scan whole = scan_;
    whole.space();
    scan_.go(whole.at());
    if (!whole.skip()) return {};
    whole.space();
    if (!whole.done()) return {};
    const std::span<const Pointer::Step> steps = place_.at.steps;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const Pointer::Step& step = steps[i];
      if (step.embedded) return {};
      if (scan_.sees('[')) {
        if (!enter_element(step)) return {};
        continue;
      }
      Member member;
      if (!scan_.sees('{') || !Object(scan_).find(step.name, member)) return {};
      if (member.value == nullptr) return grow(steps.subspan(i));
      scan_.go(member.value);
    }
    return fill();
  }

 private:
  [[nodiscard]] Insertion add(std::string text) const {
    const auto at = static_cast<std::size_t>(scan_.at() - document_.data());
    Scan inside = scan_;
    inside.go(inside.at() + 1);
    if (!inside.take('}')) text += ',';
    return {Insertion::Kind::added, at + 1, std::move(text)};
  }

  bool enter_element(const Pointer::Step& step) {
    if (!step.is_index) return false;
    scan_.go(scan_.at() + 1);
    scan_.space();
    if (scan_.sees(']')) return false;
    for (std::uint32_t i = 0; i < step.index; ++i) {
      if (!scan_.skip() || !scan_.take(',')) return false;
      scan_.space();
    }
    return true;
  }

  // The object is not there, nor what it would be in from steps.front() on.
  [[nodiscard]] Insertion grow(std::span<const Pointer::Step> steps) const {
    std::string text;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      // An object in an array that is not there; or perhaps an array.
      if (steps[i].embedded || steps[i].is_index) return {};
      append_json(text, steps[i].name);
      text += ":{";
    }
    for (const auto& [name, value] : place_.required) {
      append_json(text, name);
      text += ':';
      append_json(text, value);
      text += ',';
    }
    append_fields(text, place_.required.size());
    if (text.empty()) return {};
    text.append(steps.size(), '}');
    return add(std::move(text));
  }

  [[nodiscard]] Insertion fill() const {
    if (!scan_.sees('{')) return {};
    const Object object(scan_);
    const auto find = [&](std::string_view name, Member& out) { return object.find(name, out); };
    for (const auto& [name, value] : place_.required) {
      Member member;
      if (!find(name, member) || member.value == nullptr) return {};
      if (plain_string(at(member.value)) != value) return {};
    }
    Member parent;
    Member state;
    if (!find(place_.prefix + "traceparent", parent) || !find(place_.prefix + "tracestate", state)) return {};
    if (parent.value != nullptr) {
      const auto before = plain_string(at(parent.value));
      if (!before || before->size() != traceparent_size) return {};
      return {Insertion::Kind::replaced, static_cast<std::size_t>(before->data() - document_.data()),
              std::string(context_.traceparent)};
    }
    if (state.value != nullptr) return {};
    std::string text;
    append_fields(text, object.size());
    return text.empty() ? Insertion{} : add(std::move(text));
  }

  // Nothing when the object has no room: it has `members` already.
  void append_fields(std::string& text, std::size_t members) const {
    const std::size_t room = place_.pairs == 0 ? members + 2 : place_.pairs;
    if (room <= members) return text.clear();
    append_json(text, place_.prefix + "traceparent");
    text += ':';
    append_json(text, context_.traceparent);
    if (context_.tracestate.empty() || room < members + 2) return;
    if (place_.most != 0 && context_.tracestate.size() > place_.most) return;
    text += ',';
    append_json(text, place_.prefix + "tracestate");
    text += ':';
    append_json(text, context_.tracestate);
  }

  [[nodiscard]] Scan at(const char* where) const {
    Scan scan = scan_;
    scan.go(where);
    return scan;
  }

  std::string_view document_;
  const TracePlace& place_;
  const TraceText& context_;
  Scan scan_;  // at the value reached so far
};

}  // namespace

Insertion insert_context(std::string_view document, const TracePlace& place, const TraceText& context) {
  if (context.traceparent.size() != traceparent_size) return {};
  return Inserter(document, place, context).run();
}

}  // namespace sockeye::dialect
