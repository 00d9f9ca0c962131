#include "reader.h"

#include <algorithm>

#include "sockeye/config/text.h"
#include "sockeye/files/read.h"

namespace sockeye::config {
namespace {

std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::empty:
      return "found nothing";
    case Node::Kind::list:
      return "found a list";
    case Node::Kind::map:
      return "found a map";
    case Node::Kind::scalar:
      return "found " + quote(node.text);
  }
  return {};
}

// "500ms", "10s": for messages.
std::string spell(base::Duration d) {
  using namespace std::chrono_literals;
  if (d % 1s == 0s) return std::to_string(d / 1s) + "s";
  return std::to_string(d / 1ms) + "ms";
}

std::string spell(std::uint64_t bytes) {
  if (bytes != 0 && bytes % (1U << 20U) == 0) return std::to_string(bytes >> 20U) + "MiB";
  if (bytes != 0 && bytes % 1024 == 0) return std::to_string(bytes / 1024) + "KiB";
  return std::to_string(bytes);
}

// The last name of a path as known_keys() spells it, without "[]".
std::string_view leaf(std::string_view path) {
  path = path.substr(path.rfind('.') + 1);
  return path.substr(0, path.find('['));
}

}  // namespace

Reader::Path::Path(Reader& reader, std::string_view key) : reader_(reader), size_(reader.path_.size()) {
  if (size_ > 0) reader_.path_ += '.';
  // A key of the file's own may be anything: as it is when it is a plain word, else quoted and cut.
  const bool plain =
      key.size() <= 60 && std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  reader_.path_ += plain ? std::string(key) : quote(key);
}
Reader::Path::Path(Reader& reader, std::size_t index) : reader_(reader), size_(reader.path_.size()) {
  reader_.path_ += '[' + std::to_string(index) + ']';
}

void Reader::problem(Position at, std::string message) {
  if (full()) return;
  if (!path_.empty()) message = path_ + ": " + message;
  problems_.push_back({file_, at, std::move(message)});
}

bool Reader::expect_map(const Node& node) {
  if (node.kind == Node::Kind::map) return true;
  problem(node.at, describe(node) + "; expected keys and values" +
                       (node.kind == Node::Kind::empty ? " below it: add some or remove the key" : ""));
  return false;
}

bool Reader::expect_list(const Node& node, std::string_view example) {
  if (node.kind == Node::Kind::list) return true;
  problem(node.at, describe(node) + "; expected a list, e.g. " + std::string(example));
  return false;
}

bool Reader::expect_scalar(const Node& node, std::string_view expected) {
  if (node.kind == Node::Kind::scalar) return true;
  problem(node.at, describe(node) + "; expected " + std::string(expected));
  return false;
}

// One line of a length that a message may repeat.
bool Reader::expect_line(const Node& node, std::string_view expected) {
  if (!expect_scalar(node, expected)) return false;
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  constexpr std::size_t longest = 4096;
  const char* fault = std::any_of(node.text.begin(), node.text.end(), control)
                          ? " holds a line break or control character"
                      : node.text.size() > longest ? " is longer than 4096 bytes"
                                                   : nullptr;
  if (fault == nullptr) return true;
  problem(node.at, quote(node.text) + fault + "; expected " + std::string(expected));
  return false;
}

bool Reader::text(const Node& node, std::string_view expected, std::string& out) {
  if (!expect_line(node, expected)) return false;
  if (node.text.empty()) {
    problem(node.at, "\"\" is empty; expected " + std::string(expected));
    return false;
  }
  out = node.text;
  return true;
}

void Reader::boolean(const Node& node, bool& out) { value(node, "true or false", out, parse_boolean); }

void Reader::duration(const Node& node, base::Duration& out, base::Duration least, bool zero_allowed) {
  base::Duration read{};
  if (!value(node, "a duration such as 500ms, 30s, 5m or 1h", read, parse_duration)) return;
  if (read < least && !(zero_allowed && read == base::Duration{0})) {
    problem(node.at, quote(node.text) + " is too short; expected at least " + spell(least) +
                         (zero_allowed ? ", or 0s to switch it off" : ""));
    return;
  }
  out = read;
}

void Reader::size(const Node& node, std::uint64_t& out, std::uint64_t least, std::uint64_t most_bytes) {
  std::uint64_t read = 0;
  if (!value(node, "a size such as 4096, 64KB or 16MiB", read, parse_size)) return;
  if (read < least || read > most_bytes) {
    problem(node.at, quote(node.text) + " is out of range; expected " + spell(least) + " to " + spell(most_bytes));
    return;
  }
  out = read;
}

bool Reader::whole(const Node& node, std::uint64_t& out, std::uint64_t least, std::uint64_t greatest) {
  return value(node, "a whole number", out,
               [&](std::string_view text) { return parse_integer(text, least, greatest); });
}

void Reader::file(const Node& node, std::string& out, std::string_view what) {
  if (!text(node, "the path of " + std::string(what), out) || !options_.check_files) return;
  if (auto checked = files::check(out); !checked)
    problem(node.at, "cannot read " + quote(out) + ": " + checked.error().message);
}

std::size_t Reader::word(const Node& node, std::span<const std::string_view> words, std::string_view besides) {
  const std::string expected = one_of(words) + std::string(besides);
  if (!expect_scalar(node, expected)) return words.size();
  const auto found = std::find(words.begin(), words.end(), node.text);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  const auto meant = nearest(node.text, words);
  problem(node.at, quote(node.text) + " is not known; expected " + expected +
                       (meant.empty() ? std::string() : "; did you mean " + std::string(meant) + "?"));
  return words.size();
}

void Reader::unknown(const Entry& entry, std::span<const std::string_view> names) {
  std::string message = "unknown key " + quote(entry.key);
  if (const auto meant = nearest(entry.key, names); !meant.empty()) {
    problem(entry.at, message + "; did you mean " + std::string(meant) + "?");
    return;
  }
  // A key that is right in another place.
  static const std::vector<std::string> all = known_keys();
  const auto elsewhere =
      std::find_if(all.begin(), all.end(), [&](const auto& path) { return leaf(path) == entry.key; });
  if (elsewhere != all.end())
    message += "; it belongs at " + *elsewhere;
  else
    message += "; expected " + one_of(names);
  problem(entry.at, std::move(message));
}

}  // namespace sockeye::config
