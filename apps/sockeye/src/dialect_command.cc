#include "dialect_command.h"

#include <simdjson.h>

#include <cmath>
#include <fstream>
#include <iostream>
#include <limits>
#include <optional>
#include <sstream>
#include <variant>

#include "sockeye/base/ids.h"
#include "sockeye/base/json.h"
#include "sockeye/config/text.h"
#include "sockeye/dialect/registry.h"
#include "sockeye/dialect/session.h"
#include "sockeye/files/read.h"
#include "sockeye/model/names.h"

namespace sockeye::app {
namespace {

using base::Time;
using model::Side;

struct Sample {
  Side from = Side::client;
  bool binary = false;
  std::string bytes;
  std::optional<double> at;  // seconds
};

std::optional<std::string> base64(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  unsigned have = 0;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (const char c : text) {
    constexpr std::string_view standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::size_t digit = standard.find(c);
    if (c == '-') digit = 62;
    if (c == '_') digit = 63;
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out += static_cast<char>((bits >> have) & 0xffU);
  }
  return out;
}

// What is wrong with the line, or the sample.
std::variant<Sample, std::string> parse_sample(simdjson::dom::parser& parser, const std::string& line) {
  simdjson::dom::object object;
  if (parser.parse(line).get(object) != simdjson::SUCCESS) return "not a JSON object";
  Sample sample;
  std::string_view text;
  if (object["dir"].get(text) != simdjson::SUCCESS || (text != "c2s" && text != "s2c"))
    return R"("dir" must be "c2s" or "s2c")";
  sample.from = text == "c2s" ? Side::client : Side::server;
  if (object["text"].get(text) == simdjson::SUCCESS) {
    sample.bytes = text;
  } else if (object["binary"].get(text) == simdjson::SUCCESS) {
    auto bytes = base64(text);
    if (!bytes) return R"("binary" must be Base64)";
    sample.bytes = std::move(*bytes);
    sample.binary = true;
  } else {
    return R"(the message is missing: "text" or "binary")";
  }
  if (double t = 0; object["t"].get(t) == simdjson::SUCCESS) {
    if (!(std::abs(t) < 1e9)) return R"("t" must be seconds)";
    sample.at = t;
  }
  return sample;
}

// What the first line may say of the handshake, instead of a sample.
struct Handshake {
  std::string target, subprotocol;
};

// None: the line is no handshake. Otherwise the handshake, or what is wrong with it.
std::optional<std::variant<Handshake, std::string>> parse_handshake(simdjson::dom::parser& parser,
                                                                    const std::string& line) {
  simdjson::dom::object object;
  simdjson::dom::element said;
  if (parser.parse(line).get(object) != simdjson::SUCCESS || object["handshake"].get(said) != simdjson::SUCCESS)
    return std::nullopt;
  Handshake handshake;
  simdjson::dom::object fields;
  if (said.get(fields) != simdjson::SUCCESS) return R"("handshake" must be an object)";
  for (const auto& [key, value] : fields) {
    std::string_view text;
    if ((key != "target" && key != "subprotocol") || value.get(text) != simdjson::SUCCESS)
      return R"("handshake" has texts named "target" (path and query) and "subprotocol")";
    (key == "target" ? handshake.target : handshake.subprotocol) = text;
  }
  return handshake;
}

// Gathers what a message means.
class Notes final : public dialect::Listener {
 public:
  std::vector<std::string_view> rules;
  std::vector<dialect::Effect> effects;
  std::vector<model::Invocation> finished;
  std::vector<std::string> remarks;  // for people
  bool undecided = false;            // which dialect this is: the message may still tell, with others
  bool is_piece = false;             // of something whose rest is still to come
  bool is_late = false;              // a reply to what its opener had ended
  bool unmatched = false;
  bool invalid = false;
  std::array<std::uint64_t, static_cast<std::size_t>(dialect::DialectError::count_)> odds{};

  void clear() {
    rules.clear();
    effects.clear();
    finished.clear();
    remarks.clear();
    undecided = is_piece = is_late = unmatched = invalid = false;
  }
  [[nodiscard]] std::uint64_t count(dialect::DialectError o) const { return odds[static_cast<std::size_t>(o)]; }

