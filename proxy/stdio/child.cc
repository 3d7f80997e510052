// Between fork and exec only what is safe after a fork of a process with threads (POSIX,
// signal-safety(7)): everything that allocates is done before. A failed exec is told through a pipe
// that a successful one closes. Tested by tests/proxy/stdio_child_test.cc.
#include "proxy/stdio/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace reeve::stdio {
namespace {

// What a program needs to find its files and to speak its user's language.
constexpr const char* kInherited[] = {"PATH", "HOME",   "LOGNAME", "USER",   "SHELL", "TERM",
                                      "LANG", "LC_ALL", "TZ",      "TMPDIR", nullptr};
constexpr int kStatusDescriptor = 3;

class Pipe {
 public:
  Pipe() = default;
  ~Pipe() {
    for (const int end : ends_) {
      if (end >= 0) ::close(end);
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  bool open() { return ::pipe2(ends_.data(), O_CLOEXEC) == 0; }
  int reading() const { return ends_[0]; }
  int writing() const { return ends_[1]; }
  int take(int side) {
    const int taken = ends_[side];
    ends_[side] = -1;
    return taken;
  }
  void close(int side) {
    const int closed = take(side);
    if (closed >= 0) ::close(closed);
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

// Where the word is to be found, as execvp(3) would look for it.
std::string find_program(const std::string& word) {
  if (word.find('/') != std::string::npos) return word;
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    const std::string candidate = fmt::format("{}/{}", rest.substr(0, colon), word);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  }
  return {};
}

std::vector<std::string> make_environment(const Command& command) {
  std::vector<std::string> all = command.environment;
  for (const char* const* name = kInherited; *name != nullptr; ++name) {
    const std::string prefix = fmt::format("{}=", *name);
    bool given = false;
    for (const std::string& entry : command.environment) given |= entry.starts_with(prefix);
    const char* value = std::getenv(*name);
    if (value != nullptr && !given) all.push_back(prefix + value);
  }
  return all;
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> found;
  for (const std::string& word : words) found.push_back(const_cast<char*>(word.c_str()));
  found.push_back(nullptr);
  return found;
}

struct Plan {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* folder;  // null: stay
  int in, out, err, status;
};

[[noreturn]] void become(const Plan& plan) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // High first, so that none of the four is overwritten before it is moved.
  const int status = ::fcntl(plan.status, F_DUPFD, 10);
  const int in = ::fcntl(plan.in, F_DUPFD, 10);
  const int out = ::fcntl(plan.out, F_DUPFD, 10);
  const int err = ::fcntl(plan.err, F_DUPFD, 10);
  bool moved = status >= 0 && in >= 0 && out >= 0 && err >= 0;
  moved = moved && ::dup2(in, 0) == 0 && ::dup2(out, 1) == 1 && ::dup2(err, 2) == 2;
  moved = moved && ::dup3(status, kStatusDescriptor, O_CLOEXEC) == kStatusDescriptor;
  if (moved) {
    ::close_range(kStatusDescriptor + 1, ~0U, 0);
    if (plan.folder == nullptr || ::chdir(plan.folder) == 0) {
      ::execve(plan.program, plan.arguments, plan.environment);
    }
  }
  const int why = errno;
  [[maybe_unused]] const ssize_t told =
      ::write(moved ? kStatusDescriptor : plan.status, &why, sizeof why);
  ::_exit(127);
}

bool unblock(int descriptor) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  return flags >= 0 && ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0;
}

}  // namespace

Result<Child> start_child(const Command& command) {
  const std::string& word = command.words.front();
  const auto failed = [&](int why) {
    return Error{fmt::format("`{}` cannot be started: {}", word, std::strerror(why))};
  };
  const std::string program = find_program(word);
  if (program.empty()) return Error{fmt::format("`{}` is not found by PATH", word)};
  const std::vector<std::string> environment = make_environment(command);
  const std::vector<char*> arguments = pointers(command.words);
  const std::vector<char*> variables = pointers(environment);
  Pipe in, out, err, status;
  if (!in.open() || !out.open() || !err.open() || !status.open()) return failed(errno);

  const Plan plan{program.c_str(),  arguments.data(),
                  variables.data(), command.folder.empty() ? nullptr : command.folder.c_str(),
                  in.reading(),     out.writing(),
                  err.writing(),    status.writing()};
  const pid_t pid = ::fork();
  if (pid < 0) return failed(errno);
  if (pid == 0) become(plan);
  ::setpgid(pid, pid);  // whoever comes first: a signal to the group must find it
  in.close(0);
  out.close(1);
  err.close(1);
  status.close(1);
  int why = 0;
  ssize_t told = 0;
  do {
    told = ::read(status.reading(), &why, sizeof why);
  } while (told < 0 && errno == EINTR);
  const int ended = told == 0 ? static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)) : -1;
  if (told == 0 && ended < 0) why = errno;
  const bool usable =
      ended >= 0 && unblock(in.writing()) && unblock(out.reading()) && unblock(err.reading());
  if (!usable) {
    ::kill(-pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    if (ended >= 0) ::close(ended);
    return failed(why);
  }
  return Child{pid, in.take(1), out.take(0), err.take(0), ended};
}

}  // namespace reeve::stdio
