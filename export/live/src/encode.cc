// Values to bytes. Zero is not written (proto3), so a quiet session's figures are short. Texts leave as well-formed
// UTF-8 of at most longest_text bytes, whatever they were.
#include <algorithm>
#include <array>
#include <protozero/pbf_writer.hpp>
#include <string_view>
#include <utility>

#include "fields.h"
#include "sockeye/base/utf8.h"
#include "sockeye/live/messages.h"

namespace sockeye::live {
namespace {

using protozero::pbf_writer;

void add_text(pbf_writer& to, Tag tag, std::string_view text, std::size_t limit = longest_text) {
  if (text.empty()) return;
  std::string repaired;
  if (base::valid_utf8_prefix(text) != text.size()) {
    repaired = base::repair_utf8(text.substr(0, std::min(text.size(), limit)));
    text = repaired;
  }
  text = base::cut_utf8(text, limit);
  to.add_string(tag, text.data(), text.size());
}

template <class Id>
void add_id(pbf_writer& to, Tag tag, const Id& id) {
  if (!id.is_zero()) to.add_bytes(tag, reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

void add_count(pbf_writer& to, Tag tag, std::uint64_t value) {
  if (value != 0) to.add_uint64(tag, value);
}

void add_time(pbf_writer& to, Tag tag, std::uint64_t unix_ns) {
  if (unix_ns != 0) to.add_fixed64(tag, unix_ns);
}

template <class T>
void add_counts(pbf_writer& to, Tag first, const std::array<T, 2>& values) {
  add_count(to, first, values[0]);
  add_count(to, first + 1, values[1]);
}

// Zero is a value here: presence tells.
void add_optionals(pbf_writer& to, Tag first, const std::array<std::optional<std::uint64_t>, 2>& values) {
  for (Tag i = 0; i < 2; ++i)
    if (values[i]) to.add_uint64(first + i, *values[i]);
}

void write(pbf_writer& to, const Hello& hello) {
  using namespace hello_field;
  add_count(to, version, hello.version);
  add_text(to, instance, hello.instance);
  add_text(to, service, hello.service);
  add_text(to, host, hello.host);
  add_text(to, sockeye_version, hello.sockeye_version);
  add_time(to, started_unix_ns, hello.started_unix_ns);
  add_count(to, open_sessions, hello.open_sessions);
}

void write(pbf_writer& to, const model::SessionFacts& session) {
  using namespace opened_field;
  add_id(to, id, session.id);
  add_text(to, route, session.route);
  add_text(to, client, session.client);
  add_text(to, target, session.target);
  add_text(to, host, session.host);
  add_text(to, opened_field::subprotocol, session.subprotocol);
  add_text(to, extensions, session.extensions);
  add_text(to, server, session.server);
  add_id(to, trace_id, session.trace_id);
  add_time(to, opened_unix_ns, session.opened_unix_ns);
  if (session.reconnect_of) add_id(to, reconnect_of, *session.reconnect_of);
}

void write(pbf_writer& to, const model::SessionUpdate& session) {
  using namespace changed_field;
  const auto& figures = session.figures;
  add_id(to, id, session.id);
  add_count(to, state, static_cast<std::uint64_t>(figures.state));
  add_text(to, dialect, figures.dialect);
  add_counts(to, messages, figures.messages);
  add_counts(to, bytes, figures.bytes);
  add_optionals(to, rtt_ns, figures.rtt_ns);
  add_counts(to, buffered_bytes, figures.buffered_bytes);
  add_counts(to, misses, figures.misses);
  add_count(to, missed_total, figures.missed_total);
  add_count(to, anomalies, figures.anomalies);
  add_count(to, invocations_open, figures.invocations_open);
  add_time(to, last_message_unix_ns, figures.last_message_unix_ns[0]);
  add_time(to, last_message_unix_ns + 1, figures.last_message_unix_ns[1]);
}

void write(pbf_writer& to, const Recorded& message) {
  using namespace recorded_field;
  to.add_fixed64(time_unix_ns, message.time_unix_ns);  // zero too: protozero drops an empty message
  add_count(to, length, message.length);
  add_count(to, side, message.side);
  add_count(to, opcode, message.opcode);
  if (message.compressed) to.add_bool(compressed, true);
  if (message.injected) to.add_bool(injected, true);
  if (message.answered) to.add_bool(answered, true);
}

// The latest ones, where there are more than a message may hold.
void write(pbf_writer& to, Tag tag, const std::vector<Recorded>& recorder) {
  for (std::size_t i = recorder.size() - std::min(recorder.size(), most_recorded); i < recorder.size(); ++i) {
    pbf_writer each(to, tag);
    write(each, recorder[i]);
  }
}

void write(pbf_writer& to, const Ended& session) {
  using namespace ended_field;
  {
    pbf_writer figures(to, last);
    write(figures, session.last);
  }
  add_time(to, ended_unix_ns, session.end.unix_ns);
  add_count(to, code, session.end.code);
  add_text(to, why, session.end.why);
  add_text(to, initiator, session.end.initiator);
  add_text(to, reason, session.end.reason);
  write(to, recorder, session.recorder);
}

void write(pbf_writer& to, const Summary& summary) {
  using namespace summary_field;
  add_text(to, route, summary.route);
  add_count(to, active, summary.active);
  add_count(to, accepted_total, summary.accepted_total);
  add_count(to, rejected_total, summary.rejected_total);
  add_count(to, closed_total, summary.closed_total);
  add_count(to, reconnects_total, summary.reconnects_total);
  add_count(to, missed_total, summary.missed_total);
  add_counts(to, messages_total, summary.messages_total);
  add_counts(to, bytes_total, summary.bytes_total);
  add_count(to, missing_pongs, summary.missing_pongs);
  add_count(to, buffered_sessions, summary.buffered_sessions);
  add_count(to, buffered_bytes, summary.buffered_bytes);
  add_count(to, invocations_open, summary.invocations_open);
  add_optionals(to, rtt_p50_ns, summary.rtt_p50_ns);
  add_optionals(to, rtt_p99_ns, summary.rtt_p99_ns);
}

void write(pbf_writer& to, const OpenCall& call) {
  using namespace call_field;
  to.add_uint64(number, call.number);
  add_text(to, operation, call.operation, longest_operation);
  add_count(to, opened_by, call.opened_by);
  add_time(to, opened_unix_ns, call.opened_unix_ns);
  add_time(to, first_chunk_unix_ns, call.first_chunk_unix_ns);
  add_time(to, last_chunk_unix_ns, call.last_chunk_unix_ns);
  add_count(to, chunks, call.chunks);
  add_id(to, trace_id, call.trace_id);
}

void write(pbf_writer& to, const Detail& detail) {
  using namespace detail_field;
  add_id(to, id, detail.id);
  write(to, recorder, detail.recorder);
  for (std::size_t i = 0; i < std::min(detail.calls.size(), most_calls); ++i) {
    pbf_writer each(to, calls);
    write(each, detail.calls[i]);
  }
}

struct Limits {
  std::size_t bytes, items;
};

// Messages within `limits`: an item that does not fit begins the next one.
class Parts {
 public:
  Parts(std::uint64_t time_unix_ns, Limits limits) : time_(time_unix_ns), limits_(limits) { begin(); }

  template <class Item>
  void add(Tag tag, const Item& item) {
    if (++items_ > limits_.items) next({});
    const std::size_t before = bytes_.size();
    {
      pbf_writer report(bytes_);
      pbf_writer each(report, tag);
      write(each, item);
    }
    if (bytes_.size() <= limits_.bytes || before == head_) return;
    const std::string tail = bytes_.substr(before);
    bytes_.resize(before);
    next(tail);
  }
  void all_told() { pbf_writer(bytes_).add_bool(report_field::all_told, true); }
  [[nodiscard]] std::vector<std::string> take() {
    done_.push_back(std::move(bytes_));
    return std::move(done_);
  }

 private:
  void begin() {
    bytes_.clear();
    pbf_writer report(bytes_);
    add_time(report, report_field::time_unix_ns, time_);
    head_ = bytes_.size();
    items_ = 0;
  }
  void next(std::string_view first) {
    done_.push_back(std::move(bytes_));
    begin();
    bytes_ += first;
    items_ = 1;
  }

  std::uint64_t time_;
  Limits limits_;
  std::size_t head_ = 0, items_ = 0;
  std::string bytes_;
  std::vector<std::string> done_;
};

std::vector<std::string> in_parts(const Report& report, Limits limits) {
  Parts parts(report.time_unix_ns, limits);
  if (report.hello) parts.add(report_field::hello, *report.hello);
  for (const auto& each : report.opened) parts.add(report_field::opened, each);
  for (const auto& each : report.changed) parts.add(report_field::changed, each);
  for (const auto& each : report.ended) parts.add(report_field::ended, each);
  for (const auto& each : report.summaries) parts.add(report_field::summaries, each);
  for (const auto& each : report.details) parts.add(report_field::details, each);
  if (report.all_told) parts.all_told();
  return parts.take();
}

}  // namespace

std::vector<std::string> encode_parts(const Report& report) {
  return in_parts(report, {largest_message - 2, most_items});  // all_told may follow
}

std::string encode(const Report& report) { return in_parts(report, {SIZE_MAX, SIZE_MAX}).front(); }

std::string encode(const Ask& ask) {
  std::string out;
  pbf_writer to(out);
  for (std::size_t i = 0; i < std::min(ask.watch.size(), most_watched); ++i) add_id(to, ask_field::watch, ask.watch[i]);
  return out;
}

std::string encode(const std::vector<Recorded>& recorder) {
  std::string out;
  pbf_writer to(out);
  write(to, recorder_field::messages, recorder);
  return out;
}

}  // namespace sockeye::live
