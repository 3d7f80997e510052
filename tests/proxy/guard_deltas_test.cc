// A model's text in pieces: what goes on is one text, redacted as if it had come whole, whatever
// the pieces and whoever's stream it is.
#include "proxy/guard_deltas.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace reeve {
namespace {

using policy::GuardInfo;
using policy::GuardReport;

GuardInfo guard_of(std::vector<GuardInfo::Finder> finders, GuardInfo::Then then) {
  GuardInfo guard;
  guard.name = "pii";
  guard.finders = std::move(finders);
  guard.then = then;
  guard.program = policy::compile_guard(guard);
  return guard;
}

const GuardInfo kMail = guard_of({{"email", ""}, {"credit-card", ""}}, GuardInfo::Then::kRedact);
const GuardInfo kDeny = guard_of({{"email", ""}}, GuardInfo::Then::kDeny);

// Events through the guard, and what came out.
class Stream {
 public:
  explicit Stream(const GuardInfo& guard = kMail) : guards_{&guard}, deltas_(tools_) {}

  bool pass(std::string_view data, std::string_view name = {}) {
    tools_.examiner.use(guards_, policy::GuardExaminer::Side::kResult);
    std::vector<GuardedDeltas::Event> before;
    std::string out;
    bool changed = false;
    const bool goes_on = data == "[DONE]"
                             ? deltas_.finish(before, report())
                             : deltas_.pass(name, data, before, out, changed, report());
    for (const auto& event : before) {
      events.push_back(event.data);
      names.push_back(event.name);
    }
    events.emplace_back(changed ? std::string_view(out) : data);
    names.emplace_back(name);
    json::Parser parser;
    if (data != "[DONE]") {
      for (const std::string& event : events) CHECK((event == "[DONE]" || parser.parse(event)));
    }
    return goes_on;
  }

  std::vector<std::string> events, names;
  uint32_t found = 0;
  bool refused = false;

 private:
  OnReport report() {
    return [this](const GuardReport& report) {
      for (const auto& hit : report.hits) found += hit.count;
      refused = refused || report.outcome > GuardReport::Outcome::kRedact;
      return !refused;
    };
  }

