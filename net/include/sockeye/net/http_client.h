// POSTs to one URL over one connection that is kept alive: HTTP/1.1, with TLS or without, through a proxy where the
// environment names one (as curl reads it), but never to a loopback address. Redirects are not followed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sockeye/base/result.h"
#include "sockeye/base/time.h"
#include "sockeye/net/http.h"

namespace sockeye::net {

struct ClientTls {
  std::string ca;           // PEM file; "" = the system's store
  std::string certificate;  // client certificate, PEM file; "" = none
  std::string key;          // PEM file
};

struct HttpClientOptions {
  std::string what;  // what it is for, in errors: "OTLP"
  std::string url;   // http(s)://, with a user name, password and query where they are needed
  Fields fields;     // sent with every request; values are never in an error
  std::string user_agent;
  ClientTls tls;
  std::size_t largest_answer = 64U << 10U;  // bytes of a body; more of it counts as broken off
};

struct Post {
  std::string_view body;
  std::string_view content_type;
  std::string_view content_encoding = {};
};

// Why no answer came, or not all of it.
enum class Failure : std::uint8_t { none, resolve, connect, tls, timeout, not_http, reset, cancelled };

struct Answer {
  int status = 0;  // 200 to 599; 0: none came
  Failure failure = Failure::none;
  std::string message = {};  // of the failure
  // No status came, but a request was handed over whole: the peer may have acted on it. Where this is false it
  // certainly has not.
  bool maybe_delivered = false;
  std::string body = {};
  std::optional<std::string> content_type = {};
  std::optional<base::Duration> retry_after = {};  // at most a day
};

struct Retry {
  base::Duration timeout = std::chrono::seconds(10);      // of one attempt, connecting included
  base::Duration first = std::chrono::milliseconds(500);  // doubles with each failure in a row …
  base::Duration cap = std::chrono::seconds(30);          // … up to this; each delay is drawn from [1/2, 1] of it
  base::Duration deadline = std::chrono::minutes(1);      // of all attempts and pauses; no attempt goes on past it
  bool twice = true;  // rather deliver twice than not at all: what may be delivered is sent again
};

// For one thread at a time, but cancel().
class HttpClient {
 public:
  // Connects at the first post(). Fails on a URL that is not http(s), on a field that is not one or is ours to set, on
  // a PEM file that cannot be read.
  [[nodiscard]] static base::Result<std::unique_ptr<HttpClient>> make(HttpClientOptions options);
  virtual ~HttpClient() = default;

  // One attempt; blocks. Views live until it returns.
  [[nodiscard]] virtual Answer post(const Post& request, base::Duration timeout) = 0;
  // Again after failures, 429, 502, 503 and 504, with pauses that grow, or as long as Retry-After says. The last
  // attempt's answer; blocks until the deadline at most.
  [[nodiscard]] virtual Answer post(const Post& request, const Retry& retry) = 0;
  // From any thread, for good: what blocks returns, and later calls fail at once.
  virtual void cancel() = 0;
  // The URL without user name, password and query: for a log.
  [[nodiscard]] virtual const std::string& shown() const = 0;
};

}  // namespace sockeye::net