  void matched(std::string_view rule) override { rules.push_back(rule); }
  void effect(dialect::Effect effect) override { effects.push_back(effect); }
  void opened(model::Invocation& i) override { remarks.push_back("#" + std::to_string(i.number) + " " + i.operation); }
  void chunk(const model::Invocation& i, std::optional<base::Duration>) override {
    remarks.push_back("#" + std::to_string(i.number) + " chunk " + std::to_string(i.chunks.count));
  }
  void ended(model::Invocation&& i) override { finished.push_back(std::move(i)); }
  void media(Side, std::string_view name, std::uint64_t bytes, Time) override {
    remarks.push_back(std::string(name) + ", " + std::to_string(bytes) + " B");
  }
  void beat(Side, std::string_view name, std::optional<base::Duration> rtt, Time) override {
    std::string remark(name);
    if (rtt) remark += ", " + std::to_string(rtt->count() / 1'000'000) + " ms after its ping";
    remarks.push_back(std::move(remark));
  }
  void session_attribute(std::string_view key, const model::AttributeValue&) override {
    remarks.push_back("session " + std::string(key));
  }
  void event(std::string_view name, Side, Time) override { remarks.push_back("event " + std::string(name)); }
  void error(Side, std::string_view type, Time) override { remarks.push_back("error " + std::string(type)); }
  void dialect_error(dialect::DialectError kind, Side, std::uint64_t n, Time) override {
    odds[static_cast<std::size_t>(kind)] += n;
    unmatched = unmatched || kind == dialect::DialectError::unmatched;
    invalid = invalid || kind == dialect::DialectError::invalid;
    if (kind != dialect::DialectError::unmatched) remarks.emplace_back(model::name(kind));
  }
  void partial() override { is_piece = true; }
  void late() override {
    is_late = true;
    remarks.emplace_back("late, what it answers has been ended");
  }
};

void put_attributes(base::Json& json, const model::Invocation& i) {
  json.key("attributes").open('{');
  for (const auto& [name, value] : i.attributes) {
    std::string key;
    base::append_json_text(key, name);
    json.key(std::string_view(key).substr(1, key.size() - 2));
    if (const auto* const text = std::get_if<std::string>(&value))
      json.text(*text);
    else if (const auto* const flag = std::get_if<bool>(&value))
      json.boolean(*flag);
    else if (const auto* const number = std::get_if<double>(&value))
      json.number(*number);
    else
      json.number(std::get<std::int64_t>(value));
  }
  if (!i.error_type.empty()) json.key(model::attribute::error_type).text(i.error_type);
  json.close('}');
}

void print_json(const model::Invocation& i) {
  base::Json json;
  json.open('{').key("invocation").text(i.operation).key("opened_by").text(model::direction(i.opened_by));
  json.key("status").text(model::name(i.status)).key("chunks").number(i.chunks.count).key("traceparent");
  if (i.traceparent.empty())
    json.null();
  else
    json.text(i.traceparent);
  put_attributes(json, i);
  json.key("end").text(model::name(i.end)).key("number").number(i.number);
  if (i.parent != 0) json.key("parent").number(i.parent);
  if (!i.trigger.empty()) json.key("trigger").text(i.trigger);
  if (!i.anchor_name.empty()) json.key("anchor").text(i.anchor_name);
  if (i.lanes.front().count != 0) {
    json.key("lanes").open('{');
    for (const model::Chunks& lane : i.lanes)
      if (lane.count != 0) json.key(lane.lane).number(lane.count);
    json.close('}');
  }
  if (!i.events.empty()) {
    json.key("events").open('[');
    for (const model::InvocationEvent& event : i.events) json.text(event.name);
    json.close(']');
  }
  std::cout << json.close('}').take() << '\n';
}

void print_json(std::size_t line, const Sample& sample, const Notes& notes) {
  base::Json json;
  json.open('{').key("line").number(static_cast<std::uint64_t>(line));
  json.key("dir").text(model::direction(sample.from)).key("rule");
  if (notes.rules.empty())
    json.null();
  else
    json.text(notes.rules.front());
  json.key("effects").open('[');
  for (const dialect::Effect effect : notes.effects) json.text(dialect::name(effect));
  if (notes.is_late) json.text("late");
  if (notes.is_piece) json.text("partial");
  if (notes.undecided) json.text("undecided");
  std::cout << json.close(']').close('}').take() << '\n';
}

std::string seconds_text(base::Duration d) {
  std::ostringstream out;
  out.precision(3);
  out << std::fixed << base::seconds(d) << " s";
  return out.str();
}

void print_text(const model::Invocation& i) {
  std::cout << "        └ #" << i.number << ' ' << i.operation << ": " << model::name(i.status);
  if (!i.error_type.empty()) std::cout << " (" << i.error_type << ')';
  if (i.end != model::InvocationEnd::reply) std::cout << ", ended by " << model::name(i.end);
  std::cout << ", " << seconds_text(i.ended - i.opened);
  if (i.chunks.count != 0)
    std::cout << ", " << i.chunks.count << (i.chunks.count == 1 ? " chunk" : " chunks") << ", first after "
              << seconds_text(i.chunks.first - i.opened);
  if (i.anchor != base::never && i.chunks.count != 0)
    std::cout << " (" << seconds_text(i.chunks.first - i.anchor) << " after " << i.anchor_name << ')';
  if (!i.traceparent.empty()) std::cout << ", " << i.traceparent;
  std::cout << '\n';
  for (const auto& [key, value] : i.attributes) {
    std::cout << "          " << key << " = ";
    std::visit([](const auto& v) { std::cout << std::boolalpha << v; }, value);
    std::cout << '\n';
  }
}

// What a message is that does nothing.
std::string_view no_effect(const Notes& notes) {
  if (notes.undecided) return "undecided: which dialect this is, the next messages may tell";
  if (notes.is_piece) return "partial: its rest is still to come";
  if (notes.unmatched) return "no rule knows this message";
  if (notes.invalid) return "not in the dialect's form";
  return "nothing";
}

void print_text(std::size_t line, const Sample& sample, const Notes& notes) {
  std::cout.width(5);
  std::cout << line << ' ' << model::direction(sample.from) << "  ";
  if (notes.rules.empty()) std::cout << "-";
  for (std::size_t i = 0; i < notes.rules.size(); ++i) std::cout << (i == 0 ? "" : " + ") << notes.rules[i];
  std::cout << " →";
  if (notes.effects.empty()) std::cout << ' ' << no_effect(notes);
  for (const dialect::Effect effect : notes.effects) std::cout << ' ' << dialect::name(effect);
  for (std::size_t i = 0; i < notes.remarks.size(); ++i) std::cout << (i == 0 ? "  (" : ", ") << notes.remarks[i];
  std::cout << (notes.remarks.empty() ? "" : ")") << '\n';
}

int refuse(const std::string& what) {
  std::cerr << what << '\n';
  return 2;
}

int list() {
  std::size_t widest = 0;
  for (const auto& each : dialect::built_in()) widest = std::max(widest, dialect::name(*each).size());
  for (const auto& each : dialect::built_in()) {
    std::string line(dialect::name(*each));
    line.resize(widest + 2, ' ');
    std::cout << line << dialect::title(*each) << '\n';
  }
  return 0;
}

std::string unknown(std::string_view wanted) {
  std::vector<std::string_view> names;
  for (const auto& each : dialect::built_in()) names.push_back(dialect::name(*each));
  const auto meant = config::nearest(wanted, names);
  return "sockeye: there is no dialect " + config::quote(wanted) +
         (meant.empty() ? "; `sockeye dialect list` names them all" : "; did you mean " + std::string(meant) + "?");
}

int show(const DialectCommand& command) {
  const auto found = dialect::find(dialect::built_in(), command.name);
  if (found == nullptr) return refuse(unknown(command.name));
  std::cout << dialect::source(*found);
  return 0;
}

bool is_file_name(std::string_view name) {
  return name.find('/') != std::string_view::npos || name.ends_with(".yaml") || name.ends_with(".yml");
}

class Test {
 public:
  Test(const DialectCommand& command) : command_(command), json_(command.format == "json") {}

