// One call on an LLM API: its request, and its answer as it passes, read for what it cost.
#ifndef REEVE_PROXY_LLM_METERED_H_
#define REEVE_PROXY_LLM_METERED_H_

#include <optional>
#include <string>
#include <string_view>

#include "policy/money.h"
#include "proxy/http/message.h"
#include "proxy/llm/request.h"
#include "proxy/llm/usage.h"
#include "proxy/mcp/event_stream.h"

namespace reeve::llm {

// Why a call is charged what was reserved, and not what its answer says.
enum class Unmeasured : uint8_t {
  kNo,          // it is charged what its answer says
  kNoAnswer,    // no answer came
  kMissing,     // the answer says nothing
  kUnreadable,  // or not in a form that can be read: coded, no strict JSON, too long
  kCut,         // it broke off before it could say so
  kUnpriced,    // another model answered, that no price names
};

// The word of the record: `no-answer`, `missing`, …; empty for kNo.
std::string_view to_string(Unmeasured why);

class Metered {
 public:
  // `hides_usage`: the agent has not asked for the chunk with the usage, reeve has.
  Metered(Request request, bool hides_usage)
      : request_(std::move(request)), hides_(hides_usage), usage_(request_.endpoint) {}

  const Request& request() const { return request_; }

  // The head of an answer has come; at most `most_bytes` of a body, or of an event, are kept.
  void begin(const http::ResponseHead& head, size_t most_bytes);
  // Whether other bytes than those of the body leave: then its length is not known before.
  bool rewrites() const { return form_ == Form::kEvents && hides_; }
  // Whether it is worth to read on when the agent has gone.
  bool may_tell_usage() const { return form_ != Form::kUnread && status_ < 300; }
  // Takes the next bytes of the body and says what of it is to be passed on: all of it, without
  // delay, or with hides_usage the events that are whole, but for one. The view lives until the
  // next call. Nothing when the stream can be neither read nor, with hides_usage, passed on.
  std::optional<std::string_view> pass(std::string_view bytes);
  // The body has ended, whole or cut short.
  void end(bool whole);

  // What came of it, once the call is over.
  struct Outcome {
    Unmeasured why = Unmeasured::kNoAnswer;
    bool is_free = false;  // refused by the API: nothing was used
    std::optional<policy::TokenUsage> usage;
    std::string_view model;  // that answered; empty: not told
  };
  Outcome outcome() const;

  // Filled in by settle().
  struct Settled {
    Unmeasured why = Unmeasured::kNoAnswer;
    std::optional<policy::TokenUsage> usage;
    std::string model;           // that answered
    policy::Micros overrun = 0;  // what it cost beyond what was reserved
  };
  Settled settled;

 private:
  enum class Form : uint8_t { kUnread, kJson, kEvents };
  void on_event(const mcp::Event& event);

  const Request request_;
  const bool hides_;
  UsageReader usage_;
  Form form_ = Form::kUnread;
  int status_ = 0;  // 0: no answer
  bool ended_ = false;
  bool whole_ = false;
  bool overflowed_ = false;
  size_t most_bytes_ = 0;
  std::string text_;  // the body so far, or the events to be passed on
  std::optional<mcp::EventStreamParser> events_;
};

}  // namespace reeve::llm

#endif  // REEVE_PROXY_LLM_METERED_H_
