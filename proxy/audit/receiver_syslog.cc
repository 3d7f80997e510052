// Syslog. The local socket (/dev/log, of journald, rsyslog and their kin) takes what syslog(3)
// sends: RFC 3164 without a host name. Others get RFC 5424, over UDP a message a datagram
// (RFC 5426), over TCP with its length before it (RFC 6587). No syslog acknowledges anything: a
// line counts as delivered when the kernel has it.
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "proxy/audit/line.h"
#include "proxy/audit/receiver.h"
#include "proxy/audit/send.h"
#include "proxy/journal_file.h"

namespace reeve::audit {
namespace {

using Kind = SinkConfig::Kind;

constexpr int kPriority = 13 * 8 + 6;  // facility "log audit", severity informational
constexpr size_t kLongestDatagram = 65'000;

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "-";
  return name;
}

// `Nov 30 01:02:03`, whatever the locale.
std::string local_time() {
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  struct tm at{};
  ::localtime_r(&now, &at);
  return fmt::format("{} {:2} {:02}:{:02}:{:02}", kMonths[at.tm_mon], at.tm_mday, at.tm_hour,
                     at.tm_min, at.tm_sec);
}

class SyslogReceiver final : public Receiver {
 public:
  explicit SyslogReceiver(const SinkConfig& config) : config_(config), host_name_(host_name()) {}

  Result<bool, DeliveryFailure> deliver(const Delivery& delivery,
                                        const std::atomic<bool>& stop) override {
    const Steady deadline = steady_now() + config_.timeout;
    if (file_ && is_closed()) file_.reset();
    if (!file_ && !connect(deadline, stop)) return failure();
    for (const std::string_view line : delivery.lines) {
      const std::string message = format(line);
      const bool datagram = config_.kind != Kind::kSyslogTcp;
      if (datagram && message.size() > kLongestDatagram) {
        return DeliveryFailure{
            fmt::format("{}: a line of {} bytes fits no datagram", where(), message.size()), true};
      }
      if (!send(message, deadline, stop)) return failure();
    }
    return true;
  }

 private:
  std::string where() const {
    return config_.kind == Kind::kSyslogLocal ? config_.to
                                              : fmt::format("{}:{}", config_.host, config_.port);
  }

  DeliveryFailure failure() {
    std::string why = fmt::format("{}: {}", where(), why_.empty() ? std::strerror(errno) : why_);
    why_.clear();
    file_.reset();
    return {std::move(why), false};
  }

  // Whether the other end has closed: what is written then is lost without an error.
  bool is_closed() const {
    if (config_.kind != Kind::kSyslogTcp) return false;
    char byte;
    const ssize_t n = ::recv(file_->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
  }

  bool connect(Steady deadline, const std::atomic<bool>& stop) {
    if (config_.kind == Kind::kSyslogLocal) {
      struct sockaddr_un address{};
      address.sun_family = AF_UNIX;
      config_.to.copy(address.sun_path, sizeof address.sun_path - 1);
      return connect_to(AF_UNIX, SOCK_DGRAM, reinterpret_cast<struct sockaddr*>(&address),
                        sizeof address, deadline, stop);
    }
    struct addrinfo hints{};
    hints.ai_socktype = config_.kind == Kind::kSyslogTcp ? SOCK_STREAM : SOCK_DGRAM;
    struct addrinfo* found = nullptr;
    const int error =
        ::getaddrinfo(config_.host.c_str(), std::to_string(config_.port).c_str(), &hints, &found);
    if (error != 0) {
      why_ = ::gai_strerror(error);
      return false;
    }
    bool connected = false;
    for (const struct addrinfo* at = found; at != nullptr && !connected; at = at->ai_next) {
      connected =
          connect_to(at->ai_family, at->ai_socktype, at->ai_addr, at->ai_addrlen, deadline, stop);
    }
    const int kept = errno;
    ::freeaddrinfo(found);
    errno = kept;
    return connected;
  }

  bool connect_to(int family, int type, const struct sockaddr* address, socklen_t size,
                  Steady deadline, const std::atomic<bool>& stop) {
    auto file =
        std::make_shared<OpenFile>(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (file->fd < 0) return false;
    if (::connect(file->fd, address, size) != 0) {
      if (errno != EINPROGRESS || !wait_writable(file->fd, deadline, stop)) return false;
      int error = 0;
      socklen_t length = sizeof error;
      ::getsockopt(file->fd, SOL_SOCKET, SO_ERROR, &error, &length);
      errno = error;
      if (error != 0) return false;
    }
    file_ = std::move(file);
    return true;
  }

  std::string format(std::string_view text) const {
    if (config_.kind == Kind::kSyslogLocal) {
      return fmt::format("<{}>{} reeve[{}]: {}", kPriority, local_time(), ::getpid(), text);
    }
    const auto line = read_line(text);
    const std::string_view time = line ? line->time : std::string_view("-");
    const std::string_view kind = line ? line->kind : std::string_view("checkpoint");
    std::string message = fmt::format("<{}>1 {} {} reeve {} {} - {}", kPriority, time, host_name_,
                                      ::getpid(), kind, text);
    return config_.kind == Kind::kSyslogTcp ? fmt::format("{} {}", message.size(), message)
                                            : message;
  }

  // A message that is cut off by a failure ends with its connection.
  bool send(std::string_view message, Steady deadline, const std::atomic<bool>& stop) {
    while (!message.empty()) {
      const ssize_t n = ::send(file_->fd, message.data(), message.size(), MSG_NOSIGNAL);
      if (n >= 0) {
        message.remove_prefix(static_cast<size_t>(n));
      } else if (errno == EAGAIN || errno == ENOBUFS) {
        if (!wait_writable(file_->fd, deadline, stop)) return false;
        if (steady_now() >= deadline) {
          errno = ETIMEDOUT;
          return false;
        }
      } else if (errno != EINTR) {
        return false;
      }
    }
    return true;
  }

  const SinkConfig config_;
  const std::string host_name_;
  std::shared_ptr<OpenFile> file_;
  std::string why_;  // where errno does not say it
};

}  // namespace

std::unique_ptr<Receiver> make_syslog_receiver(const SinkConfig& config) {
  return std::make_unique<SyslogReceiver>(config);
}

}  // namespace reeve::audit
