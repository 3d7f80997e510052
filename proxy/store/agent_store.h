// What a restart must not forget of agents: who is stopped or retired, and when each last called.
//
// A SQLite file of its own beside the ledger's and the approvals', so that a stop waits for
// neither. Blocks; of one thread at a time.
#ifndef REEVE_PROXY_STORE_AGENT_STORE_H_
#define REEVE_PROXY_STORE_AGENT_STORE_H_

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "policy/result.h"
#include "policy/stops.h"
#include "proxy/store/sqlite.h"

namespace reeve::store {

// What is remembered of an agent; a time of 0 is never.
struct Life {
  policy::Time hired{};  // when a policy first had it
  policy::Time last{};   // when it last called
  policy::Time reviewed{};
  std::string reviewed_by;

  friend bool operator==(const Life&, const Life&) = default;
};
using Lives = std::map<std::string, Life, std::less<>>;  // by agent

class AgentStore {
 public:
  // Creates the file (0600) and its tables where they do not exist. Its folder must exist.
  static Result<std::unique_ptr<AgentStore>> open(const std::string& path);

  Result<policy::Stops> load_stops();
  // Replaces all of them, in one transaction. When it succeeds they are on disk; on an error
  // nothing has changed.
  Result<Done> save_stops(const policy::Stops& stops);

  Result<Lives> load_lives();
  // Adds to them, or replaces those of the same agents.
  Result<Done> save_lives(const Lives& lives);

 private:
  explicit AgentStore(Database database) : database_(std::move(database)) {}
  template <class Write>
  Result<Done> in_transaction(Write write);

  Database database_;
};

// A stop as its row has it: JSON, whose members are a file format: they may be added to, never
// renamed.
std::string to_row(const policy::Stop& stop);
// Nothing where the text is no such stop.
std::optional<policy::Stop> stop_from_row(const std::string& text);
std::string to_row(const Life& life);
std::optional<Life> life_from_row(const std::string& text);

}  // namespace reeve::store

#endif  // REEVE_PROXY_STORE_AGENT_STORE_H_