  int run() {
    std::ifstream file;
    const bool from_file = command_.samples != "-";
    if (from_file) {
      const auto checked = files::check(command_.samples, std::numeric_limits<std::size_t>::max());
      if (!checked) return refuse("sockeye: cannot read " + command_.samples + ": " + checked.error().message);
      file.open(command_.samples);
      if (!file) return refuse("sockeye: cannot read " + command_.samples);
    }
    std::istream& in = from_file ? file : std::cin;
    std::string line;
    const auto wrong = [&](std::size_t number, const std::string& what) {
      return refuse((from_file ? command_.samples : "standard input") + ":" + std::to_string(number) + ": " + what);
    };
    for (std::size_t number = 1; std::getline(in, line); ++number) {
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      if (!session_) {
        Handshake handshake;
        const auto said = parse_handshake(parser_, line);
        if (said && std::holds_alternative<std::string>(*said)) return wrong(number, std::get<std::string>(*said));
        if (said) handshake = std::get<Handshake>(*said);
        if (const int status = start(std::move(handshake)); status != 0) return status;
        if (said) continue;
      }
      auto parsed = parse_sample(parser_, line);
      if (const auto* const what = std::get_if<std::string>(&parsed)) return wrong(number, *what);
      feed(number, std::get<Sample>(parsed));
    }
    if (!session_)
      if (const int status = start({}); status != 0) return status;
    sum_up();
    return 0;
  }

