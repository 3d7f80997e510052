// One server with the requests that wait for it, and the stream of what nobody asked for.
#ifndef REEVE_PROXY_STDIO_CONVERSATION_H_
#define REEVE_PROXY_STDIO_CONVERSATION_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "proxy/clock.h"
#include "proxy/net/asio.h"
#include "proxy/stdio/channel.h"
#include "proxy/stdio/routes.h"

namespace reeve::stdio {

// What has come for one request or one stream, and whoever waits for it. Of one event loop.
class Mailbox {
 public:
  struct Item {
    std::string message;
    bool last = false;  // the request's answer
  };

  explicit Mailbox(net::asio::io_context& context) : wake_(context) {}

  void put(Item item);
  // Nothing more comes: the server has ended, the reader has gone, or too much is unread.
  void close();
  bool closed() const { return closed_; }
  // The next one; nothing when closed and empty, or after `patience`.
  net::Task<std::optional<Item>> next(std::chrono::milliseconds patience);

 private:
  std::deque<Item> items_;
  size_t bytes_ = 0;
  bool closed_ = false;
  net::Timer wake_;
};

class Conversation : public std::enable_shared_from_this<Conversation> {
 public:
  // `session`: the legacy era's id of it; empty in the modern era.
  Conversation(net::asio::io_context& context, std::string upstream, std::string agent,
               std::string session);

  // The error is a sentence for the operator. `on_end` is called once when the server has ended by
  // itself.
  Result<bool> start(const OpenChannel& open, std::function<void()> on_end);

  const std::string& agent() const { return agent_; }
  const std::string& session() const { return session_; }
  bool ended() const { return !channel_ || channel_->ended(); }
  Steady used() const { return used_; }
  Steady started() const { return started_; }
  // Whether a request or a stream waits.
  bool busy() const { return !waiting_.empty() || stream_; }

  struct Request {
    Routes::Number number = 0;
    std::shared_ptr<Mailbox> mailbox;  // null: the server cannot be spoken to
  };
  // The result's mailbox gets the answer, and before it what belongs to it.
  Request ask(const mcp::Message& message, std::string_view body);
  // A notification or a response. False when the server cannot be spoken to.
  bool tell(const mcp::Message& message, std::string_view body);
  // Nobody waits for the request any more; in the modern era that cancels it.
  void leave(const Request& request);
  // The stream of what is not asked for; null when there is one already.
  std::shared_ptr<Mailbox> listen();
  void stop_listening(const std::shared_ptr<Mailbox>& stream);
  // Ends the server's process, or the connection to it.
  void stop();

 private:
  void take(std::string_view line);
  void take_unasked(Routes::Routed routed);
  void lose();

  net::asio::io_context& context_;
  const std::string upstream_, agent_, session_;
  std::shared_ptr<Channel> channel_;
  std::function<void()> on_end_;
  Routes routes_;
  std::map<Routes::Number, std::shared_ptr<Mailbox>> waiting_;
  std::shared_ptr<Mailbox> stream_;
  std::deque<std::string> unheard_;  // for the stream that is not there yet
  Steady used_, started_;
  bool garbage_told_ = false;
};

}  // namespace reeve::stdio

#endif  // REEVE_PROXY_STDIO_CONVERSATION_H_
