// The kernel gives a socket's file the mode that its descriptor has when it is bound (unix(7), and
// unix_bind in net/unix/af_unix.c), so there is no moment at which it is wider. Two sidecars that
// start at once are kept apart by a lock on the folder, held while one looks and binds.
// Tested by tests/e2e/unix_test.mjs.
#include "proxy/net/unix_listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace reeve::net {
namespace {

constexpr mode_t kMode = 0660;
constexpr int kLockTries = 100;
constexpr useconds_t kLockPause = 10'000;  // microseconds

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

int new_socket() { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

// Whether somebody serves the socket: only a refused connection is proof that nobody does.
bool is_served(const sockaddr_un& address) {
  const Descriptor probe(new_socket());
  if (probe.get() < 0) return true;
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return true;
  }
  return errno != ECONNREFUSED && errno != ENOENT;
}

// Empty when the folder is fit to hold the socket, else why not.
std::string folder_fault(int folder, const std::string& name) {
  struct stat status{};
  if (::fstat(folder, &status) != 0) return std::strerror(errno);
  if ((status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0) {
    return fmt::format(
        "anybody may replace what is in `{}`; take away the right to write from "
        "others: chmod o-w",
        name);
  }
  for (int tries = 0; ::flock(folder, LOCK_EX | LOCK_NB) != 0; ++tries) {
    if (errno != EWOULDBLOCK && errno != EINTR) return std::strerror(errno);
    if (tries == kLockTries) {
      return fmt::format("`{}` is locked by another program; stop it or choose another folder",
                         name);
    }
    ::usleep(kLockPause);
  }
  return {};
}

// Empty when the path is free, or has been made so.
std::string make_room(const std::string& path, const sockaddr_un& address) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) {
    return errno == ENOENT ? std::string() : std::string(std::strerror(errno));
  }
  if (!S_ISSOCK(status.st_mode)) {
    return "there is something else at this path; remove it or choose another";
  }
  if (is_served(address)) {
    return "another process serves this socket; stop it or choose another path";
  }
  return ::unlink(path.c_str()) == 0 ? std::string() : std::string(std::strerror(errno));
}

}  // namespace

Result<UnixListener> UnixListener::open(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{fmt::format("the path is longer than {} bytes; choose a shorter one",
                             sizeof address.sun_path - 1)};
  }
  path.copy(address.sun_path, path.size());
  std::string name = std::filesystem::path(path).parent_path().string();
  if (name.empty()) name = ".";
  const Descriptor folder(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) {
    return Error{fmt::format("`{}`: {}; make the folder, and let this user write to it", name,
                             std::strerror(errno))};
  }
  if (std::string why = folder_fault(folder.get(), name); !why.empty()) return Error{why};
  if (std::string why = make_room(path, address); !why.empty()) return Error{why};
  Descriptor fd(new_socket());
  struct stat status{};
  if (fd.get() < 0 || ::fchmod(fd.get(), kMode) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path.c_str(), kMode) != 0 ||  // the umask has taken the group's right to connect
      ::listen(fd.get(), SOMAXCONN) != 0 || ::lstat(path.c_str(), &status) != 0) {
    return Error{fmt::format("{}; let this user write to `{}`, or choose another path",
                             std::strerror(errno), name)};
  }
  return UnixListener(path, fd.release(), status.st_dev, status.st_ino);
}

UnixListener::UnixListener(UnixListener&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      device_(other.device_),
      inode_(other.inode_) {}

UnixListener::~UnixListener() {
  if (fd_ < 0) return;
  struct stat status{};
  if (::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
  ::close(fd_);
}

int UnixListener::duplicate() const { return ::fcntl(fd_, F_DUPFD_CLOEXEC, 0); }

std::optional<uint32_t> peer_uid(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  int domain = 0;
  socklen_t domain_size = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) != 0 || domain != AF_UNIX) {
    return std::nullopt;
  }
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.uid;
}

}  // namespace reeve::net
