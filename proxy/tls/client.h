// The client's side of TLS to one upstream, for one event loop: whom to expect, and the sessions
// that shorten the next handshake.
#ifndef REEVE_PROXY_TLS_CLIENT_H_
#define REEVE_PROXY_TLS_CLIENT_H_

#include <memory>
#include <string>
#include <vector>

#include "proxy/tls/credentials.h"
#include "proxy/tls/ssl.h"

struct ssl_session_st;

namespace reeve::tls {

// Sessions that an upstream has granted, the newest last. Bounded. Not thread-safe.
class Sessions {
 public:
  // Makes connections of this context hand their sessions to the Sessions that offer() named.
  static void enable(ssl_ctx_st* context);

  // Offers a session on a connection that is about to begin, and keeps those that it brings. This
  // must outlive the connection's reads. A session is of one context: one that was made under other
  // CAs is never used again.
  void offer(ssl_st* ssl);

 private:
  struct FreeSession {
    void operator()(ssl_session_st* session) const;
  };
  using Session = std::unique_ptr<ssl_session_st, FreeSession>;

  void keep(Session session);

  const void* context_ = nullptr;
  std::vector<Session> sessions_;
};

class Client {
 public:
  // `name` is the DNS name or IP address that the upstream's certificate must be for. `credentials`
  // must outlive this.
  Client(const Credentials& credentials, std::string name)
      : credentials_(credentials), name_(std::move(name)) {}

  // For one new connection: verification of chain and name on, SNI set for a name.
  Ssl start();
  const std::string& name() const { return name_; }

 private:
  const Credentials& credentials_;
  const std::string name_;
  Sessions sessions_;
  Context context_;  // of the sessions; kept so that its address stays its own
};

// The server's side of one new connection.
Ssl start_server(const Context& context);

// Why a handshake failed, with the remedy: a sentence for the log of the operator. `error` is
// take_error()'s. `name` is the name that was expected of an upstream, empty on a listener.
std::string handshake_failure(const ssl_st* ssl, std::string error, const std::string& name);

}  // namespace reeve::tls

#endif  // REEVE_PROXY_TLS_CLIENT_H_
