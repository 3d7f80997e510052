// Resolve, check every address, and connect to exactly what was checked.
#ifndef REEVE_PROXY_DIAL_H_
#define REEVE_PROXY_DIAL_H_

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "policy/result.h"
#include "proxy/config.h"
#include "proxy/destination.h"
#include "proxy/lookups.h"
#include "proxy/net/address_class.h"
#include "proxy/net/stream.h"

namespace reeve {

// Where the forward proxy may connect to: public unicast addresses, what `dial.allow` names
// besides, and never the sidecar's own listeners, whatever it names.
class DialRules {
 public:
  explicit DialRules(const Config& config);

  // Null when the endpoint may be dialled, else why not: a sentence for the agent.
  const char* forbidden(const net::asio::ip::tcp::endpoint& endpoint) const;
  // The same for the whole answer to a name: one address that may not be dialled forbids all of
  // them, for a mixed answer is how a public name is made to point inside.
  const char* forbidden(std::span<const net::asio::ip::tcp::endpoint> endpoints) const;

  // The same for an address of an upstream, inner ones included. What is found by a name is no
  // link-local (where clouds keep their credentials), multicast or other address that no service
  // has, unless `allow` names it. Never an own listener.
  const char* forbidden_upstream(const net::asio::ip::tcp::endpoint& endpoint, bool by_name) const;

 private:
  bool allowed(const net::Address& address) const;
  bool own(const net::asio::ip::tcp::endpoint& endpoint) const;

  std::vector<net::Cidr> allow_;
  std::vector<net::asio::ip::tcp::endpoint> own_;
};

struct DialFailure {
  std::string_view error;  // as the record names it: address, connect, timeout
  int status = 502;
  const char* detail = "";
  std::string log;  // what went wrong, for the operator; may be empty
};

// Every address of the destination, each checked. Nothing is dialled.
net::Task<Result<Endpoints, DialFailure>> find_addresses(const DialRules& rules, Lookups& lookups,
                                                         const Destination& to);

// Tries the endpoints in turn. A connect under way is ended from outside by closing `*pending`;
// `given_up` is looked at between them.
net::Task<Result<std::unique_ptr<net::Stream>, DialFailure>> dial(const Endpoints& endpoints,
                                                                  net::Executor executor,
                                                                  net::Socket** pending,
                                                                  const bool& given_up);

}  // namespace reeve

#endif  // REEVE_PROXY_DIAL_H_
