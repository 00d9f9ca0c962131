// A listener that writes down what it hears, one line each.
#pragma once

#include <string>
#include <vector>

#include "sockeye/dialect/session.h"

namespace sockeye::dialect {

class Notes final : public Listener {
 public:
  std::vector<std::string> lines;
  std::vector<model::Invocation> finished;

  // What was heard since the last call.
  std::string take() {
    std::string all;
    for (const std::string& line : lines) all += (all.empty() ? "" : "; ") + line;
    lines.clear();
    return all;
  }

  void opened(model::Invocation& i) override { lines.push_back("open " + title(i)); }
  void chunk(const model::Invocation& i, std::optional<base::Duration>) override {
    lines.push_back("chunk " + title(i));
  }
  void ended(model::Invocation&& i) override {
    lines.push_back("end " + title(i) + " " + std::string(model::name(i.status)) +
                    (i.end == model::InvocationEnd::reply ? "" : " by " + std::string(model::name(i.end))) +
                    (i.error_type.empty() ? "" : " (" + i.error_type + ")"));
    finished.push_back(std::move(i));
  }
  void media(model::Side, std::string_view name, std::uint64_t bytes, base::Time) override {
    lines.push_back("media " + std::string(name) + " " + std::to_string(bytes));
  }
  void beat(model::Side, std::string_view name, std::optional<base::Duration> rtt, base::Time) override {
    lines.push_back("beat " + std::string(name) + (rtt ? " " + std::to_string(rtt->count() / 1'000'000) + "ms" : ""));
  }
  void session_attribute(std::string_view key, const model::AttributeValue&) override {
    lines.push_back("session " + std::string(key));
  }
  void event(std::string_view name, model::Side, base::Time) override { lines.push_back("event " + std::string(name)); }
  void error(model::Side, std::string_view type, base::Time) override { lines.push_back("error " + std::string(type)); }
  void dialect_error(DialectError kind, model::Side, std::uint64_t count, base::Time) override {
    lines.push_back(std::string(name(kind)) + (count == 1 ? "" : " " + std::to_string(count)));
  }
  void partial() override { lines.emplace_back("partial"); }
  void late() override { lines.emplace_back("late"); }

 private:
  static std::string title(const model::Invocation& i) { return "#" + std::to_string(i.number) + " " + i.operation; }
};

}  // namespace sockeye::dialect
