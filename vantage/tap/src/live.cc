// Live interfaces, through libpcap: a ring that the kernel writes and we read in place.
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "link_type.h"
#include "sockeye/tap/source.h"

namespace sockeye::tap {
namespace {

// Everything that may be TCP, behind VLAN tags, extension headers and in fragments as well.
constexpr const char* whatever_may_be_tcp = "not udp and not icmp and not icmp6";

class LiveSource final : public Source {
 public:
  LiveSource(pcap_t* handle, const LiveOptions& options)
      : handle_(handle), name_(options.interface), wait_(options.wait) {}
  ~LiveSource() override { ::pcap_close(handle_); }

  base::Result<void> open(const LiveOptions& options);
  Event next(Packet& packet) override;
  [[nodiscard]] const base::Error& error() const override { return error_; }
  [[nodiscard]] const std::string& truncation() const override { return truncation_; }
  [[nodiscard]] std::uint64_t dropped() override {
    pcap_stat stat{};
    if (::pcap_stats(handle_, &stat) == 0) dropped_ = std::uint64_t{stat.ps_drop} + stat.ps_ifdrop;
    return dropped_;
  }

 private:
  base::Result<void> activate();
  // What the ring has: 1 a packet, 0 nothing yet, below 0 trouble.
  int take(Packet& packet);
  Event idle(Packet& packet);

