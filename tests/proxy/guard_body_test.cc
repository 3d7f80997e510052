// Bodies as guards look at them: which can be read, and what becomes of those that can.
#include "proxy/guard_body.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace reeve {
namespace {

using policy::GuardInfo;
using policy::GuardReport;

GuardInfo mail_guard() {
  GuardInfo guard;
  guard.name = "pii";
  guard.finders = {{"email", ""}};
  guard.program = policy::compile_guard(guard);
  return guard;
}

BodyMedia media(const std::vector<http::Field>& fields) {
  http::Fields all;
  all.list = fields;
  const GuardedMedia found = media_of(all);
  CHECK((found.media == BodyMedia::kUnreadable) == (found.fault[0] != '\0'));
  return found.media;
}

// What goes on in the place of a body, or why nothing does.
std::string passed(BodyMedia of, std::string_view body) {
  const GuardInfo guard = mail_guard();
  const GuardInfo* const guards[] = {&guard};
  GuardTools tools;
  tools.examiner.use(guards, policy::GuardExaminer::Side::kResult);
  std::string out, why;
  bool changed = false;
  const bool whole = examine_body(tools, of, body, out, changed, [&](const GuardReport& report) {
    if (report.outcome == GuardReport::Outcome::kDoubt) why = report.doubt;
    return why.empty();
  });
  CHECK(whole == why.empty());
  return !why.empty() ? "doubt: " + why : changed ? out : std::string(body);
}

TEST_CASE("which bodies can be looked at, by their head") {
  const auto typed = [](std::string_view type) { return media({{"Content-Type", type}}); };
  CHECK(typed("application/json") == BodyMedia::kJson);
  CHECK(typed("Application/JSON ; charset=UTF-8") == BodyMedia::kJson);
  CHECK(typed("application/problem+json") == BodyMedia::kJson);
  CHECK(typed("application/x-ndjson") == BodyMedia::kJsonLines);
  CHECK(typed("application/x-www-form-urlencoded") == BodyMedia::kForm);
  CHECK(typed("text/event-stream; charset=utf-8") == BodyMedia::kEvents);
  CHECK(typed("text/plain") == BodyMedia::kText);
  CHECK(typed("text/html;charset=\"utf-8\"") == BodyMedia::kText);
  CHECK(typed("application/atom+xml") == BodyMedia::kText);
  for (const std::string_view type :
       {"", "application/octet-stream", "image/png", "application/pdf",
        "multipart/form-data; boundary=x", "text/plain; charset=utf-16",
        "text/plain; charset=iso-8859-1", "application/json; charset=utf-16le", "application/jsonx",
        "text/"}) {
    INFO(type);
    CHECK(typed(type) == BodyMedia::kUnreadable);
  }
  CHECK(media({}) == BodyMedia::kUnreadable);
  CHECK(media({{"content-type", "text/plain"}, {"Content-Type", "text/plain"}}) ==
        BodyMedia::kUnreadable);
  CHECK(media({{"content-type", "text/plain"}, {"content-encoding", "gzip"}}) ==
        BodyMedia::kUnreadable);
  CHECK(media({{"content-type", "text/plain"}, {"content-encoding", "identity"}}) ==
        BodyMedia::kText);
}

TEST_CASE("what becomes of a body") {
  CHECK(passed(BodyMedia::kJson, R"( {"a": "jane\u0040example.com" , "b":1.0} )") ==
        R"( {"a": "[redacted: email]" , "b":1.0} )");
  CHECK(passed(BodyMedia::kJson, R"({"a":1,"a":"jane\u0040example.com"})") ==
        "doubt: it is no strict JSON");
  CHECK(passed(BodyMedia::kJson, "") == "doubt: it is no strict JSON");
  CHECK(passed(BodyMedia::kJsonLines, "{\"a\":\"x@example.com\"}\n\n{\"b\":1}\r\n") ==
        "{\"a\":\"[redacted: email]\"}\n\n{\"b\":1}\r\n");
  CHECK(passed(BodyMedia::kJsonLines, "{\"a\":1}\nno") == "doubt: it is no strict JSON");
  CHECK(passed(BodyMedia::kForm, "a=1&to=jane%40example.com+or+me&b=%zz&c") ==
        "a=1&to=%5Bredacted%3A+email%5D+or+me&b=%zz&c");
  CHECK(passed(BodyMedia::kForm, "jane%40example.com=1").find("example") == std::string::npos);
  CHECK(passed(BodyMedia::kText, "To jane@example.com.") == "To [redacted: email].");
  CHECK(passed(BodyMedia::kText, "To jan\xff@example.com") == "doubt: a text that is not UTF-8");
  const std::string utf16("j\0a\0@\0b\0.\0d\0e\0", 14);
  CHECK(passed(BodyMedia::kText, utf16) == "doubt: it is not in UTF-8");
}

TEST_CASE("a model's answer that tells its text token by token as well is in doubt") {
  const auto doubted = [](std::string_view text) {
    return passed(BodyMedia::kJson, text) == "doubt: it has `logprobs`";
  };
  CHECK(doubted(R"({"choices":[{"logprobs":{"content":[{"token":"jane"}]}}]})"));
  CHECK(doubted(R"({"response":{"output":[{"content":[{"logprobs":[{"token":"a"}]}]}]}})"));
  CHECK_FALSE(doubted(R"({"choices":[{"logprobs":null,"message":{"content":"a"}}]})"));
  CHECK_FALSE(doubted(R"({"delta":"a","logprobs":[]})"));
}

TEST_CASE("an event's text: strict JSON as such; what only begins so must have no escapes") {
  const GuardInfo guard = mail_guard();
  const GuardInfo* const guards[] = {&guard};
  GuardTools tools;
  tools.examiner.use(guards, policy::GuardExaminer::Side::kResult);
  std::string out;
  const auto outcome = [&](std::string_view text) {
    return examine_loose(tools, text, out).outcome;
  };
  using Outcome = GuardReport::Outcome;
  CHECK(outcome("[DONE]") == Outcome::kClean);
  CHECK(outcome(R"({"a":"jane\u0040example.com"})") == Outcome::kRedact);
  CHECK(out == R"({"a":"[redacted: email]"})");
  CHECK(outcome(R"({"a":"jane\u0040example.com")") == Outcome::kDoubt);
  CHECK(outcome(R"({a: jane@example.com)") == Outcome::kRedact);
  CHECK(outcome("jane@example.com") == Outcome::kRedact);
}

}  // namespace
}  // namespace reeve
