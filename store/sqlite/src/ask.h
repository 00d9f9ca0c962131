// The questions of the contract, each on a connection of its own (Readers::Loan). They throw Failure; what is asked
// wrongly is an error value.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "database.h"
#include "sockeye/base/result.h"
#include "sockeye/store/batch.h"
#include "sockeye/store/match.h"
#include "sockeye/store/query.h"

namespace sockeye::sqlite::ask {

constexpr std::size_t most_answers = 10'000;  // of one question, whatever its limit says

base::Result<store::Batch> trace(Database& db, const base::TraceId& id, std::size_t limit);
base::Result<store::SpanPage> spans(Database& db, const store::SpanQuery& query);
base::Result<store::Page<store::TraceSummary>> traces(Database& db, const store::SpanQuery& query);
base::Result<std::vector<std::string>> services(Database& db);
base::Result<store::Page<store::OperationName>> operations(Database& db, const store::OperationNamesQuery& query);
base::Result<store::Page<store::Dependency>> dependencies(Database& db, store::TimeRange range);
base::Result<store::OperationsPage> latency(Database& db, const store::OperationsQuery& query);
base::Result<store::GroupPage> groups(Database& db, const store::GroupsQuery& query);

base::Result<store::Page<store::Session>> sessions(Database& db, const store::SessionQuery& query);
base::Result<std::optional<store::Session>> session(Database& db, const base::SessionId& id);
base::Result<std::vector<store::SessionPoint>> points(Database& db, const base::SessionId& id, store::TimeRange range);
base::Result<std::vector<store::FleetPoint>> fleet(Database& db, const store::FleetQuery& query);
base::Result<std::vector<store::CloseCount>> closes(Database& db, const store::ClosesQuery& query);
base::Result<std::vector<store::Presence>> presences(Database& db, store::TimeRange range);
base::Result<std::vector<store::RouteTotals>> totals(Database& db);

base::Result<store::Lookup> lookup(Database& db, const store::LookupQuery& query);
base::Result<store::Page<store::Happening>> happenings(Database& db, const store::HappeningsQuery& query);
base::Result<std::optional<std::uint64_t>> happening(Database& db, const store::HappeningsQuery& query, bool last);

}  // namespace sockeye::sqlite::ask