  pcap_t* handle_;
  std::string name_;
  base::Duration wait_;
  int ready_ = -1;  // poll() on it tells when the ring has something
  std::uint32_t link_type_ = 0;
  std::uint64_t dropped_ = 0;
  base::Error error_;
  std::string truncation_;
};

int milliseconds(base::Duration wait) {
  return static_cast<int>(std::clamp<std::int64_t>(wait / std::chrono::milliseconds(1), 1, 60'000));
}

base::Result<void> LiveSource::activate() {
  const int status = ::pcap_activate(handle_);
  if (status >= 0) return {};  // above 0: a warning, e.g. that promiscuous mode is not to be had
  if (status == PCAP_ERROR_PERM_DENIED || status == PCAP_ERROR_PROMISC_PERM_DENIED) {
    return base::fail(name_ + ": not permitted to capture: run as root, or give the binary cap_net_raw " +
                      "(setcap cap_net_raw+ep)");
  }
  const char* detail = ::pcap_geterr(handle_);
  return base::fail(name_ + ": " + (status == PCAP_ERROR || *detail != '\0' ? detail : ::pcap_statustostr(status)));
}

base::Result<void> LiveSource::open(const LiveOptions& options) {
  ::pcap_set_snaplen(handle_, static_cast<int>(std::clamp<std::uint32_t>(options.snap_length, 64, 262'144)));
  ::pcap_set_buffer_size(handle_, static_cast<int>(std::clamp<std::uint32_t>(options.buffer, 1U << 16U, 1U << 30U)));
  ::pcap_set_promisc(handle_, options.promiscuous ? 1 : 0);
  ::pcap_set_immediate_mode(handle_, options.immediate ? 1 : 0);
  ::pcap_set_timeout(handle_, milliseconds(std::min<base::Duration>(options.wait, std::chrono::milliseconds(100))));
  ::pcap_set_tstamp_precision(handle_, PCAP_TSTAMP_PRECISION_NANO);
  if (auto active = activate(); !active) return active;

  link_type_ = static_cast<std::uint32_t>(::pcap_datalink(handle_));
  if (!link_type::understood(link_type_)) {
    return base::fail(name_ + ": its link type " + std::to_string(link_type_) +
                      " is not understood: " + std::string(link_type::understood_names) + " are");
  }
  const char* expression = options.filter.empty() ? whatever_may_be_tcp : options.filter.c_str();
  bpf_program program{};
  if (::pcap_compile(handle_, &program, expression, 1, PCAP_NETMASK_UNKNOWN) != 0) {
    return base::fail(std::string("filter \"") + expression + "\": " + ::pcap_geterr(handle_));
  }
  const bool set = ::pcap_setfilter(handle_, &program) == 0;
  ::pcap_freecode(&program);
  if (!set) return base::fail(std::string("filter \"") + expression + "\": " + ::pcap_geterr(handle_));

  std::array<char, PCAP_ERRBUF_SIZE> message{};
  if (::pcap_setnonblock(handle_, 1, message.data()) != 0) return base::fail(name_ + ": " + message.data());
  ready_ = ::pcap_get_selectable_fd(handle_);
  if (ready_ < 0) return base::fail(name_ + ": this kind of interface cannot be waited for");
  return {};
}

int LiveSource::take(Packet& packet) {
  pcap_pkthdr* header = nullptr;
  const unsigned char* bytes = nullptr;
  const int got = ::pcap_next_ex(handle_, &header, &bytes);
  if (got != 1) return got;
  packet.time =
      base::Time(std::chrono::seconds(header->ts.tv_sec) + base::Duration(header->ts.tv_usec));  // precision: ns
  packet.bytes = {bytes, header->caplen};
  packet.wire_size = std::max(header->caplen, header->len);
  packet.link_type = link_type_;
  return 1;
}

// A ring is waited for by poll(): libpcap's own wait has no end when the kernel has nothing (TPACKET_V3).
Source::Event LiveSource::next(Packet& packet) {
  int got = take(packet);
  if (got == 0) {
    pollfd ready{ready_, POLLIN, 0};
    if (::poll(&ready, 1, milliseconds(wait_)) <= 0) return idle(packet);
    got = take(packet);
  }
  if (got == 1) return Event::packet;
  if (got == 0) return idle(packet);
  error_.message = name_ + ": " + ::pcap_geterr(handle_);
  return Event::failed;
}

Source::Event LiveSource::idle(Packet& packet) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);  // the clock that packets are stamped with
  packet = {};
  packet.time = base::Time(std::chrono::seconds(now.tv_sec) + base::Duration(now.tv_nsec));
  return Event::idle;
}

base::Result<void> give_up_capabilities() {
  __user_cap_header_struct header{};
  header.version = _LINUX_CAPABILITY_VERSION_3;
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) {
    return base::fail(std::string("giving up capabilities: ") + std::strerror(errno));
  }
  return {};
}

base::Result<void> become(const std::string& user) {
  const passwd* entry = ::getpwnam(user.c_str());
  if (entry == nullptr) return base::fail("there is no user " + user + " to give up root for");
  if (entry->pw_uid == 0) return base::fail("giving up root for " + user + " gives up nothing");
  const auto gid = entry->pw_gid;
  const auto uid = entry->pw_uid;
  if (::setgroups(1, &gid) != 0 || ::setresgid(gid, gid, gid) != 0 || ::setresuid(uid, uid, uid) != 0) {
    return base::fail("giving up root for " + user + ": " + std::strerror(errno));
  }
  if (::setuid(0) == 0) return base::fail("root was given up and can be had back");
  return {};
}

}  // namespace

base::Result<std::unique_ptr<Source>> open_live(const LiveOptions& options) {
  std::array<char, PCAP_ERRBUF_SIZE> message{};
  pcap_t* handle = ::pcap_create(options.interface.c_str(), message.data());
  if (handle == nullptr) return base::fail(options.interface + ": " + message.data());
  auto out = std::make_unique<LiveSource>(handle, options);
  if (auto opened = out->open(options); !opened) return tl::unexpected(opened.error());
  return out;
}

base::Result<void> drop_privileges(const std::string& user) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return base::fail(std::string("giving up privileges: ") + std::strerror(errno));
  }
  if (::geteuid() == 0) {
    if (auto became = become(user); !became) return became;
  }
  return give_up_capabilities();
}

}  // namespace sockeye::tap
