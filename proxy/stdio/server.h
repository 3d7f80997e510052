// The HTTP face of servers that speak something else: those that are started by a command, and
// those with HTTP+SSE, the transport before Streamable HTTP.
//
// One thread with an event loop runs all of them. A worker asks for a connection and speaks
// Streamable HTTP on it as to any upstream; nothing listens on an address, so nobody else can.
#ifndef REEVE_PROXY_STDIO_SERVER_H_
#define REEVE_PROXY_STDIO_SERVER_H_

#include <boost/asio/executor_work_guard.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "proxy/config.h"
#include "proxy/stdio/conversation.h"
#include "proxy/stdio/event_channel.h"

namespace reeve::stdio {

// The field that tells the face whose call it is. Agents cannot send it: `reeve-*` is stripped.
inline constexpr std::string_view kAgentField = "reeve-agent";

struct Limits {
  size_t header_bytes = 0;
  size_t body_bytes = 0;  // of a message, in either direction
  size_t per_agent = 32;  // processes of one upstream for one agent
  size_t per_upstream = 256;
  std::chrono::minutes idle{30};  // a session that nobody uses ends
};

// One upstream's processes, or connections. Of the server's loop.
class Service {
 public:
  Service(net::asio::io_context& context, std::string name, OpenChannel open, Limits limits)
      : context_(context), name_(std::move(name)), open_(std::move(open)), limits_(limits) {}

  const Limits& limits() const { return limits_; }
  net::asio::io_context& context() { return context_; }

  struct Failure {
    int status = 503;
    std::string detail;  // for the agent
  };
  using Found = Result<std::shared_ptr<Conversation>, Failure>;
  // A new session, or the process of an agent in the modern era.
  Found begin(std::string_view agent);
  Found of_agent(std::string_view agent);
  // The session, when it is this agent's and lives; else null.
  std::shared_ptr<Conversation> find(std::string_view session, std::string_view agent);
  void end(const std::shared_ptr<Conversation>& conversation);

  void sweep();  // ends what is idle
  void stop();

 private:
  Found launch(std::string_view agent, std::string session);
  void ended(const std::string& key);

  net::asio::io_context& context_;
  const std::string name_;
  const OpenChannel open_;
  const Limits limits_;
  std::map<std::string, std::shared_ptr<Conversation>> conversations_;  // by session or ` `AGENT
  unsigned failures_ = 0;  // starts in a row that did not last
  Steady not_before_;
};

class Server {
 public:
  // `reach` and what it points to outlive this. Without one, only commands are served.
  explicit Server(const Config& config, const Reach& reach = {});
  ~Server();

  void start();
  // Ends every server; returns when they have ended, within 5 s.
  void stop();

  // From any thread. A connected socket whose other end is the upstream's face; the caller owns it.
  Result<int> open(std::string_view upstream);

 private:
  net::Task<void> sweep();

  net::asio::io_context context_{1};
  net::asio::executor_work_guard<net::Executor> work_;
  std::map<std::string, std::unique_ptr<Service>, std::less<>> services_;
  net::Timer sweep_timer_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace reeve::stdio

#endif  // REEVE_PROXY_STDIO_SERVER_H_
