// Requests and answers as net has them, and how the console words its own.
#pragma once

#include <string>
#include <string_view>

#include "sockeye/net/http.h"

namespace sockeye::console {

using net::Accepted;
using net::Admission;
using net::Channel;
using net::Conversation;
using net::Request;
using net::Respond;
using net::Response;
using net::Site;

// {"error":{"code":…,"message":…}}; the code follows from the status.
[[nodiscard]] Response error_response(int status, std::string_view message);
[[nodiscard]] Response json_response(std::string body);

}  // namespace sockeye::console
