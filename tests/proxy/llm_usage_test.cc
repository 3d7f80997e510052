// What answers of LLM APIs say of tokens: in bodies and in events, from those that follow the
// documents and those that do not.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "proxy/llm/usage.h"

namespace reeve::llm {
namespace {

// "INPUT(CACHED+WRITTEN)>OUTPUT of MODEL", "…" behind it where more may follow; "none", or "?" for
// what cannot be read.
std::string said(const UsageReader& reader) {
  const auto usage = reader.usage();
  if (!usage) return reader.unreadable() ? "?" : "none";
  return std::to_string(usage->input) + "(" + std::to_string(usage->cached_input) + "+" +
         std::to_string(usage->cache_write) + ")>" + std::to_string(usage->output) +
         (reader.complete() ? "" : "...") + (reader.model().empty() ? "" : " of " + reader.model());
}

std::string body(Endpoint endpoint, const std::string& text) {
  UsageReader reader(endpoint);
  reader.read_body(text);
  return said(reader);
}

std::string events(Endpoint endpoint, const std::vector<std::string>& data) {
  UsageReader reader(endpoint);
  for (const std::string& each : data) reader.read_event(each);
  return said(reader);
}

TEST_CASE("the usage of a body") {
  struct Row {
    Endpoint endpoint;
    const char* body;
    const char* said;
  };
  constexpr auto kChat = Endpoint::kChat;
  const Row rows[] = {
      {kChat, R"({"model":"m","usage":{"prompt_tokens":9,"completion_tokens":4}})",
       "9(0+0)>4 of m"},
      {kChat,
       R"({"usage":{"prompt_tokens":90,"completion_tokens":4,"prompt_tokens_details":)"
       R"({"cached_tokens":60,"cache_write_tokens":20},"completion_tokens_details":)"
       R"({"reasoning_tokens":3}}})",
       "90(60+20)>4"},
      // More cached than there is.
      {kChat,
       R"({"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":)"
       R"({"cached_tokens":60,"cache_write_tokens":20}}})",
       "9(9+0)>4"},
      // Reasoning that is in the total alone.
      {kChat, R"({"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":20}})",
       "9(0+0)>11"},
      {kChat, R"({"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":2}})",
       "9(0+0)>4"},
      {kChat, R"({"usage":{"prompt_tokens":0,"completion_tokens":0}})", "0(0+0)>0"},
      {kChat, R"({"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":null}})",
       "9(0+0)>4"},
      {kChat, R"({"model":"m"})", "none"},
      {kChat, R"({"usage":null})", "none"},
      {kChat, R"({"usage":{}})", "?"},
      {kChat, R"({"usage":[9,4]})", "?"},
      {kChat, R"({"usage":{"prompt_tokens":9}})", "?"},
      {kChat, R"({"usage":{"prompt_tokens":-9,"completion_tokens":4}})", "?"},
      {kChat, R"({"usage":{"prompt_tokens":"9","completion_tokens":4}})", "?"},
      {kChat, R"({"usage":{"prompt_tokens":9.5,"completion_tokens":4}})", "?"},
      {kChat, R"({"usage":{"prompt_tokens":1e3,"completion_tokens":4}})", "?"},
      {kChat, R"({"usage":{"prompt_tokens":99999999999999999999,"completion_tokens":4}})", "?"},
      {kChat, R"({"usage":{"prompt_tokens":9,"completion_tokens":4},"usage":{}})", "?"},
      {kChat, R"({"usage":{"prompt_tokens":9,"completion_tokens":4}} x)", "?"},
      {kChat, "", "?"},
      {kChat, "[]", "?"},
      {Endpoint::kEmbeddings, R"({"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}})",
       "8(0+0)>0 of e"},
      {Endpoint::kResponses,
       R"({"model":"m","status":"failed","usage":{"input_tokens":7,"output_tokens":2,)"
       R"("input_tokens_details":{"cached_tokens":3}}})",
       "7(3+0)>2 of m"},
      {Endpoint::kResponses, R"({"model":"m","status":"queued","usage":null})", "none"},
      {Endpoint::kMessages,
       R"({"model":"c","usage":{"input_tokens":10,"cache_creation_input_tokens":100,)"
       R"("cache_read_input_tokens":1000,"output_tokens":5}})",
       "1110(1000+100)>5 of c"},
      {Endpoint::kMessages, R"({"usage":{"input_tokens":10,"output_tokens":5}})", "10(0+0)>5"},
      {Endpoint::kMessages, R"({"usage":{"input_tokens":10}})", "none"},
      {Endpoint::kMessages, R"({"usage":{"input_tokens":true,"output_tokens":5}})", "?"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.body);
    CHECK(body(row.endpoint, row.body) == row.said);
  }
}

