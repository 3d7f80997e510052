// Event streams of several upstreams on their way into one.
#ifndef REEVE_PROXY_JOIN_FUNNEL_H_
#define REEVE_PROXY_JOIN_FUNNEL_H_

#include <map>
#include <memory>
#include <set>
#include <string>

#include "proxy/join/open.h"
#include "proxy/join/translate.h"
#include "proxy/join/wake.h"
#include "proxy/mcp/event_stream.h"

namespace reeve::join {

// Shared by the stream's writer and those that read the upstreams; of one worker's thread.
struct Funnel {
  Funnel(Asker who, std::shared_ptr<Session> whose, std::string holds)
      : asker(std::move(who)),
        session(std::move(whose)),
        holder(std::move(holds)),
        wake(std::make_shared<Wake>(asker.worker->context())) {}

  const Asker asker;
  const std::shared_ptr<Session> session;  // null for a modern client
  const std::string holder;
  const std::shared_ptr<Wake> wake;
  std::string out;                           // events that are not written yet
  std::map<std::string, std::string> where;  // upstream: the last event's id there
  std::map<std::string, Part*> parts;        // what waits, to be cancelled; null between streams
  std::set<std::string> without;             // upstreams that have no such stream
  bool over = false;

  // Where all upstreams are, as an event's id; empty when that would be too long for a field.
  std::string position(const Seal& seal) const;
  // Reads it back.
  void resume(std::string_view position);
  void end();
};

// Reads the session's GET stream of the upstream, again when it ends, until the funnel is over.
net::Task<void> pour(std::shared_ptr<Funnel> funnel, std::string upstream);

// What a modern client subscribes to, as one upstream is asked for it.
struct Subscription {
  std::string upstream;
  std::string body;
  std::vector<OwnField> fields;
};
// Reads the answer to subscriptions/listen until it ends.
net::Task<void> pour_subscription(std::shared_ptr<Funnel> funnel, Subscription subscription);

}  // namespace reeve::join

#endif  // REEVE_PROXY_JOIN_FUNNEL_H_
