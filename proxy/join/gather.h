// The same to several upstreams at once, none waiting for another.
#ifndef REEVE_PROXY_JOIN_GATHER_H_
#define REEVE_PROXY_JOIN_GATHER_H_

#include <memory>
#include <string>
#include <vector>

#include "proxy/join/open.h"
#include "proxy/join/wake.h"

namespace reeve::join {

// How long an upstream may take for its part of what is asked of all. One that takes longer is left
// out; the opening of a session goes on, so that the next time it may be there.
inline constexpr std::chrono::milliseconds kPatience{3000};

enum class Ask : uint8_t {
  kAnswer,    // sends `body` and reads the answer
  kOpen,      // only opens the session
  kDiscover,  // as kAnswer where the upstream is modern, else as kOpen
  kTell,      // sends `body`, which has no answer
  kEnd,       // DELETE
};

// What is sent to an upstream, in either era, and what came of it.
struct Asked {
  std::string upstream;
  std::string body, key;                  // key: of the request's id
  std::string bridged_body, bridged_key;  // for a modern client and a legacy upstream
  std::string message;                    // its answer
  bool done = false, reached = false, bridged = false;
  bool late = false;     // its session was not open in time
  Part* part = nullptr;  // what waits, to be cancelled
};

// Shared by those who wait and what they wait for; of one worker's thread.
struct Round {
  Round(Asker who, std::shared_ptr<Session> whose, std::string for_agent)
      : asker(std::move(who)),
        session(std::move(whose)),
        agent(std::move(for_agent)),
        wake(std::make_shared<Wake>(asker.worker->context())) {}

  const Asker asker;
  const std::shared_ptr<Session> session;  // null for a modern client
  const std::string agent;
  const std::shared_ptr<Wake> wake;
  Ask what = Ask::kAnswer;
  std::string method;   // modern: as Mcp-Method mirrors it
  std::string version;  // modern: as MCP-Protocol-Version does
  Steady until;
  std::vector<Asked> asked;
  size_t left = 0;
  bool over = false;
};

// Starts all parts; `wake` is set when the last has ended.
void start(const std::shared_ptr<Round>& round);
// Ends those that are not done.
void give_up(Round& round);

}  // namespace reeve::join

#endif  // REEVE_PROXY_JOIN_GATHER_H_
