// Which agent a server's value was given to: a list's cursor, the id of an event or a task, or the
// state of an unfinished request that one agent got is nothing to another, who may have guessed it
// or got it from the first.
//
// One value may be several agents' (many servers count their pages). One that nobody is known to
// have got, as after a restart, is left to the server. Thread-safe; bounded per agent, so that one
// agent's values never push out another's. Tested by tests/proxy/issued_test.cc and
// tests/e2e/mcp_hijack_test.mjs.
#ifndef REEVE_PROXY_ISSUED_H_
#define REEVE_PROXY_ISSUED_H_

#include <cstdint>
#include <list>
#include <map>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace reeve {

struct Exchange;

class Issued {
 public:
  static constexpr size_t kMostPerAgent =
      4096;  // of a kind; the one that was issued longest ago goes

  enum class Kind : char { kCursor = 'c', kEvent = 'e', kTask = 't', kState = 's' };

  void issue(Kind kind, std::string_view upstream, std::string_view value, std::string_view agent);
  // False when it was issued to others only.
  bool may_use(Kind kind, std::string_view upstream, std::string_view value,
               std::string_view agent) const;
  // True when it is known to have been issued to this one.
  bool is_own(Kind kind, std::string_view upstream, std::string_view value,
              std::string_view agent) const;

 private:
  using Keys = std::list<std::string>;  // digests; the one issued last comes last
  struct Owner {
    std::string agent;
    Keys::iterator place;
  };

  mutable std::shared_mutex mutex_;  // protects the two
  std::unordered_map<std::string, std::vector<Owner>> owners_;
  std::map<std::string, Keys> by_agent_;  // by kind and agent
};

// Whether a call presents nothing that was issued to others: the cursor, task ids and requestState
// of a message, or `Last-Event-ID` of a stream that is resumed. False: refused, as though it did
// not exist.
bool owns_what_it_presents(Exchange& exchange);

}  // namespace reeve

#endif  // REEVE_PROXY_ISSUED_H_
