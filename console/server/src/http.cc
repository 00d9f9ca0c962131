#include "http.h"

#include "sockeye/base/json.h"

namespace sockeye::console {
namespace {

std::string_view code_of(int status) {
  switch (status) {
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "not_found";
    case 405:
      return "method_not_allowed";
    case 413:
    case 431:
      return "too_large";
    case 429:
    case 503:
      return "busy";
    case 504:
      return "deadline";
    default:
      return status < 500 ? "bad_request" : "internal";
  }
}

}  // namespace

Response json_response(std::string body) { return {200, "application/json", std::move(body)}; }

Response error_response(int status, std::string_view message) {
  base::Json json;
  json.open('{').key("error").open('{').key("code").text(code_of(status)).key("message").text(message);
  json.close('}').close('}');
  Response out = json_response(json.take());
  out.status = status;
  return out;
}

}  // namespace sockeye::console
