// Finds lines in a record.
#ifndef REEVE_PROXY_AUDIT_QUERY_H_
#define REEVE_PROXY_AUDIT_QUERY_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/json.h"
#include "proxy/audit/index.h"
#include "proxy/audit/line.h"

namespace reeve::audit {

// What a member must be: one of these. In `target` a `*` stands for any text.
struct Wanted {
  std::string name;  // of the member: agent, team, …
  std::vector<std::string> values;
};

struct Query {
  std::vector<Wanted> wanted;  // all of them
  std::string since, until;    // as lines have times; empty: no bound. `until` is not included
  std::string text;            // stands somewhere in the line, as it does there
};

// A line that was found: its text, its shape, and its members, valid during the call.
struct Match {
  std::string_view text;
  const Line& line;
  json::Value members;
};

class Searcher {
 public:
  explicit Searcher(Query query);

  // False stops the search.
  using Sink = std::function<bool(const Match&)>;
  // Goes through a file, by its index; false when the sink stopped it. `end` is set behind the last
  // whole line that was looked at.
  bool search(const std::string& path, const Sink& sink, uint64_t* end = nullptr);
  // The same for one line.
  bool look_at(std::string_view text, const Sink& sink);
  // For read_backward() of backward.h: whether a block may hold what is wanted; a block's lines,
  // the last first.
  bool may_match(const Index::Block& block) const;
  bool search_block_backward(std::string_view text, const Sink& sink);

 private:
  bool search_block(std::string_view text, const Sink& sink);
  bool wants(const json::Value& members);

  const Query query_;
  std::vector<std::string> agents_;   // as JSON has them, without quotes
  std::vector<std::string> needles_;  // one of them stands in every line that matches; or none
  json::Parser parser_;
  std::string scratch_;
};

// Whether `text` is `pattern`, in which each `*` stands for any text.
bool glob_matches(std::string_view pattern, std::string_view text);

// A bound: an RFC 3339 time in UTC, a day, or how long ago (`90s`, `15m`, `2h`, `7d`), as lines
// have times. Nothing when it is none of these.
std::optional<std::string> read_bound(std::string_view text, policy::Time now);

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_QUERY_H_
