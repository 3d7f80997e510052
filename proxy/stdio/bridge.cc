// Lines of standard input become calls, what comes for the client becomes lines of standard output.
// Tested end to end by tests/e2e/stdio_bridge_test.mjs.
#include "proxy/stdio/bridge.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <memory>

#include "proxy/stdio/caller.h"

namespace reeve::stdio {
namespace {

constexpr std::chrono::seconds kLastAnswers{10};

void complain(std::string_view text) { fmt::print(stderr, "reeve stdio: {}\n", text); }

// A line on standard output. Whoever reads it is the only one to talk to, so it may block.
void put_line(std::string_view message) {
  std::string line(message);
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  line += '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (n < 0 && errno != EINTR) return;
    if (n > 0) rest.remove_prefix(static_cast<size_t>(n));
  }
}

class Bridge {
 public:
  explicit Bridge(const BridgeConfig& config)
      : config_(config), input_(context_), caller_(std::make_shared<Caller>(means())) {
    struct stat what{};
    is_file_ = ::fstat(STDIN_FILENO, &what) == 0 && S_ISREG(what.st_mode);
    if (!is_file_) input_.assign(::dup(STDIN_FILENO));
  }

  int run() {
    net::spawn(context_, read_lines(), [this](std::exception_ptr) {
      // The client has gone: nobody waits for what is still under way.
      caller_->cancel_all();
      context_.stop();
    });
    context_.run();
    return 0;
  }

 private:
  using Descriptor = net::asio::posix::basic_stream_descriptor<net::Executor>;

  Caller::Means means() {
    const Address& sidecar = config_.sidecar;
    std::string fields =
        fmt::format("Host: {}\r\n{}: {}\r\n", sidecar.is_unix() ? "localhost" : to_string(sidecar),
                    kExpectedAgentField, config_.agent);
    if (!config_.token.empty())
      fields += fmt::format("Authorization: Bearer {}\r\n", config_.token);
    return {context_,
            [this](net::Pending& pending) { return connect(pending); },
            "/" + config_.upstream,
            std::move(fields),
            config_.body_bytes,
            to_string(sidecar),
            put_line,
            complain};
  }

  net::Task<std::optional<net::Stream>> connect(net::Pending& pending) {
    const Address& sidecar = config_.sidecar;
    net::ErrorCode ignored;
    net::Endpoint endpoint;
    if (sidecar.is_unix()) {
      endpoint = net::asio::local::stream_protocol::endpoint(sidecar.unix_path);
    } else {
      endpoint = net::asio::ip::tcp::endpoint(net::asio::ip::make_address(sidecar.host, ignored),
                                              sidecar.port);
    }
    auto stream = co_await net::connect(endpoint, context_.get_executor(), nullptr, pending);
    if (!stream) co_return std::nullopt;
    co_return std::move(*stream);
  }

  // Standard input is a pipe, a terminal or, in a script, a file, which no event loop waits for.
  net::Task<size_t> read_input(std::string& buffer) {
    if (is_file_) {
      const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
      co_return n > 0 ? static_cast<size_t>(n) : 0;
    }
    net::ErrorCode ec;
    co_return co_await input_.async_read_some(net::asio::buffer(buffer),
                                              net::asio::redirect_error(net::kAwait, ec));
  }

  net::Task<void> read_lines() {
    std::string held;
    std::string buffer(64 * 1024, '\0');
    for (;;) {
      const size_t n = co_await read_input(buffer);
      if (n == 0) break;
      held.append(buffer, 0, n);
      size_t end = held.find('\n');
      while (end != std::string::npos) {
        std::string line = held.substr(0, end);
        held.erase(0, end + 1);
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (!line.empty()) co_await caller_->take(std::move(line));
        end = held.find('\n');
      }
      if (held.size() > config_.body_bytes) {
        complain(fmt::format("a line of more than {} bytes", config_.body_bytes));
        break;
      }
    }
    co_await caller_->finish(kLastAnswers);
  }

  const BridgeConfig& config_;
  net::asio::io_context context_{1};
  Descriptor input_;
  std::shared_ptr<Caller> caller_;
  bool is_file_ = false;
};

}  // namespace

int run_bridge(const BridgeConfig& config) {
  Bridge bridge(config);
  return bridge.run();
}

}  // namespace reeve::stdio
