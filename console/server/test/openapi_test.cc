// docs/formats/openapi.yaml and the code name the same paths, parameters and fields of a session. The document's layout
// is a convention here: a path is a line of two spaces, a parameter one line within it, a schema's field a line of
// eight spaces (tests/schema/openapi.py holds the rest of it).
#include <gtest/gtest.h>
#include <simdjson.h>

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "api.h"
#include "store_double.h"
#include "write.h"

namespace sockeye::console {
namespace {

// Of each path in the document, its query parameters.
std::map<std::string, std::set<std::string>> documented() {
  std::map<std::string, std::set<std::string>> out;
  std::ifstream file(SOCKEYE_OPENAPI);
  std::string line;
  std::string path;
  bool paths = false;
  while (std::getline(file, line)) {
    if (!line.empty() && line.front() != ' ' && line.front() != '#') paths = line == "paths:";
    if (!paths) continue;
    if (line.starts_with("  /") && line.ends_with(":")) {
      path = line.substr(2, line.size() - 3);
      out[path];
    }
    const auto name_at = [&](std::string_view before) {
      const auto at = line.find(before);
      if (at == std::string::npos) return;
      const auto begin = at + before.size();
      out[path].insert(line.substr(begin, line.find_first_of(",\"}", begin) - begin));
    };
    name_at("- {$ref: \"#/components/parameters/");
    if (line.find("in: query") != std::string::npos) name_at("- {name: ");
  }
  return out;
}

// Answered before a question is looked up, or elsewhere: on OTLP's port, or as a WebSocket.
const std::set<std::string> not_questions = {"/healthz",     "/api/v1/login",       "/api/v1/logout",
                                             "/api/v1/live", "/api/v1/live/report", "/v1/traces",
                                             "/v1/logs",     "/v1/metrics"};

TEST(OpenApi, documents_the_paths_that_are_there) {
  const auto document = documented();
  ASSERT_GT(document.size(), 20U) << SOCKEYE_OPENAPI;
  for (const auto& path : not_questions) EXPECT_TRUE(document.contains(path)) << path;
  std::set<std::string_view> used;
  const auto questions = question_paths();
  for (const auto& [path, parameters] : document) {
    if (not_questions.contains(path)) continue;
    bool found = false;
    for (const auto question : questions) {
      const bool here = question.ends_with("/") ? path.starts_with(std::string(question) + "{") : path == question;
      if (here) used.insert(question);
      found = found || here;
    }
    EXPECT_TRUE(found) << path << " is documented, but not answered";
  }
  for (const auto question : questions)
    EXPECT_TRUE(used.contains(question)) << question << " is answered, but not documented";
}

// A session's fields in the document, in their order.
std::vector<std::string> session_fields() {
  std::vector<std::string> out;
  std::ifstream file(SOCKEYE_OPENAPI);
  std::string line;
  bool inside = false;
  while (std::getline(file, line)) {
    if (line.starts_with("    ") && line.at(4) != ' ') inside = line == "    Session:";
    if (inside && line.starts_with("        ") && line.at(8) != ' ') out.push_back(line.substr(8, line.find(':') - 8));
  }
  return out;
}

TEST(OpenApi, documents_every_field_of_a_session) {
  base::Json json;
  write_session(json, store::Session(), LiveRates());
  const std::string body = json.take();
  simdjson::dom::parser parser;
  std::set<std::string> listed;
  for (const auto [key, value] : parser.parse(body).get_object()) listed.emplace(key);
  const auto documented = session_fields();
  EXPECT_EQ(listed, std::set<std::string>(documented.begin(), documented.end()));
  model::each_figure(
      [&](const auto& figure) { EXPECT_TRUE(listed.contains(std::string(figure.name))) << figure.name; });
}

TEST(OpenApi, documents_parameters_that_are_taken) {
  const Options options;
  test::StoreDouble store;
  Fleet fleet;
  Api api{options, store, fleet, "", "", 1};
  std::size_t asked = 0;
  for (const auto& [path, parameters] : documented()) {
    if (not_questions.contains(path)) continue;
    Request request;
    request.method = "GET";
    request.path = path;
    for (const auto& [placeholder, value] :
         std::map<std::string, std::string>{{"{session_id}", "0190163d-8694-739b-aea5-966c26f8ad91"},
                                            {"{trace_id}", "5b8efff798038103d269b633813fc60c"},
                                            {"{service}", "shop"}})
      if (const auto at = request.path.find(placeholder); at != std::string::npos)
        request.path.replace(at, placeholder.size(), value);
    for (const auto& name : parameters) {
      if (path.find("{" + name + "}") != std::string::npos) continue;  // of the path
      request.query = name + "=";
      const auto taken = answer(api, request);
      EXPECT_EQ(taken.body.find("unknown parameter"), std::string::npos) << path << ": " << name;
      EXPECT_EQ(taken.body.find("docs/formats/openapi.yaml"), std::string::npos) << path;
      ++asked;
    }
    // And no others, where the console looks: Jaeger's clients send what they like to some.
    if (!path.starts_with("/api/v1/")) continue;
    request.query = "no_such_parameter=1";
    EXPECT_EQ(answer(api, request).status, 400) << path;
  }
  EXPECT_GT(asked, 50U);
}

}  // namespace
}  // namespace sockeye::console
