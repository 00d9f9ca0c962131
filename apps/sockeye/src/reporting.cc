#include "reporting.h"

#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <utility>

#include "log.h"
#include "sockeye/base/ids.h"
#include "sockeye/otlp/transport.h"

namespace sockeye::app {

Identity identify() {
  Identity out;
  std::uint64_t seed = 0;
  static_cast<void>(!::getrandom(&seed, sizeof seed, 0));
  base::Random random(seed);
  const auto now =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
  out.started_unix_ns = static_cast<std::uint64_t>(now.count());
  out.instance = base::to_uuid(base::make_session_id(random, out.started_unix_ns / 1'000'000));
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0) out.host = host.data();
  return out;
}

base::Result<std::unique_ptr<pipeline::Pipeline>> start_pipeline(const config::Settings& settings,
                                                                 const Identity& identity) {
  auto options = settings.otlp;
  options.resource.service_version = SOCKEYE_VERSION;
  options.resource.service_instance_id = identity.instance;
  if (!identity.host.empty()) options.resource.host_name = identity.host;

  auto transport = otlp::make_transport(std::move(options));
  if (!transport) return tl::unexpected(transport.error());
  pipeline::Options pipe;
  pipe.spool = settings.spool;
  pipe.log = [](int level, const std::string& line) { log(level, line); };
  return pipeline::start(std::move(pipe), *std::move(transport));
}

base::Result<Console> start_console(const config::Settings& settings, const Identity& identity,
                                    model::SessionSource& sessions) {
  Console out;
  auto options = settings.console;
  if (options.endpoint.empty()) return out;
  live::Hello hello;
  hello.instance = identity.instance;
  hello.service = settings.otlp.resource.service_name;
  hello.host = identity.host;
  hello.sockeye_version = SOCKEYE_VERSION;
  hello.started_unix_ns = identity.started_unix_ns;
  options.log = [](int level, const std::string& line) { log(level, line); };
  out.source = std::make_unique<LiveSource>(sessions, std::move(hello));
  auto started = live::Reporter::start(std::move(options), *out.source);
  if (!started) return tl::unexpected(started.error());
  out.reporter = *std::move(started);
  return out;
}

}  // namespace sockeye::app
