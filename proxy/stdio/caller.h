// A client's stream of MCP messages becomes calls over Streamable HTTP: what `reeve stdio` does for
// a client on standard input and output.
#ifndef REEVE_PROXY_STDIO_CALLER_H_
#define REEVE_PROXY_STDIO_CALLER_H_

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/net/asio.h"
#include "proxy/stdio/bridge.h"
#include "proxy/stdio/http_exchange.h"

namespace reeve::stdio {

// Of one event loop; not thread-safe.
class Caller : public std::enable_shared_from_this<Caller> {
 public:
  struct Means {
    net::asio::io_context& context;
    Connect connect;
    std::string target;  // path of the endpoint
    // Lines of each head that say for whom it is: Host and what proves the caller.
    std::string fields;
    size_t body_bytes;
    std::string place;  // what is called, for complaints
    // A message for the client; `complain` is for whoever started it.
    std::function<void(std::string_view message)> put;
    std::function<void(std::string_view text)> complain;
  };

  explicit Caller(Means means) : means_(std::move(means)) {}

  // A message of the client, which need not be one. Returns when the next may be taken: a request
  // is under way by then, of what has no answer the call has ended. `fields` stand for those of
  // Means when not empty.
  net::Task<void> take(std::string line, std::string fields = {});
  // Waits for answers that are under way, for `patience` at most, and ends the session.
  net::Task<void> finish(std::chrono::milliseconds patience);
  // Nobody waits for what is still under way.
  void cancel_all();
  size_t asked() const { return asked_; }  // requests under way

 private:
  std::string head(std::string_view method, const Outgoing* message, size_t length,
                   const std::string& fields) const;
  std::shared_ptr<HttpExchange> begin_exchange();
  net::Task<void> send(std::shared_ptr<Caller> self, std::shared_ptr<HttpExchange> exchange,
                       std::string line, Outgoing message, std::string fields);
  bool pass_body(HttpExchange& exchange, const std::string& body, const Outgoing& message);
  net::Task<bool> pass_events(HttpExchange& exchange, std::string key);
  net::Task<void> listen(std::shared_ptr<Caller> self);

  const Means means_;
  std::list<std::shared_ptr<HttpExchange>> under_way_;
  std::string session_, version_, last_event_;
  size_t asked_ = 0;
  bool listening_ = false, cancelled_ = false;
};

}  // namespace reeve::stdio

#endif  // REEVE_PROXY_STDIO_CALLER_H_
