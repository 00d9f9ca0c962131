// The web page's files, out of the binary.
#pragma once

#include <span>

#include "http.h"
#include "sockeye/console/console.h"

namespace sockeye::console {

// A file, or the page itself for every address that is one of its views. 404 for a missing asset.
[[nodiscard]] Response page_response(std::span<const Asset> page, const Request& request);
// Of every answer on the page's port: nothing from elsewhere runs or is shown, and nobody frames us.
void harden(Response& response, bool tls);

}  // namespace sockeye::console
