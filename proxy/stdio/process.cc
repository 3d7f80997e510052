// Four loops share the object: output, complaints, input, end. Whoever finds that it is over says
// so once. Tested by tests/proxy/stdio_process_test.cc and end to end by tests/e2e/stdio_test.mjs.
#include "proxy/stdio/process.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/write.hpp>
#include <exception>

#include "proxy/log.h"

namespace reeve::stdio {
namespace {

constexpr size_t kReadBytes = 16 * 1024;
constexpr size_t kMostQueued = 32 * 1024 * 1024;
constexpr size_t kLongestComplaint = 1024;
constexpr unsigned kComplaintsPerMinute = 60;
constexpr std::chrono::seconds kPatience{2};

const auto kUnheard = [](std::exception_ptr) {};

// Calls `on_line` for each whole line and leaves the rest in `held`.
template <class OnLine>
void split(std::string& held, std::string_view more, OnLine on_line) {
  size_t end = more.find('\n');
  while (end != std::string_view::npos) {
    held.append(more.substr(0, end));
    if (!held.empty() && held.back() == '\r') held.pop_back();
    on_line(std::string_view(held));
    held.clear();
    more.remove_prefix(end + 1);
    end = more.find('\n');
  }
  held.append(more);
}

}  // namespace

Result<std::shared_ptr<Process>> Process::start(net::asio::io_context& context, std::string name,
                                                const Command& command, size_t longest_line,
                                                Events events) {
  auto child = start_child(command);
  if (!child) return child.error();
  std::shared_ptr<Process> process(
      new Process(context, std::move(name), *child, longest_line, std::move(events)));
  process->run();
  return process;
}

Process::Process(net::asio::io_context& context, std::string name, Child child, size_t longest_line,
                 Events events)
    : context_(context),
      name_(std::move(name)),
      pid_(child.pid),
      longest_line_(longest_line),
      events_(std::move(events)),
      in_(context, child.in),
      out_(context, child.out),
      err_(context, child.err),
      exit_(context, child.ended),
      patience_(context) {}

// Also when the loop is torn down under it: no server outlives the sidecar.
Process::~Process() {
  if (reaped_) return;
  ::kill(-pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Process::run() {
  const auto self = shared_from_this();
  const auto executor = context_.get_executor();
  net::asio::co_spawn(executor, read_lines(self), kUnheard);
  net::asio::co_spawn(executor, read_complaints(self), kUnheard);
  net::asio::co_spawn(executor, reap(self), kUnheard);
}

bool Process::write(std::string line) {
  if (ended_ || stopping_ || queued_bytes_ + line.size() > kMostQueued) return false;
  line += '\n';
  queued_bytes_ += line.size();
  queue_.push_back(std::move(line));
  if (!writing_) {
    writing_ = true;
    net::asio::co_spawn(context_.get_executor(), write_lines(shared_from_this()), kUnheard);
  }
  return true;
}

net::Task<void> Process::write_lines(std::shared_ptr<Process> self) {
  while (!queue_.empty() && in_.is_open()) {
    const std::string line = std::move(queue_.front());
    queue_.pop_front();
    std::string_view rest = line;
    while (!rest.empty()) {
      net::ErrorCode ec;
      const size_t n = co_await in_.async_write_some(net::asio::buffer(rest),
                                                     net::asio::redirect_error(net::kAwait, ec));
      if (ec) {
        writing_ = false;
        end("it reads no more");
        co_return;
      }
      rest.remove_prefix(n);
    }
    queued_bytes_ -= line.size();
  }
  writing_ = false;
  net::ErrorCode ignored;
  if (stopping_ && in_.is_open()) in_.close(ignored);
}

net::Task<void> Process::read_lines(std::shared_ptr<Process> self) {
  std::string held;
  const std::unique_ptr<char[]> buffer(new char[kReadBytes]);
  for (;;) {
    net::ErrorCode ec;
    const size_t n = co_await out_.async_read_some(net::asio::buffer(buffer.get(), kReadBytes),
                                                   net::asio::redirect_error(net::kAwait, ec));
    if (ec) break;
    split(held, {buffer.get(), n}, [this](std::string_view line) {
      if (!ended_ && !stopping_) events_.on_line(line);
    });
    if (held.size() > longest_line_) {
      end(fmt::format("it wrote a line of more than {} bytes", longest_line_));
      break;
    }
  }
  end("it closed its output");
}

net::Task<void> Process::read_complaints(std::shared_ptr<Process> self) {
  std::string held;
  const std::unique_ptr<char[]> buffer(new char[kReadBytes]);
  for (;;) {
    net::ErrorCode ec;
    const size_t n = co_await err_.async_read_some(net::asio::buffer(buffer.get(), kReadBytes),
                                                   net::asio::redirect_error(net::kAwait, ec));
    if (ec) break;
    split(held, {buffer.get(), n}, [this](std::string_view line) { complain(line); });
    if (held.size() > kLongestComplaint) held.resize(kLongestComplaint);
  }
}

// What a server says on standard error is the operator's to read, but not without end.
void Process::complain(std::string_view line) {
  const Steady now = steady_now();
  if (now - complained_since_ > std::chrono::minutes(1)) {
    complained_since_ = now;
    complaints_ = 0;
  }
  if (line.empty() || ++complaints_ > kComplaintsPerMinute) return;
  log(LogLevel::kInfo,
      fmt::format("upstream `{}` ({}): {}{}", name_, pid_, line.substr(0, kLongestComplaint),
                  complaints_ == kComplaintsPerMinute ? " (no more of it this minute)" : ""));
}

net::Task<void> Process::reap(std::shared_ptr<Process> self) {
  net::ErrorCode ec;
  co_await exit_.async_wait(Descriptor::wait_read, net::asio::redirect_error(net::kAwait, ec));
  if (ec) co_return;  // the loop is going down; the destructor ends it
  int status = 0;
  ::waitpid(pid_, &status, 0);
  reaped_ = true;
  ::kill(-pid_, SIGKILL);  // what it left behind
  patience_.cancel();
  end(WIFSIGNALED(status) ? fmt::format("it was ended by signal {}", WTERMSIG(status))
                          : fmt::format("it ended with status {}", WEXITSTATUS(status)));
  net::ErrorCode ignored;
  in_.close(ignored);
}

void Process::end(std::string_view why) {
  if (std::exchange(ended_, true)) return;
  queue_.clear();
  if (!stopping_) {
    log(LogLevel::kWarning, fmt::format("upstream `{}` ({}): {}", name_, pid_, why));
    events_.on_end();
  }
  events_ = {};
  stop();
}

void Process::stop() {
  if (std::exchange(stopping_, true) || reaped_) return;
  net::ErrorCode ignored;
  if (!writing_ || ended_) in_.close(ignored);
  net::asio::co_spawn(context_.get_executor(), put_down(shared_from_this()), kUnheard);
}

net::Task<void> Process::put_down(std::shared_ptr<Process> self) {
  for (const int signal : {SIGTERM, SIGKILL}) {
    net::ErrorCode ec;
    patience_.expires_after(kPatience);
    co_await patience_.async_wait(net::asio::redirect_error(net::kAwait, ec));
    if (reaped_) break;
    ::kill(-pid_, signal);
  }
}

}  // namespace reeve::stdio