TEST_CASE("a stream of chat completions: the last usage, and only when the answer has ended") {
  const std::string word = R"({"model":"m","choices":[{"delta":{"content":"x"}}],"usage":null})";
  const std::string stop = R"({"model":"m","choices":[{"delta":{},"finish_reason":"stop"}]})";
  const auto usage = [](const std::string& choices, int output) {
    return R"({"model":"m")" + choices + R"(,"usage":{"prompt_tokens":9,"completion_tokens":)" +
           std::to_string(output) + "}}";
  };
  const std::string content = R"(,"choices":[{"delta":{"content":"x"},"finish_reason":null}])";
  const auto chat = [](const std::vector<std::string>& data) {
    return events(Endpoint::kChat, data);
  };
  CHECK(chat({word, stop, usage(R"(,"choices":[])", 4), "[DONE]"}) == "9(0+0)>4 of m");
  CHECK(chat({word, stop, usage(R"(,"choices":null)", 4)}) == "9(0+0)>4 of m");
  CHECK(chat({word, stop, usage("", 4)}) == "9(0+0)>4 of m");
  CHECK(chat({word, stop, "[DONE]"}) == "none");
  CHECK(chat({usage(content, 1), usage(content, 2)}) == "9(0+0)>2... of m");
  CHECK(chat({usage(content, 1), usage(content, 2), "[DONE]"}) == "9(0+0)>2 of m");
  CHECK(chat({usage(content, 1), R"({"error":{"message":"overloaded"}})"}) == "9(0+0)>1... of m");
  CHECK(chat({usage(R"(,"choices":[])", 4), usage(R"(,"choices":[])", 5)}) == "9(0+0)>5 of m");
  CHECK(chat({usage(R"(,"choices":[])", 4), R"({"choices":[],"usage":{}})"}) == "?");
  CHECK(chat({"{", "", "x", "[DONE]"}) == "none");

  UsageReader reader(Endpoint::kChat);
  CHECK_FALSE(reader.read_event(word));
  CHECK_FALSE(reader.read_event(usage(content, 1)));
  CHECK_FALSE(reader.read_event(stop));
  CHECK_FALSE(reader.read_event(R"({"choices":[],"prompt_filter_results":[]})"));
  CHECK(reader.read_event(usage(R"(,"choices":[])", 4)));
  CHECK(reader.read_event(usage(R"(,"choices":null)", 4)));
  CHECK_FALSE(reader.read_event("[DONE]"));
}

TEST_CASE("a stream of responses: whichever way it ends") {
  const std::string created =
      R"({"type":"response.created","response":{"model":"m","usage":null}})";
  for (const char* end : {"completed", "incomplete", "failed"}) {
    CAPTURE(end);
    const std::string last =
        std::string(R"({"type":"response.)") + end +
        R"(","response":{"model":"m","usage":{"input_tokens":7,"output_tokens":2}}})";
    CHECK(events(Endpoint::kResponses, {created, last}) == "7(0+0)>2 of m");
  }
  CHECK(events(Endpoint::kResponses, {created}) == "none");
  CHECK(events(Endpoint::kResponses,
               {created, R"({"type":"response.failed","response":{"usage":null}})"}) == "none");
}

TEST_CASE("a stream of messages: counts are cumulative, each that is told replaces the last") {
  const std::string start =
      R"({"type":"message_start","message":{"model":"c","usage":{"input_tokens":10,)"
      R"("cache_read_input_tokens":1000,"cache_creation_input_tokens":0,"output_tokens":1}}})";
  const auto delta = [](const char* usage, const char* stop) {
    return std::string(R"({"type":"message_delta","delta":{"stop_reason":)") + stop +
           R"(},"usage":)" + usage + "}";
  };
  const auto messages = [](const std::vector<std::string>& data) {
    return events(Endpoint::kMessages, data);
  };
  CHECK(messages({start}) == "1010(1000+0)>1... of c");
  CHECK(messages({start, delta(R"({"output_tokens":15})", R"("end_turn")")}) ==
        "1010(1000+0)>15 of c");
  CHECK(messages({start, delta(R"({"output_tokens":8})", "null")}) == "1010(1000+0)>8... of c");
  CHECK(messages({start, delta(R"({"output_tokens":8})", "null"),
                  delta(R"({"input_tokens":12,"cache_read_input_tokens":null,"output_tokens":9})",
                        R"("end_turn")"),
                  R"({"type":"message_stop"})"}) == "1012(1000+0)>9 of c");
  CHECK(messages({start, R"({"type":"error","error":{"type":"overloaded_error"}})"}) ==
        "1010(1000+0)>1... of c");
  CHECK(messages({start, delta(R"({"output_tokens":-1})", R"("end_turn")")}) == "?");
  CHECK(messages({R"({"type":"message_stop"})"}) == "none");
}

}  // namespace
}  // namespace reeve::llm
