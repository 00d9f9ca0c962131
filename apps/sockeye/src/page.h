// The built web page, in the binary.
#pragma once

#include <span>

#include "sockeye/console/console.h"

namespace sockeye::app {

[[nodiscard]] std::span<const console::Asset> page_files();  // none when this binary was built without it

}  // namespace sockeye::app
