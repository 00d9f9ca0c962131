#include "read_json.h"

#include <simdjson.h>

#include <algorithm>
#include <array>

#include "read_ids.h"

namespace sockeye::console {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t deepest = 8;
constexpr std::array<std::string_view, 7> sorts = {"opened", "messages", "bytes",  "rtt",
                                                   "misses", "buffered", "silence"};

struct Reader {
  std::string problem;

  void wrong(std::string_view key, std::string_view expected) {
    if (problem.empty()) problem = std::string(key) + ": expected " + std::string(expected);
  }
  void text(std::string_view key, dom::element value, std::string& out) {
    std::string_view found;
    if (value.get(found) != simdjson::SUCCESS || found.size() > 1024)
      wrong(key, "a string of at most 1024 bytes");
    else
      out = found;
  }
  void flag(std::string_view key, dom::element value, bool& out) {
    if (value.get(out) != simdjson::SUCCESS) wrong(key, "true or false");
  }
  void count(std::string_view key, dom::element value, std::size_t most, std::size_t& out) {
    std::uint64_t found = 0;
    if (value.get(found) != simdjson::SUCCESS || found > most)
      wrong(key, "a whole number up to " + std::to_string(most));
    else
      out = found;
  }
};

void duration(std::string_view key, dom::element value, Reader& read, std::uint64_t& out_ns) {
  double seconds = -1;
  if (value.get(seconds) != simdjson::SUCCESS || !(seconds >= 0 && seconds < 1e9))
    read.wrong(key, "a number of seconds");
  else
    out_ns = static_cast<std::uint64_t>(seconds * 1e9);
}

void attributes(dom::element value, Reader& read, std::vector<std::pair<std::string, std::string>>& out) {
  dom::array list;
  if (value.get(list) != simdjson::SUCCESS) return read.wrong("attribute", "a list of key:value");
  for (const auto each : list) {
    std::string text;
    read.text("attribute", each, text);
    const auto colon = std::min(text.find(':'), text.size());
    if (colon == 0) return read.wrong("attribute", "key:value");
    if (out.size() == 16) return read.wrong("attribute", "at most 16 of them");
    out.emplace_back(text.substr(0, colon), text.substr(std::min(colon + 1, text.size())));
  }
}

Subscription::Sessions sessions(dom::object object, Reader& read) {
  Subscription::Sessions out;
  for (const auto& [key, value] : object) {
    std::string word;
    if (key == "route") {
      read.text(key, value, out.route);
    } else if (key == "instance") {
      read.text(key, value, out.instance);
    } else if (key == "dialect") {
      read.text(key, value, out.dialect);
    } else if (key == "client") {
      read.text(key, value, out.client);
    } else if (key == "text") {
      read.text(key, value, out.text);
    } else if (key == "trouble") {
      read.flag(key, value, out.trouble);
    } else if (key == "abnormal") {
      read.flag(key, value, out.abnormal);
    } else if (key == "min_duration_seconds") {
      duration(key, value, read, out.min_duration_ns);
    } else if (key == "max_duration_seconds") {
      duration(key, value, read, out.max_duration_ns);
    } else if (key == "attribute") {
      attributes(value, read, out.attributes);
    } else if (key == "offset") {
      read.count(key, value, 10'000'000, out.offset);
    } else if (key == "limit") {
      read.count(key, value, 500, out.limit);
    } else if (key == "order") {
      read.text(key, value, word);
      if (word != "asc" && word != "desc") read.wrong(key, "asc or desc");
      out.ascending = word == "asc";
    } else if (key == "sort") {
      read.text(key, value, word);
      const auto* found = std::find(sorts.begin(), sorts.end(), word);
      if (found == sorts.end())
        read.wrong(key, "opened, messages, bytes, rtt, misses, buffered or silence");
      else
        out.sort = static_cast<Subscription::Sessions::Sort>(found - sorts.begin());
    } else {
      read.wrong(key, "nothing of that name");
    }
  }
  return out;
}

}  // namespace

std::optional<std::string> read_token(std::string_view json) {
  dom::parser parser;
  std::string_view token;
  if (json.size() > 8192 || parser.allocate(json.size() + 1, deepest) != simdjson::SUCCESS) return std::nullopt;
  if (parser.parse(json.data(), json.size())["token"].get(token) != simdjson::SUCCESS) return std::nullopt;
  return std::string(token);
}

base::Result<Subscription> read_subscription(std::string_view json) {
  dom::parser parser;
  dom::object root;
  if (json.size() > 65536 || parser.allocate(json.size() + 1, deepest) != simdjson::SUCCESS ||
      parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS)
    return base::fail("expected a JSON object");
  Subscription out;
  Reader read;
  for (const auto& [key, value] : root) {
    if (value.is_null()) continue;
    if (key == "fleet") {
      read.flag(key, value, out.fleet);
    } else if (key == "sessions") {
      dom::object object;
      if (value.get(object) == simdjson::SUCCESS)
        out.sessions = sessions(object, read);
      else
        read.wrong(key, "an object");
    } else if (key == "session") {
      std::string id;
      read.text(key, value, id);
      out.session = read_session_id(id);
      if (!out.session) read.wrong(key, "a session's id");
    } else {
      read.wrong(key, "nothing of that name; there are fleet, sessions and session");
    }
  }
  if (!read.problem.empty()) return base::fail(read.problem);
  return out;
}

}  // namespace sockeye::console
