// One running server: lines to it, lines from it, its complaints to the log, its end.
#ifndef REEVE_PROXY_STDIO_PROCESS_H_
#define REEVE_PROXY_STDIO_PROCESS_H_

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/clock.h"
#include "proxy/net/asio.h"
#include "proxy/stdio/channel.h"
#include "proxy/stdio/child.h"

namespace reeve::stdio {

// Of one event loop; not thread-safe. Its reads and its wait hold it alive until the process has
// ended and been reaped.
class Process : public Channel, public std::enable_shared_from_this<Process> {
 public:
  // `name` is the upstream's, for the log. A line longer than `longest_line` bytes ends it.
  static Result<std::shared_ptr<Process>> start(net::asio::io_context& context, std::string name,
                                                const Command& command, size_t longest_line,
                                                Events events);
  ~Process() override;

  // The line end is added.
  bool write(std::string line) override;
  // Its input is closed; what has not ended 2 s later gets SIGTERM, 2 s later SIGKILL, the whole
  // group.
  void stop() override;
  bool ended() const override { return ended_; }

 private:
  using Descriptor = net::asio::posix::basic_stream_descriptor<net::Executor>;

  Process(net::asio::io_context& context, std::string name, Child child, size_t longest_line,
          Events events);
  void run();
  net::Task<void> read_lines(std::shared_ptr<Process> self);
  net::Task<void> read_complaints(std::shared_ptr<Process> self);
  net::Task<void> write_lines(std::shared_ptr<Process> self);
  net::Task<void> reap(std::shared_ptr<Process> self);
  net::Task<void> put_down(std::shared_ptr<Process> self);
  void complain(std::string_view line);
  void end(std::string_view why);

  net::asio::io_context& context_;
  const std::string name_;
  const pid_t pid_;
  const size_t longest_line_;
  Events events_;
  Descriptor in_, out_, err_, exit_;
  net::Timer patience_;
  std::deque<std::string> queue_;
  size_t queued_bytes_ = 0;
  bool writing_ = false, ended_ = false, stopping_ = false, reaped_ = false;
  Steady complained_since_;
  unsigned complaints_ = 0;
};

}  // namespace reeve::stdio

#endif  // REEVE_PROXY_STDIO_PROCESS_H_
