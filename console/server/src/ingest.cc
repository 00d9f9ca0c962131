#include "ingest.h"

#include <memory>
#include <utility>

#include "clock.h"
#include "sockeye/intake/decompress.h"

namespace sockeye::console {
namespace {

constexpr std::chrono::milliseconds longest_wait{500};  // to be decoded
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

void Ingest::take(intake::Signal signal, intake::Format format, std::string encoding, std::string body,
                  std::function<void(Taken)> done) {
  struct Job {
    std::string encoding, body;
    std::function<void(Taken)> done;
  };
  outstanding_.begin();
  if (!queue_up()) {
    done({Verdict::busy, {}, "requests wait too long to be decoded", busy_for_ms});
    return outstanding_.end();
  }
  auto job = std::make_shared<Job>(
      Job{std::move(encoding), std::move(body), [this, done = std::move(done)](const Taken& taken) {
            done(taken);
            outstanding_.end();
          }});
  const bool queued = workers_.run([this, signal, format, job] {
    // Those that came in one burst all found a short queue.
    if (begun() > longest_wait) return job->done({Verdict::busy, {}, "more comes than can be decoded", busy_for_ms});
    work(signal, format, job->encoding, std::move(job->body), std::move(job->done));
  });
  if (queued) return;
  {
    const std::lock_guard lock(waiting_mutex_);
    waiting_.pop_back();
  }
  job->done({Verdict::busy, {}, "too many requests wait to be decoded", busy_for_ms});
}

bool Ingest::queue_up() {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(waiting_mutex_);
  if (!waiting_.empty() && now - waiting_.front() > longest_wait) return false;
  waiting_.push_back(now);
  return true;
}

std::chrono::steady_clock::duration Ingest::begun() {
  const std::lock_guard lock(waiting_mutex_);
  const auto since = waiting_.front();
  waiting_.pop_front();
  return std::chrono::steady_clock::now() - since;
}

void Ingest::work(intake::Signal signal, intake::Format format, const std::string& encoding, std::string body,
                  std::function<void(Taken)> done) {
  if (!encoding.empty() && encoding != "identity") {
    std::string unpacked;
    switch (intake::decompress(encoding, body, largest_unpacked_, unpacked)) {
      case intake::Unpacking::done:
        body = std::move(unpacked);
        break;
      case intake::Unpacking::unknown_encoding:
        return done({Verdict::unsupported_encoding, {}, "Content-Encoding: expected gzip, deflate, zstd or identity"});
      case intake::Unpacking::malformed:
        return done({Verdict::invalid, {}, "the body is not what its Content-Encoding says"});
      case intake::Unpacking::too_large:
        return done(
            {Verdict::too_large,
             {},
             "the body unpacks to more than " + std::to_string(largest_unpacked_) + " bytes; send smaller batches"});
    }
  }
  // JSON takes a dozen times its size while it is read: large ones one at a time, and none without bound.
  std::unique_lock<std::mutex> alone(large_json_, std::defer_lock);
  if (format == intake::Format::json) {
    if (body.size() > largest_json)
      return done(
          {Verdict::too_large,
           {},
           "JSON is taken up to " + std::to_string(largest_json) + " bytes; send smaller batches, or protobuf"});
    if (body.size() > largest_json / 8) alone.lock();
  }
  store::Batch batch;
  auto tally = intake::decode(signal, format, std::move(body), batch);
  if (!tally) return done({Verdict::invalid, {}, tally.error().message});
  if (alone) alone.unlock();
  for (auto& log : batch.logs)
    if (log.time_unix_ns == 0) log.time_unix_ns = unix_now_ns();  // the receiver is an observer, too
  if (batch.empty()) return done({Verdict::stored, *std::move(tally)});
  store_.write(std::move(batch), [tally = *std::move(tally), done = std::move(done)](const store::Written& written) {
    done(written.refusal == store::Refusal::none ? Taken{Verdict::stored, tally} : refused(written));
  });
}

}  // namespace sockeye::console
