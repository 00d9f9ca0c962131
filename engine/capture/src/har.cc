#include "sockeye/capture/har.h"

#include <algorithm>
#include <vector>

#include "messages.h"
#include "options_text.h"
#include "sockeye/base/json.h"
#include "sockeye/capture/format.h"

namespace sockeye::capture {
namespace {

using base::Json;
using model::Side;
using Kind = Event::Kind;

std::string base64(std::string_view in) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((in.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < in.size(); at += 3) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i)
      bits = bits << 8U | (at + i < in.size() ? static_cast<unsigned char>(in[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i)
      out += at + i <= in.size() ? digits[bits >> (18U - 6U * static_cast<unsigned>(i)) & 63U] : '=';
  }
  return out;
}

void headers(Json& json, const Head& head) {
  json.key("headers").open('[');
  for (const auto& [name, value] : head.fields)
    json.open('{').key("name").text(name).key("value").text(value).close('}');
  json.close(']');
}

// HAR asks for its parts one by one, not decoded.
void query(Json& json, std::string_view target) {
  json.key("queryString").open('[');
  const auto mark = target.find('?');
  auto rest = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  while (!rest.empty()) {
    const auto end = std::min(rest.find('&'), rest.size());
    const auto pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    const auto value = pair.substr(std::min(equals + 1, pair.size()));
    json.open('{').key("name").text(pair.substr(0, equals)).key("value").text(value).close('}');
  }
  json.close(']');
}

std::string url(const Session& session) {
  std::string host(session.request.view().value("Host"));
  if (host.empty()) {
    host = session.server_address.empty() ? "unknown" : session.server_address;
    if (session.server_port != 0) host += ":" + std::to_string(session.server_port);
  }
  const std::string& target = session.request.target;
  if (target.find("://") != std::string::npos) return target;
  return (session.tls ? "wss://" : "ws://") + host + (target.empty() ? "/" : target);
}

class Exporter {
 public:
  Exporter(const Session& session, const HarOptions& options) : session_(session), options_(options) {
    const auto extensions = extensions_of(session);
    for (const Side side : {Side::client, Side::server}) streams_.emplace_back(side, extensions, options.message);
    wall_ = session.wall_opened;
    if (session.attached)
      for (auto& each : streams_) each.lose();
    messages_.open('[');
  }

  void event(const Event& event) {
    if (event.kind == Kind::wall) wall_ = event.wall;
    last_ = event.at;
    Messages& stream = streams_[model::index(event.side)];
    const auto take = [&](Message&& message, base::Time at) { add(event.side, at, std::move(message)); };
    if (event.kind == Kind::gap) stream.gap(event.count, event.at, take);
    if (event.kind == Kind::frame) stream.found();
    if (event.kind != Kind::bytes) return;
    if (stream.lost() && !event.watched) stream.found();  // a carrier knows its frames
    stream.feed(event.data, event.at, take);
  }

  [[nodiscard]] std::string document() {
    messages_.close(']');
    Json json;
    json.open('{').key("log").open('{').key("version").text("1.2");
    json.key("creator").open('{').key("name").text("Sockeye").key("version").text(options_.creator_version).close('}');
    json.key("pages").open('[').close(']').key("entries").open('[');
    entry(json);
    json.close(']').close('}').close('}');
    return json.take() + "\n";
  }

 private:
  void add(Side from, base::Time at, Message&& message) {
    const bool text = message.opcode == model::Opcode::text;
    const bool has = session_.payload && kept_ + message.data.size() <= options_.all;
    if (has) kept_ += message.data.size();
    const std::uint64_t whole_microseconds = wall_.unix_ns(at) / 1000;
    const double time = static_cast<double>(whole_microseconds) / 1e6;
    messages_.open('{').key("type").text(from == Side::client ? "send" : "receive").key("time").number(time);
    messages_.key("opcode").number(static_cast<std::uint64_t>(message.opcode)).key("data");
    messages_.text(!has ? std::string() : text ? message.data : base64(message.data));
    if (!has || !message.whole) messages_.key("_length").number(message.length);
    messages_.close('}');
  }

  void entry(Json& json) {
    const auto ms = [](base::Duration d) { return base::seconds(d) * 1000; };
    const double waited = ms(session_.opened - session_.first_byte);
    json.open('{').key("startedDateTime").text(base::iso8601(session_.wall.unix_ns(session_.first_byte) / 1'000'000));
    json.key("time").number(ms(std::max(last_, session_.opened) - session_.first_byte));
    request(json);
    response(json);
    json.key("cache").open('{').close('}');
    json.key("timings").open('{').key("send").number(0.0).key("wait").number(waited);
    json.key("receive").number(0.0).close('}');
    if (!session_.server_address.empty()) json.key("_serverAddress").text(session_.server_address);
    json.key("_resourceType").text("websocket").key("_webSocketMessages").raw(messages_.take());
    json.close('}');
  }
  void request(Json& json) const {
    json.key("request").open('{').key("method").text(session_.attached ? "GET" : session_.request.method);
    json.key("url").text(url(session_)).key("httpVersion").text("HTTP/1.1").key("cookies").open('[').close(']');
    headers(json, session_.request);
    query(json, session_.request.target);
    json.key("headersSize").number(std::int64_t{-1}).key("bodySize").number(std::int64_t{0}).close('}');
  }
  void response(Json& json) const {
    json.key("response").open('{').key("status").number(static_cast<std::int64_t>(session_.response.status));
    json.key("statusText").text(session_.response.reason).key("httpVersion").text("HTTP/1.1");
    json.key("cookies").open('[').close(']');
    headers(json, session_.response);
    json.key("content").open('{').key("size").number(std::int64_t{0}).key("mimeType").text("x-unknown").close('}');
    json.key("redirectURL").text("").key("headersSize").number(std::int64_t{-1});
    json.key("bodySize").number(std::int64_t{-1}).close('}');
  }

  const Session& session_;
  const HarOptions& options_;
  std::vector<Messages> streams_;  // by sender
  base::WallOffset wall_;
  base::Time last_;
  Json messages_;
  std::uint64_t kept_ = 0;
};

}  // namespace

base::Result<std::string> to_har(base::Bytes file, const HarOptions& options) {
  auto reader = Reader::open(file);
  if (!reader) return tl::unexpected(reader.error());
  Exporter out(reader->session(), options);
  for (;;) {
    const auto event = reader->next();
    if (!event) return tl::unexpected(event.error());
    if (!*event) return out.document();
    out.event(**event);
  }
}

}  // namespace sockeye::capture
