// The fork: what a child gets, and what it does not.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "proxy/stdio/child.h"

using reeve::stdio::Child;
using reeve::stdio::Command;
using reeve::stdio::start_child;

namespace {

// All that it writes on its standard output, after it has read `input` to the end.
std::string run(const Command& command, std::string_view input = {}) {
  auto child = start_child(command);
  REQUIRE(child);
  REQUIRE(::write(child->in, input.data(), input.size()) == static_cast<ssize_t>(input.size()));
  ::close(child->in);
  std::string out;
  char buffer[4096];
  for (;;) {
    pollfd look{child->out, POLLIN, 0};
    ::poll(&look, 1, -1);
    const ssize_t n = ::read(child->out, buffer, sizeof buffer);
    if (n <= 0) break;
    out.append(buffer, static_cast<size_t>(n));
  }
  ::waitpid(child->pid, nullptr, 0);
  for (const int end : {child->out, child->err, child->ended}) ::close(end);
  return out;
}

}  // namespace

TEST_CASE("a child speaks through its pipes and is in a group of its own") {
  CHECK(run({{"cat"}, {}, {}}, "hello\n") == "hello\n");
  CHECK(run({{"sh", "-c", "test $(ps -o pgid= -p $$) = $$ && echo own"}, {}, {}}) == "own\n");
  CHECK(run({{"pwd"}, {}, "/"}) == "/\n");
}

TEST_CASE("a child inherits no descriptor and no variable that it was not given") {
  ::setenv("REEVE_PLANTED", "secret", 1);
  const int open_on = ::dup2(STDIN_FILENO, 57);  // without O_CLOEXEC
  const std::string variables = run({{"env"}, {"GIVEN=a b"}, {}});
  CHECK(variables.find("REEVE_PLANTED") == std::string::npos);
  CHECK(variables.find("GIVEN=a b\n") != std::string::npos);
  CHECK(variables.find("PATH=") != std::string::npos);
  CHECK(run({{"env"}, {"PATH=/here"}, {}}).find("PATH=/here\n") != std::string::npos);
  CHECK(run({{"sh", "-c", "for f in /proc/$$/fd/*; do echo ${f##*/}; done"}, {}, {}})
            .find(std::to_string(open_on) + "\n") == std::string::npos);
  ::close(open_on);
  ::unsetenv("REEVE_PLANTED");
}

TEST_CASE("what cannot be started is an error that names it") {
  const auto missing = start_child({{"no-such-program"}, {}, {}});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message == "`no-such-program` is not found by PATH");
  const auto folder = start_child({{"cat"}, {}, "/no-such-folder"});
  REQUIRE_FALSE(folder);
  CHECK(folder.error().message.find("`cat` cannot be started: No such file") == 0);
  const auto plain = start_child({{"/etc/passwd"}, {}, {}});
  REQUIRE_FALSE(plain);
  CHECK(plain.error().message.find("Permission denied") != std::string::npos);
}

TEST_CASE("the descriptor of its end is readable once it has ended") {
  auto child = start_child({{"cat"}, {}, {}});
  REQUIRE(child);
  pollfd look{child->ended, POLLIN, 0};
  CHECK(::poll(&look, 1, 0) == 0);
  ::kill(-child->pid, SIGTERM);
  CHECK(::poll(&look, 1, 20'000) == 1);
  ::waitpid(child->pid, nullptr, 0);
  for (const int end : {child->in, child->out, child->err, child->ended}) ::close(end);
}
