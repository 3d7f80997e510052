// Which messages of an MCP server reach the agent by one call: the answer to it and no other,
// progress that is waited for, notifications, and in the legacy era the server's own requests.
//
// A server that forges answers, or answers twice, could otherwise speak for another call of the
// agent. What is not passed on is counted (reeve_mcp_dropped_total) and recorded (`dropped`).
#ifndef REEVE_PROXY_SERVER_WATCH_H_
#define REEVE_PROXY_SERVER_WATCH_H_

#include <optional>
#include <string>
#include <string_view>

#include "policy/json.h"
#include "proxy/awaited.h"
#include "proxy/exchange.h"

namespace reeve {

// Of one call to an MCP upstream, from before it is sent to its end; the exchange must outlive it.
// While it lives the request is asked, and can be cancelled.
class ServerWatch {
 public:
  explicit ServerWatch(Exchange& x);
  ~ServerWatch();
  ServerWatch(const ServerWatch&) = delete;
  ServerWatch& operator=(const ServerWatch&) = delete;

  // The answer begins a session: what the server asks in it is asked there.
  void begins_session(std::string_view session) { begun_ = session; }
  // A message, in its order. Whether it is passed on. Remembers whose its task ids and request
  // states are.
  bool passes(const json::Value& message);
  // The same of the whole body of an answer that is JSON; where there is none, it is not strict.
  bool answers(const std::optional<json::Value>& body, int status);
  // A message that is no strict JSON object.
  void drop_unreadable() { drop(DroppedMessages::Kind::kUnreadable); }
  // What was passed on has left for the agent.
  void sent() { delivered_ = answered_; }

  bool asks() const { return !id_.empty(); }  // the call is a request

 private:
  bool drop(DroppedMessages::Kind kind);
  bool passes_request(const json::Value& message, std::string_view method);
  bool passes_notification(const json::Value& message, std::string_view method);
  bool passes_answer(const json::Value& message);
  bool may_come_late(const std::string& id);
  void learn(const json::Value& result);
  Awaited::Conversation conversation() const;
  Awaited::Conversation with_session() const;

  Exchange& x_;
  std::string id_, token_, begun_;
  bool answered_ = false, delivered_ = false, became_task_ = false;
};

// Whether a client's message is about what is there to be spoken about: an answer to what the
// server has asked, a cancellation of what the agent has asked. False: refused.
bool speaks_of_what_is_awaited(Exchange& exchange);

}  // namespace reeve

#endif  // REEVE_PROXY_SERVER_WATCH_H_
