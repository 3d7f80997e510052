// Guards on what an upstream answers: a body read whole, or events one by one as they come.
//
// Of an MCP server's messages the answer to this call is looked at by the call's guards, whatever
// else it says by all guards of the agent on the upstream. What is refused sets exchange.refusal,
// with the reason `guard`; in report mode it is only recorded. Tested by tests/e2e/guard_test.mjs.
#ifndef REEVE_PROXY_GUARD_RESULTS_H_
#define REEVE_PROXY_GUARD_RESULTS_H_

#include <string>
#include <string_view>

#include "proxy/exchange.h"
#include "proxy/guard_deltas.h"
#include "proxy/mcp/event_stream.h"

namespace reeve {

// For an answer with a body, by its head: whether it can be looked at, or need not be in report
// mode (then guards_results() is false from here on). False: refused.
bool can_guard_answer(Exchange& exchange, const http::ResponseHead& head);

// Refuses an answer that is larger than limits.body_bytes, likewise.
bool refuse_long_answer(Exchange& exchange);

enum class GuardedAs : uint8_t {
  kAsIs,
  kChanged,  // `out` goes on in its place
  kRefused,
};

// Looks at a whole body, of which `fields` are the answer's.
GuardedAs guard_answer(Exchange& exchange, const http::Fields& fields, std::string_view body,
                       std::string& out);

// Fields of an answer that are no longer true when its body was changed.
inline constexpr std::string_view kFieldsOfBody[] = {"content-digest", "repr-digest", "digest",
                                                     "content-md5", "accept-ranges"};

class GuardedEvents {
 public:
  explicit GuardedEvents(Exchange& exchange);

  // Appends to `out` what goes on in the event's place. False: the stream must end here.
  bool pass(const mcp::Event& event, std::string& out);
  // The end of the stream: what is still held.
  bool finish(std::string& out);

 private:
  bool pass_message(const mcp::Event& event, std::string& out);
  bool pass_data(const mcp::Event& event, std::string& out);
  bool pass_comment(const mcp::Event& event, std::string& out);
  bool is_plain(std::string_view field);
  void append(const std::vector<GuardedDeltas::Event>& events, std::string& out) const;

  Exchange& x_;
  GuardTools& tools_;
  GuardedDeltas deltas_;
  std::vector<GuardedDeltas::Event> before_;
  std::string data_, edited_;
};

}  // namespace reeve

#endif  // REEVE_PROXY_GUARD_RESULTS_H_
