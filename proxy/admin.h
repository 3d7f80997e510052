// The operators' side: health, metrics and the /v1 interface, on a listener and a thread of their
// own, so that they answer while the agents' side is overloaded.
#ifndef REEVE_PROXY_ADMIN_H_
#define REEVE_PROXY_ADMIN_H_

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "policy/result.h"
#include "proxy/config.h"
#include "proxy/http/message.h"
#include "proxy/net/asio.h"
#include "proxy/net/stream.h"

namespace reeve {

// What the admin side shows; called on its own thread.
struct AdminViews {
  std::function<std::string()> metrics;
  std::function<std::optional<std::string>()> not_ready;  // why, or nothing
  std::function<std::string()> agents;                    // JSON
  std::function<std::string()> budgets;                   // JSON
  std::function<std::string()> policy;                    // JSON
  std::function<std::string()> upstreams;                 // JSON
};

class Admin {
 public:
  // At most `most_connections` at once: the oldest makes room.
  Admin(const AdminConfig& config, AdminViews views, size_t most_connections,
        net::asio::io_context& context);
  ~Admin();

  // The error names the address and the remedy.
  Result<bool> listen();
  void start();
  void stop();

 private:
  struct Answer;
  net::Task<void> accept();
  net::Task<void> serve(std::shared_ptr<net::Stream> stream);
  Answer answer(const http::RequestHead& head);
  bool host_is_own(std::string_view authority) const;
  std::optional<AdminRole> role_of(const http::Fields& fields) const;

  const AdminConfig& config_;
  AdminViews views_;
  const size_t most_connections_;
  net::asio::io_context& context_;
  net::Acceptor acceptor_;
  // Failed sign-ins of the running second; more than a few are answered 429.
  int64_t failure_second_ = 0;
  int failures_ = 0;
  std::list<std::shared_ptr<net::Stream>> streams_;  // open connections, oldest first
};

}  // namespace reeve

#endif  // REEVE_PROXY_ADMIN_H_
