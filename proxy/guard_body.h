// Bodies as guards look at them: JSON, lines of JSON, forms and texts; nothing else can be read.
#ifndef REEVE_PROXY_GUARD_BODY_H_
#define REEVE_PROXY_GUARD_BODY_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "proxy/guard_tools.h"
#include "proxy/http/message.h"

namespace reeve {

enum class BodyMedia : uint8_t {
  kJson,
  kJsonLines,  // application/x-ndjson and its kin: a value a line
  kForm,       // application/x-www-form-urlencoded
  kEvents,     // text/event-stream
  kText,
  kUnreadable,
};

struct GuardedMedia {
  BodyMedia media = BodyMedia::kUnreadable;
  const char* fault = "";  // static, for kUnreadable: "it …"
};

// What the header fields say of a body that is not empty.
GuardedMedia media_of(const http::Fields& fields);

// Called with each part's report; false ends the looking.
using OnReport = std::function<bool(const policy::GuardReport&)>;

// Looks at a whole body with the guards in use by tools.examiner. Writes what goes on in its place
// to `out` and sets `changed`. False: ended by `on_report`, or cannot be looked at (then it was
// told a report that is in doubt). Requires a readable medium other than kEvents.
bool examine_body(GuardTools& tools, BodyMedia media, std::string_view body, std::string& out,
                  bool& changed, const OnReport& on_report);

// A text by itself: strict JSON as such, else a text. What begins as JSON, has escapes and is not
// strict is in doubt.
policy::GuardReport examine_loose(GuardTools& tools, std::string_view text, std::string& out);

// Whether a model's answer spells its text out once more, token by token (`logprobs`), where no
// guard finds it.
bool spells_text_out(const json::Value& root);

// A report that only says why something cannot be looked at; `why` is static.
policy::GuardReport doubtful(const char* why);

}  // namespace reeve

#endif  // REEVE_PROXY_GUARD_BODY_H_
