// Servers with a lock, live: what an answer says of their tools is compared before it reaches the
// agent, and no tool is called whose definition the agent's side has not seen as pinned.
// mcp/README.md says what counts as drift.
#ifndef REEVE_PROXY_DRIFT_H_
#define REEVE_PROXY_DRIFT_H_

#include <optional>
#include <string_view>

#include "proxy/exchange.h"
#include "proxy/mcp/list_filter.h"
#include "proxy/mcp/pin_sighting.h"
#include "proxy/net/asio.h"
#include "proxy/pin_watch.h"

namespace reeve {

// To be asked of an allowed call before anything is reserved, and again before one goes out that
// was held. False: refused, its tool is not as pinned, or nobody can tell. Where the definitions
// have not been seen, or may have changed since, asks the server for them first.
net::Step<bool> as_pinned(Exchange& exchange);

// Whether the answer to this call must be read although no list was asked for.
bool may_say_instructions(const Exchange& exchange);

// One answer to a call, message by message: give it to filter_message(), then tell it the message's
// end. Also flags what is hidden in the texts of any server, and remembers whose its cursors are.
// The exchange must outlive it.
class DriftObserver : public mcp::Onlooker {
 public:
  explicit DriftObserver(Exchange& x);

  void sees_result(const json::Value& result) override;
  bool keeps(mcp::List list, std::string_view name, const json::Value& entry) override;
  bool keeps_instructions(const json::Value& value) override;
  // What the message showed counts from now on.
  void finish_message();

  // A message that need not be filtered: has the server said that its tools have changed?
  void sees_event(const json::Value& message);

 private:
  bool hides() const;  // what is other than pinned
  void flag(std::string_view what, std::string_view name, const json::Value& entry);

  Exchange& x_;
  const Pin* const pin_;  // null: the server has no lock
  std::optional<mcp::Sighting> sighting_;
  bool plain_ = true;  // nothing can be hidden in the message at hand
  bool whole_ = false;
};

}  // namespace reeve

#endif  // REEVE_PROXY_DRIFT_H_