 private:
  int start(Handshake handshake) {
    // What is on the command line is what somebody wants to try now.
    if (!command_.target.empty()) handshake.target = command_.target;
    if (!command_.subprotocol.empty()) handshake.subprotocol = command_.subprotocol;
    handshake_ = std::move(handshake);
    const std::string_view target = handshake_.target.empty() ? std::string_view("/") : handshake_.target;
    const std::size_t question = std::min(target.find('?'), target.size());
    handshake_view_ = {.path = target.substr(0, question),
                       .query = target.substr(std::min(question + 1, target.size())),
                       .subprotocol = handshake_.subprotocol};
    return choose();
  }

  int choose() {
    if (command_.name == "auto") {
      detector_.emplace(dialect::built_in(), handshake_view_, workspace_);
      begin(detector_->decision().program);
      return 0;
    }
    if (is_file_name(command_.name)) {
      const auto yaml = files::read(command_.name);
      if (!yaml) return refuse("sockeye: cannot read " + command_.name + ": " + yaml.error().message);
      auto compiled = dialect::compile(*yaml, command_.name);
      if (!compiled) return refuse(compiled.error().message);
      begin(*compiled);
      return 0;
    }
    auto found = dialect::find(dialect::built_in(), command_.name);
    if (found == nullptr) return refuse(unknown(command_.name));
    begin(std::move(found));
    return 0;
  }

  void begin(dialect::ProgramRef program, dialect::Intake* begun = nullptr) {
    if (detector_ && !json_)
      std::cout << "dialect: " << dialect::name(*program) << " (" << dialect::name(detector_->decision().basis)
                << ")\n";
    session_.emplace(std::move(program), handshake_view_, dialect::Limits{}, workspace_, notes_, 1, begun);
  }

  void feed(std::size_t number, const Sample& sample) {
    if (sample.at) now_ = Time(base::Duration(static_cast<std::int64_t>(*sample.at * 1e9)));
    notes_.clear();
    session_->tick(now_);
    const model::Opcode opcode = sample.binary ? model::Opcode::binary : model::Opcode::text;
    const base::MutableBytes room = workspace_.stage(sample.bytes.size());
    std::copy(sample.bytes.begin(), sample.bytes.end(), room.begin());
    const dialect::Payload payload{
        .bytes = room.first(sample.bytes.size()), .readable = room.size(), .on_wire = sample.bytes.size()};
    if (detector_ && detector_->open()) {
      if (detector_->message(sample.from, opcode, payload))
        begin(detector_->decision().program, detector_->begun());
      else
        notes_.undecided = detector_->open();
    }
    session_->message(sample.from, opcode, payload, now_);
    json_ ? print_json(number, sample, notes_) : print_text(number, sample, notes_);
    for (const auto& each : notes_.finished) json_ ? print_json(each) : print_text(each);
  }

  void sum_up() {
    using dialect::DialectError;
    if (json_) {
      base::Json json;
      json.open('{').key("left_open").number(static_cast<std::uint64_t>(session_->open()));
      json.key("unmatched").number(notes_.count(DialectError::unmatched));
      json.key("orphans").number(notes_.count(DialectError::orphan));
      for (const DialectError o : {DialectError::duplicate, DialectError::gap, DialectError::invalid})
        json.key(model::name(o)).number(notes_.count(o));
      if (detector_) {
        json.key("dialect").text(dialect::name(session_->program()));
        json.key("basis").text(dialect::name(detector_->decision().basis));
      }
      std::cout << json.close('}').take() << '\n';
      return;
    }
    std::cout << session_->open() << " left open, " << notes_.count(DialectError::unmatched)
              << " messages no rule knows, " << notes_.count(DialectError::orphan) << " replies to nothing open";
    for (const DialectError o : {DialectError::duplicate, DialectError::gap, DialectError::invalid})
      if (notes_.count(o) != 0) std::cout << ", " << notes_.count(o) << ' ' << model::name(o);
    std::cout << '\n';
    session_->for_each_open(
        [](void*, const model::Invocation& i) {
          std::cout << "        open: #" << i.number << ' ' << i.operation << ", by "
                    << (i.opened_by == Side::client ? "the client" : "the server") << ", " << i.chunks.count
                    << " chunks\n";
        },
        nullptr);
  }

  const DialectCommand& command_;
  bool json_;
  simdjson::dom::parser parser_;
  Handshake handshake_;
  dialect::HandshakeView handshake_view_;  // views into handshake_
  dialect::Workspace workspace_;
  Notes notes_;
  std::optional<dialect::Detector> detector_;
  std::optional<dialect::Session> session_;
  Time now_;
};

}  // namespace

int run_dialect(const DialectCommand& command) {
  switch (command.verb) {
    case DialectCommand::Verb::list:
      return list();
    case DialectCommand::Verb::show:
      return show(command);
    case DialectCommand::Verb::test:
      return Test(command).run();
  }
  return 2;
}

}  // namespace sockeye::app
