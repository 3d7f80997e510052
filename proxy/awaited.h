// What is waited for between agents and MCP servers: an agent's requests, the tokens by which it
// hears of their progress, and what the server itself has asked.
//
// Only an answer to what was asked reaches either side, progress only of what is under way, and an
// agent cancels only what it asked itself. A conversation is an agent's with one upstream and, in
// the legacy era, in one session; what another agent or session waits for is not in it. A restart
// forgets all of it, and then it was never asked. Thread-safe, by stripes that different agents
// hardly share; bounded. Tested by tests/proxy/awaited_test.cc and tests/e2e/mcp_forgery_test.mjs.
#ifndef REEVE_PROXY_AWAITED_H_
#define REEVE_PROXY_AWAITED_H_

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace reeve {

class Awaited {
 public:
  static constexpr size_t kMostConversations = 4096;  // of an agent; the oldest is forgotten
  // Of a conversation: requests whose call is over but not answered (the oldest is forgotten), and
  // questions of the server (one more is not asked).
  static constexpr size_t kMostOpen = 1024;

  struct Conversation {
    std::string_view upstream;
    std::string_view agent;
    std::string_view session;  // empty: none
  };
  enum class After : uint8_t {
    kNothing,   // answered, or nobody can be answered any more
    kAnswer,    // it may still be answered on another stream of the session, or be cancelled
    kProgress,  // it became a task: answered, but its progress goes on
  };

  // A request is under way. `id` as mcp::id_key() has it, `token` canonical JSON, empty without.
  void ask(const Conversation& in, std::string_view id, std::string_view token);
  // Its call is over.
  void end(const Conversation& in, std::string_view id, std::string_view token, After after);
  // Whether the request waits for its answer.
  bool is_asked(const Conversation& in, std::string_view id) const;
  bool has_token(const Conversation& in, std::string_view token) const;
  // An answer elsewhere than in its request's call: true, once, where that is over unanswered.
  bool take_answer(const Conversation& in, std::string_view id);

  // The server asks. False: it has asked too much already.
  bool question(const Conversation& in, std::string_view id);
  bool has_question(const Conversation& in, std::string_view id) const;
  void take_question(const Conversation& in, std::string_view id);

  // The session is over.
  void forget(const Conversation& ended);

 private:
  struct Request {
    std::string id;  // empty: it became a task
    std::string token;
    bool over = false;
  };
  struct State {
    std::vector<Request> requests;  // in the order they were asked
    std::vector<std::string> questions;
    size_t over = 0;
  };
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  struct Stripe {
    mutable std::mutex mutex;  // protects the rest
    std::unordered_map<std::string, State, Hash, std::equal_to<>> states;
    std::unordered_map<std::string, std::deque<std::string>, Hash, std::equal_to<>> by_agent;
  };

  Stripe& stripe_of(const Conversation& in);
  const Stripe& stripe_of(const Conversation& in) const;
  // Under the stripe's mutex.
  static const State* find(const Stripe& stripe, const Conversation& in);
  static State* find(Stripe& stripe, const Conversation& in);
  static State& make(Stripe& stripe, const Conversation& in);

  std::array<Stripe, 16> stripes_;
};

// Messages of MCP servers that were not passed on, by upstream and kind. Thread-safe.
class DroppedMessages {
 public:
  enum class Kind : uint8_t { kAnswer, kProgress, kRequest, kTask, kUnreadable };
  static constexpr std::array<std::string_view, 5> kNames{"answer", "progress", "request", "task",
                                                          "unreadable"};
  using Counts = std::array<uint64_t, kNames.size()>;

  void count(const std::string& upstream, Kind kind);
  std::vector<std::pair<std::string, Counts>> counts() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Counts> counts_;  // guarded by mutex_
};

}  // namespace reeve

#endif  // REEVE_PROXY_AWAITED_H_