  GuardTools tools_;
  const std::vector<const GuardInfo*> guards_;
  GuardedDeltas deltas_;
};

std::string quoted(std::string_view text) {
  std::string out;
  json::append_string(out, text);
  return out;
}

// How one kind of stream tells a piece, and ends.
struct Kind {
  const char* name;
  std::string before, after;      // around the piece
  std::vector<std::string> ends;  // events
};

const std::vector<Kind> kKinds = {
    {"chat",
     R"({"id":"c","choices":[{"index":0,"delta":{"content":)",
     R"(},"finish_reason":null}]})",
     {R"({"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"}},
    {"chat without an end", R"({"choices":[{"index":0,"delta":{"content":)", "}}]}", {"[DONE]"}},
    {"a tool's arguments",
     R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":)",
     "}}]}}]}",
     {R"({"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]})"}},
    {"completions", R"({"choices":[{"index":0,"text":)", "}]}", {"[DONE]"}},
    {"anthropic",
     R"({"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":)",
     "}}",
     {R"({"type":"content_block_stop","index":2})"}},
    {"responses",
     R"({"type":"response.output_text.delta","item_id":"m","output_index":0,"delta":)",
     "}",
     {R"({"type":"response.output_text.done","item_id":"m","output_index":0})"}},
    {"gemini",
     R"({"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":)",
     "}]}}]}",
     {R"({"candidates":[{"index":0,"finishReason":"STOP"}]})"}},
};

// The texts of all events of a kind, put together by a reader that knows it.
std::string told(const Kind& kind, const std::vector<std::string>& events) {
  std::string all;
  for (const std::string& event : events) {
    if (!event.starts_with(kind.before)) continue;
    std::string text = event.substr(kind.before.size());
    text.resize(text.size() - kind.after.size());
    json::Parser parser;
    const auto value = parser.parse(text);
    REQUIRE(value);
    std::string scratch;
    all.append(value->text(scratch));
  }
  return all;
}

TEST_CASE("a text is redacted as if it came whole, wherever it is cut") {
  const std::string text = "Write to jane.roe@example.com, or pay by 4111 1111 1111 1111 today";
  const std::string clean = "Write to [redacted: email], or pay by [redacted: credit-card] today";
  for (const Kind& kind : kKinds) {
    INFO(kind.name);
    for (size_t cut = 0; cut <= text.size(); ++cut) {
      Stream stream;
      for (const std::string& piece : {text.substr(0, cut), text.substr(cut)}) {
        stream.pass(kind.before + quoted(piece) + kind.after);
      }
      for (const std::string& end : kind.ends) stream.pass(end);
      CHECK(told(kind, stream.events) == clean);
      CHECK(stream.found == 2);
      CHECK(stream.events.back() == kind.ends.back());
    }
    Stream letters;
    for (const char c : text) letters.pass(kind.before + quoted({&c, 1}) + kind.after);
    for (const std::string& end : kind.ends) letters.pass(end);
    CHECK(told(kind, letters.events) == clean);
  }
}

TEST_CASE("what holds nothing goes on in the event that it came in, but for its last word") {
  const Kind& chat = kKinds[0];
  Stream stream;
  stream.pass(chat.before + quoted("All is well. Nothing ") + chat.after);
  CHECK(told(chat, stream.events) == "All is well. Nothing ");
  stream.pass(chat.before + quoted("here") + chat.after);
  CHECK(told(chat, stream.events) == "All is well. Nothing ");
  stream.pass(chat.ends[0]);
  CHECK(told(chat, stream.events) == "All is well. Nothing here");
  CHECK(stream.events.size() == 4);
  CHECK(stream.found == 0);
}

TEST_CASE("texts that come at the same time are apart, and each ends by itself") {
  const auto choice = [](int index, const std::string& text) {
    return R"({"choices":[{"index":)" + std::to_string(index) + R"(,"delta":{"content":)" +
           quoted(text) + "}}]}";
  };
  Stream stream;
  stream.pass(choice(0, "jane@exam"));
  stream.pass(choice(1, "john@exam"));
  stream.pass(choice(0, "ple.com"));
  stream.pass(choice(1, "ple.org!"));
  stream.pass(R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})");
  stream.pass("[DONE]");
  std::string all;
  for (const std::string& event : stream.events) all += event + "\n";
  CHECK(all.find("exam") == all.npos);
  CHECK(stream.found == 2);
  // The rest of the first stands before its end, that of the second before the end of all.
  CHECK(stream.events[4] == choice(0, "[redacted: email]"));
  CHECK(stream.events[stream.events.size() - 2] == choice(1, "[redacted: email]!"));
}

TEST_CASE("an end in the event of the last words; names of events; several parts at once") {
  Stream last;
  last.pass(R"({"choices":[{"index":0,"text":"to jane@exam"}]})");
  last.pass(R"({"choices":[{"index":0,"text":"ple.com","finish_reason":"length"}]})");
  CHECK(last.events.back() ==
        R"({"choices":[{"index":0,"text":"[redacted: email]","finish_reason":"length"}]})");
  Stream named;
  named.pass(kKinds[4].before + quoted("jane@example.com") + kKinds[4].after,
             "content_block_delta");
  named.pass(kKinds[4].ends[0], "content_block_stop");
  CHECK(named.names == std::vector<std::string>{"content_block_delta", "content_block_delta",
                                                "content_block_stop"});
  Stream parts;
  parts.pass(
      R"({"candidates":[{"content":{"parts":[{"text":"jane@"},{"text":"example.com"}]},"finishReason":"STOP"}]})");
  CHECK(parts.events.back().find("example") == std::string::npos);
  CHECK(parts.events.back().find("[redacted: email]") != std::string::npos);
}

TEST_CASE("what denies ends the stream before the word is told") {
  Stream stream(kDeny);
  const Kind& chat = kKinds[0];
  CHECK(stream.pass(chat.before + quoted("Write to jane@exam") + chat.after));
  const bool first = stream.pass(chat.before + quoted("ple.com now") + chat.after);
  const bool second = first && stream.pass(chat.ends[0]);
  CHECK_FALSE(second);
  CHECK(stream.refused);
}

TEST_CASE("no more texts at once than are followed") {
  Stream stream;
  bool goes_on = true;
  for (int i = 0; i < 300 && goes_on; ++i) {
    goes_on = stream.pass(R"({"choices":[{"index":)" + std::to_string(i) +
                          R"(,"delta":{"content":"word"}}]})");
  }
  CHECK_FALSE(goes_on);
}

}  // namespace
}  // namespace reeve
