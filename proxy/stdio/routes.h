// Whose answer, progress or notification a server's line is.
//
// On standard input and output there is one channel for everything. Requests get an id of their own
// on the way in, so that two clients of one agent may use the same, and theirs back on the way out;
// everything else of a message stays byte for byte (MCP 2026-07-28 and 2025-11-25, transports,
// stdio). Pure; not thread-safe.
#ifndef REEVE_PROXY_STDIO_ROUTES_H_
#define REEVE_PROXY_STDIO_ROUTES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "policy/json.h"
#include "proxy/mcp/message.h"

namespace reeve::stdio {

class Routes {
 public:
  using Number = uint64_t;  // of a request; never used twice

  // A client's message as a line for the server. `message` was read from `body`.
  struct Asked {
    Number number;
    std::string line;
  };
  Asked ask(const mcp::Message& message, std::string_view body);
  // A notification; nothing when it is about a request that is not under way.
  std::optional<std::string> tell(const mcp::Message& message, std::string_view body);
  // A response; nothing when the server did not ask for it.
  std::optional<std::string> answer(const mcp::Message& message, std::string_view body);
  // The line that tells the server that nobody waits for this request any more.
  static std::string cancellation(Number number);

  // Where a line of the server goes.
  enum class To : uint8_t {
    kRequest,   // to the request `number`, whose answer it is when `last`
    kStanding,  // to the session's stream
    kNobody,    // an answer to what is forgotten or was never asked
    kInvalid,   // no message: not strict JSON, no object, an id that is none
  };
  struct Routed {
    To to = To::kInvalid;
    Number number = 0;
    bool last = false;
    bool question = false;  // it is a request of the server's
    std::string message;
  };
  Routed route(std::string_view line);

  // The request's client is gone: its answer goes to nobody. Its number stays taken.
  void forget(Number number) { pending_.erase(number); }
  // A request of the server's cannot be passed on: the line that says so. `question` is the
  // message.
  std::string decline(std::string_view question);
  size_t pending() const { return pending_.size(); }

 private:
  struct Pending {
    std::string id;     // JSON text, the client's
    std::string token;  // of progress, canonical JSON; empty: none
  };

  bool route_response(const json::Value& id, std::string_view line, Routed& to);
  void route_notification(const json::Value& params, std::string_view line, Routed& to);
  bool route_subscription(const json::Value& params, std::string_view line, Routed& to);

  json::Parser parser_;
  Number last_ = 0;
  std::map<Number, Pending> pending_;
  std::set<std::string> questions_;  // ids of the server's requests that wait for an answer
};

}  // namespace reeve::stdio

#endif  // REEVE_PROXY_STDIO_ROUTES_H_
