// The lock file is never removed: whoever waits for a removed file's lock would hold another one
// than the next to come. Its content, a process id, is for the message only.
//
// Tested by tests/proxy/store_test.cc.
#include "proxy/store/state_folder.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace reeve::store {

namespace {

// Closes on the way out of a failure; the lock goes with it.
Error close_with(int fd, std::string message) {
  ::close(fd);
  return Error{std::move(message)};
}

// The process that wrote itself into the lock file, for the message only.
std::string holder(int lock) {
  char text[32];
  const ssize_t size = ::pread(lock, text, sizeof text, 0);
  long pid = 0;
  if (size > 0) std::from_chars(text, text + size, pid);
  return pid > 0 ? fmt::format(" (pid {})", pid) : "";
}

}  // namespace

Result<StateFolder> StateFolder::open(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{fmt::format(
        "cannot create the state folder `{}`: {}; create it, owned by the user that runs reeve, or "
        "set `state:` to a folder that can be written",
        path, std::strerror(errno))};
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return Error{fmt::format("`{}` is not a folder; set `state:` to a folder", path)};
  }

  const std::string file = path + "/lock";
  const int lock = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) {
    return Error{fmt::format(
        "cannot write `{}`: {}; the state folder must be writable by the user that runs reeve",
        file, std::strerror(errno))};
  }
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return close_with(lock, fmt::format("cannot lock `{}`: {}; `state:` must be on a file system "
                                          "with file locks",
                                          file, std::strerror(errno)));
    }
    return close_with(lock,
                      fmt::format("state folder `{}` is in use by another reeve{}; stop it, or "
                                  "give this one a folder of its own (`state:`)",
                                  path, holder(lock)));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock, 0) != 0 ||
      ::pwrite(lock, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return close_with(lock, fmt::format("cannot write `{}`: {}; free space on its disk", file,
                                        std::strerror(errno)));
  }
  return StateFolder(path, lock);
}

StateFolder::StateFolder(StateFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

StateFolder& StateFolder::operator=(StateFolder&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  return *this;
}

StateFolder::~StateFolder() {
  if (lock_ >= 0) ::close(lock_);
}

std::string StateFolder::file(std::string_view name) const {
  return fmt::format("{}/{}", path_, name);
}

}  // namespace reeve::store
