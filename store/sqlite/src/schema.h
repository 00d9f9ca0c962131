// Opening the file: what it is is found out before anything is written to it.
#pragma once

#include <string>

#include "database.h"
#include "sockeye/base/result.h"

namespace sockeye::sqlite {

inline constexpr std::int64_t application_id = 0x534b4559;  // "SKEY"; sqlite3.org's header field, so file(1) can tell

// A connection that may write, to a database of the newest schema: made when missing, brought up to date when older.
[[nodiscard]] base::Result<Database> open_database(const std::string& path);
[[nodiscard]] Database open_reader(const std::string& path);  // throws Failure

}  // namespace sockeye::sqlite
