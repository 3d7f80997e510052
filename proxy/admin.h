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
#include "proxy/admin_caller.h"
#include "proxy/config.h"
#include "proxy/console/sessions.h"
#include "proxy/http/message.h"
#include "proxy/net/asio.h"
#include "proxy/net/stream.h"

namespace reeve {

namespace console {
class Watcher;
}

// A request of a proven operator or person, for what does more than show.
struct AdminCall {
  std::string method;
  std::string path;
  std::string query;
  std::string body;
  std::string person;  // empty: the admin token
  AdminRole role = AdminRole::kViewer;
  bool has_people = false;  // reeve.yaml names people, so the admin token stands for none of them
};
struct AdminReply {
  int status = 200;
  std::string body;  // JSON; of a refusal its sentence
};

// What the admin side shows; called on its own thread.
struct AdminViews {
  std::function<std::string()> metrics;
  std::function<std::optional<std::string>()> not_ready;  // why, or nothing
  std::function<std::string()> budgets;                   // JSON
  std::function<std::string()> policy;                    // JSON
  std::function<std::string()> upstreams;                 // JSON
  std::function<std::string()> rules;                     // JSON
  using Serve = std::function<net::Task<AdminReply>(AdminCall)>;
  Serve approvals;                                           // /v1/approvals and below
  Serve agents;                                              // /v1/agents, /v1/stops and below
  Serve record;                                              // /v1/audit and /v1/activity
  std::function<std::shared_ptr<console::Watcher>()> watch;  // null: too many watch
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
  net::Task<void> serve_live(std::shared_ptr<net::Stream> stream, net::Timer& limit,
                             const http::RequestHead& head,
                             std::shared_ptr<console::Watcher> watcher);
  static Answer refuse(int status, std::string_view detail);
  Answer answer(const http::RequestHead& head);
  static std::optional<Answer> answer_page(const http::RequestHead& head);
  bool host_is_own(std::string_view authority) const;
  // By its token, or by the session that its cookie names.
  std::optional<AdminCaller> caller_of(const http::Fields& fields);
  std::optional<AdminCaller> caller_by_token(std::string_view token) const;
  std::optional<Answer> refuse_stranger(const http::RequestHead& head) const;
  std::optional<Answer> refuse_caller(const http::RequestHead& head);
  Answer failed_sign_in();
  // Who serves what is below this path, or null.
  const AdminViews::Serve* server_of(std::string_view path) const;
  net::Task<Answer> answer_by(const AdminViews::Serve& serve, const http::RequestHead& head,
                              std::string body);
  Answer answer_session(const http::RequestHead& head, const std::string& body);
  Answer sign_in(const http::RequestHead& head, const std::string& body);

  const AdminConfig& config_;
  AdminViews views_;
  const size_t most_connections_;
  net::asio::io_context& context_;
  net::Acceptor acceptor_;
  // Failed sign-ins of the running second; more than a few are answered 429.
  int64_t failure_second_ = 0;
  int failures_ = 0;
  const std::string cookie_name_;
  console::Sessions sessions_;
  std::list<std::shared_ptr<net::Stream>> streams_;  // open connections, oldest first
};

}  // namespace reeve

#endif  // REEVE_PROXY_ADMIN_H_
