#include "ingest.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "clock.h"
#include "sockeye/intake/decompress.h"

namespace sockeye::console {
namespace {

constexpr std::size_t largest_json = 8 << 20;
constexpr std::uint64_t busy_for_ms = 1000;           // a full queue empties at the pace of the disk
constexpr std::uint64_t unavailable_for_ms = 30'000;  // a full disk is somebody's work

Taken refused(const store::Written& written) {
  Taken out;
  out.message = written.message;
  if (written.refusal == store::Refusal::busy) {
    out.verdict = Verdict::busy;
    out.retry_after_ms = busy_for_ms;
  } else {
    out.verdict = Verdict::unavailable;
    out.retry_after_ms = unavailable_for_ms;
  }
  return out;
}

}  // namespace

void Ingest::take(intake::Signal signal, intake::Format format, Sender sender, std::string encoding, std::string body,
                  std::function<void(Taken)> done) {
  outstanding_.begin();
  Job job{
      signal, format, std::move(sender), std::move(encoding), std::move(body), {}, std::chrono::steady_clock::now()};
  if (job.encoding == "identity") job.encoding.clear();
  job.done = [this, done = std::move(done)](const Taken& taken) {
    done(taken);
    outstanding_.end();
  };
  queue(small_, workers_, std::move(job));
}

void Ingest::queue(Lane& lane, Workers& workers, Job&& job) {
  {
    const std::lock_guard lock(mutex_);
    if (lane.has_room(job.sender) && workers.run([this, &lane] { next(lane); })) {
      const Sender sender = job.sender;
      return lane.push(sender, std::move(job));
    }
  }
  job.done({Verdict::busy, {}, "too many requests wait to be decoded", busy_for_ms});
}

// One run for each job that was pushed, though not in their order.
void Ingest::next(Lane& lane) {
  std::optional<Job> job;
  {
    const std::lock_guard lock(mutex_);
    job = lane.pop();
  }
  if (!job) return;
  const bool large = &lane == &large_;
  if (std::chrono::steady_clock::now() - job->since > longest_wait * (large ? 4 : 1))
    return job->done({Verdict::busy, {}, "more comes than can be decoded", busy_for_ms});
  unpack(*std::move(job), large);
}

void Ingest::unpack(Job job, bool large) {
  // JSON takes a dozen times its size while it is read.
  const bool json = job.format == intake::Format::json;
  const std::size_t usual = json ? small / 4 : small;
  const std::size_t limit = large ? largest_unpacked_ : std::min(usual, largest_unpacked_);
  std::string unpacked;
  const auto how = job.encoding.empty()
                       ? (job.body.size() > limit ? intake::Unpacking::too_large : intake::Unpacking::done)
                       : intake::decompress(job.encoding, job.body, limit, unpacked);
  switch (how) {
    case intake::Unpacking::done:
      break;
    case intake::Unpacking::unknown_encoding:
      return job.done(
          {Verdict::unsupported_encoding, {}, "Content-Encoding: expected gzip, deflate, zstd or identity"});
    case intake::Unpacking::malformed:
      return job.done({Verdict::invalid, {}, "the body is not what its Content-Encoding says"});
    case intake::Unpacking::too_large:
      if (limit < largest_unpacked_) return queue(large_, large_worker_, std::move(job));
      return job.done(
          {Verdict::too_large,
           {},
           "the body unpacks to more than " + std::to_string(largest_unpacked_) + " bytes; send smaller batches"});
  }
  if (!job.encoding.empty()) job.body = std::move(unpacked);
  if (json && job.body.size() > largest_json)
    return job.done(
        {Verdict::too_large,
         {},
         "JSON is taken up to " + std::to_string(largest_json) + " bytes; send smaller batches, or protobuf"});
  decode(std::move(job));
}

void Ingest::decode(Job job) {
  store::Batch batch;
  auto tally = intake::decode(job.signal, job.format, std::move(job.body), batch);
  if (!tally) return job.done({Verdict::invalid, {}, tally.error().message});
  for (auto& log : batch.logs)
    if (log.time_unix_ns == 0) log.time_unix_ns = unix_now_ns();  // the receiver is an observer, too
  if (batch.empty()) return job.done({Verdict::stored, *std::move(tally)});
  store_.write(std::move(batch),
               [tally = *std::move(tally), done = std::move(job.done)](const store::Written& written) {
                 done(written.refusal == store::Refusal::none ? Taken{Verdict::stored, tally} : refused(written));
               });
}

}  // namespace sockeye::console
