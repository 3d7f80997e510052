// What requests to LLM APIs ask for: which endpoints take tokens, the most that a call can take,
// and the one edit that reeve makes.
#include <catch2/catch.hpp>
#include <string>

#include "proxy/llm/request.h"

namespace reeve::llm {
namespace {

constexpr auto kChat = Endpoint::kChat;

// "OUTPUT", "ANSWERSx" where the price must say how much each; "+N" tokens of tools, "outside",
// "unpriced"; or the fault.
std::string bounds(Endpoint endpoint, const std::string& text) {
  json::Parser parser;
  const auto body = parser.parse(text);
  REQUIRE(body);
  const auto request = read_request(*body, endpoint, text.size());
  if (!request) return request.error().detail;
  const policy::TokenBounds& bounds = request->bounds;
  std::string out =
      bounds.output ? std::to_string(*bounds.output) : std::to_string(bounds.answers) + "x";
  if (endpoint != Endpoint::kCount && bounds.input != text.size()) {
    out += " +" + std::to_string(bounds.input - text.size());
  }
  if (bounds.reads_outside) out += " outside";
  if (!request->unpriced.empty()) out += " unpriced";
  return out;
}

TEST_CASE("which endpoints take tokens") {
  struct Row {
    const char* method;
    const char* path;
    Endpoint endpoint;
  };
  const Row rows[] = {{"POST", "/v1/chat/completions", Endpoint::kChat},
                      {"POST", "/chat/completions", Endpoint::kChat},
                      {"POST", "/openai/v1/chat/completions/", Endpoint::kChat},
                      {"POST", "/v1/completions", Endpoint::kCompletions},
                      {"POST", "/v1/responses", Endpoint::kResponses},
                      {"POST", "/v1/embeddings", Endpoint::kEmbeddings},
                      {"POST", "/v1/messages", Endpoint::kMessages},
                      {"POST", "/v1/messages/count_tokens", Endpoint::kCount},
                      {"POST", "/v1/responses/input_tokens", Endpoint::kFree},
                      {"POST", "/v1/responses/resp_1/cancel", Endpoint::kFree},
                      {"GET", "/v1/models", Endpoint::kFree},
                      {"DELETE", "/v1/responses/resp_1", Endpoint::kFree},
                      {"GET", "/v1/chat/completions", Endpoint::kFree},
                      // What is not known takes what nobody has said.
                      {"PUT", "/v1/chat/completions", Endpoint::kOther},
                      {"PATCH", "/v1/chat/completions", Endpoint::kOther},
                      {"POST", "/v1/Chat/Completions", Endpoint::kOther},
                      {"POST", "/v1/chat/completions/x", Endpoint::kOther},
                      {"POST", "/v1/chatcompletions", Endpoint::kOther},
                      {"POST", "/v1/images/generations", Endpoint::kOther},
                      {"POST", "/v1/batches", Endpoint::kOther},
                      {"POST", "/v1/threads/t/messagesx", Endpoint::kOther},
                      {"POST", "/v1/responses//cancel", Endpoint::kOther},
                      {"POST", "/", Endpoint::kOther},
                      {"QUERY", "/v1/models", Endpoint::kOther}};
  for (const Row& row : rows) {
    CAPTURE(row.method, row.path);
    CHECK(endpoint_of(row.method, row.path) == row.endpoint);
  }
}

TEST_CASE("the most output that a call can take") {
  struct Row {
    Endpoint endpoint;
    const char* body;
    const char* bounds;
  };
  const Row rows[] = {
      {kChat, R"({"model":"m"})", "1x"},
      {kChat, R"({"model":"m","max_tokens":null})", "1x"},
      {kChat, R"({"model":"m","max_tokens":50})", "50"},
      {kChat, R"({"model":"m","max_completion_tokens":50})", "50"},
      {kChat, R"({"model":"m","max_tokens":10,"max_completion_tokens":50})", "50"},
      {kChat, R"({"model":"m","max_tokens":50,"max_completion_tokens":10})", "50"},
      {kChat, R"({"model":"m","max_tokens":50,"n":3})", "150"},
      {kChat, R"({"model":"m","n":3})", "3x"},
      {kChat, R"({"model":"m","max_output_tokens":50})", "1x"},
      {kChat, R"({"model":"m","max_tokens":0})", "0"},
      {Endpoint::kResponses, R"({"model":"m","max_output_tokens":50})", "50"},
      {Endpoint::kResponses, R"({"model":"m","max_tokens":50})", "1x"},
      {Endpoint::kMessages, R"({"model":"m","max_tokens":50})", "50"},
      {Endpoint::kEmbeddings, R"({"model":"m","input":"x"})", "0"},
      {Endpoint::kCount, R"({"model":"m","messages":[]})", "0"},
      {Endpoint::kCompletions, R"({"model":"m","prompt":"x","max_tokens":9,"best_of":4,"n":2})",
       "36"},
      {Endpoint::kCompletions, R"({"model":"m","prompt":["x","y","z"],"max_tokens":9})", "27"},
      {Endpoint::kCompletions, R"({"model":"m","prompt":[1,2,3],"max_tokens":9})", "9"},
      {Endpoint::kCompletions, R"({"model":"m","prompt":[[1,2],[3]],"max_tokens":9,"n":2})", "36"},
      {kChat, R"({"model":"m","max_tokens":-1})",
       "`max_tokens` must be a whole number from 0 to 2147483648"},
      {kChat, R"({"model":"m","max_tokens":1.5})",
       "`max_tokens` must be a whole number from 0 to 2147483648"},
      {kChat, R"({"model":"m","max_tokens":"50"})",
       "`max_tokens` must be a whole number from 0 to 2147483648"},
      {kChat, R"({"model":"m","max_tokens":99999999999999999999})",
       "`max_tokens` must be a whole number from 0 to 2147483648"},
      {kChat, R"({"model":"m","n":0})", "`n` must be a whole number from 1 to 4096"},
      {kChat, R"({})", "the body names no model; add `model`"},
      {kChat, R"({"model":""})", "the body names no model; add `model`"},
      {kChat, R"({"model":["m"]})", "the body names no model; add `model`"},
      {kChat, R"([])", "the body must be a JSON object"},
      {kChat, R"({"model":"m","stream":"true"})", "`stream` must be true or false"},
      {kChat, R"({"model":"m","stream":1})", "`stream` must be true or false"},
      {kChat, R"({"model":"m","stream_options":[]})", "`stream_options` must be an object"},
      {kChat, R"({"model":"m","stream_options":{"include_usage":1}})",
       "`stream_options.include_usage` must be true or false"},
      {kChat, R"({"model":"m","Max_Tokens":1})",
       "the body has a key that equals `max_tokens` but for case, which some readers take for it; "
       "remove it"},
      {kChat, R"({"model":"m","\u006dODEL":"n"})",
       "the body has a key that equals `model` but for case, which some readers take for it; "
       "remove it"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.body);
    CHECK(bounds(row.endpoint, row.body) == row.bounds);
  }
  const std::string predicted =
      R"({"model":"m","max_tokens":5,"prediction":{"type":"content","content":"abc"}})";
  CHECK(bounds(kChat, predicted) == std::to_string(5 + predicted.size()));
}

TEST_CASE("what stands outside the body, and what runs at the API") {
  struct Row {
    Endpoint endpoint;
    const char* members;
    const char* bounds;
  };
  constexpr auto kResponses = Endpoint::kResponses;
  constexpr auto kMessages = Endpoint::kMessages;
  const Row rows[] = {
      {kChat, R"("messages":[{"role":"user","content":"hi"}])", "1x"},
      {kChat, R"("messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}])", "1x"},
      {kChat, R"("messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"a"}]}])",
       "1x"},
      {kChat,
       R"("messages":[{"content":[{"type":"image_url","image_url":{"url":"https://x/y"}}]}])",
       "1x outside"},
      // How many tokens a picture is depends on its size in pixels, not in bytes.
      {kChat,
       R"("messages":[{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,"}}]}])",
       "1x outside"},
      {kChat, R"("messages":[{"content":[{"type":"file","file":{"file_id":"f"}}]}])", "1x outside"},
      {kChat, R"("messages":[{"content":[{"text":"hi"}]}])", "1x outside"},
      {kChat, R"("messages":[{"content":{"type":"text"}}])", "1x outside"},
      {kChat, R"("messages":[{"role":"assistant","audio":{"id":"a"}}])", "1x outside"},
      {kChat, R"("messages":{"0":"x"})", "1x outside"},
      {kResponses, R"("input":"hi")", "1x"},
      {kResponses, R"("input":[{"role":"user","content":"hi"}])", "1x"},
      {kResponses, R"("input":[{"type":"message","content":[{"type":"input_text","text":"x"}]}])",
       "1x"},
      {kResponses, R"("input":[{"type":"function_call_output","call_id":"c","output":"x"}])", "1x"},
      {kResponses, R"("input":[{"type":"function_call","arguments":"{}"}])", "1x"},
      {kResponses, R"("input":[{"type":"message","content":[{"type":"input_image"}]}])",
       "1x outside"},
      {kResponses, R"("input":[{"type":"item_reference","id":"x"}])", "1x outside"},
      {kResponses, R"("input":[{"type":"reasoning","encrypted_content":"x"}])", "1x outside"},
      {kResponses, R"("previous_response_id":"resp_1")", "1x outside"},
      {kResponses, R"("previous_response_id":null)", "1x"},
      {kResponses, R"("conversation":"conv_1")", "1x outside"},
      {kResponses, R"("prompt":{"id":"pmpt_1"})", "1x outside"},
      {kMessages, R"("system":"x","messages":[{"role":"user","content":"hi"}])", "1x"},
      {kMessages, R"("system":[{"type":"text","text":"x"}])", "1x"},
      {kMessages, R"("system":[{"type":"document"}])", "1x outside"},
      {kMessages,
       R"("messages":[{"content":[{"type":"tool_use","input":{"type":"image"}},)"
       R"({"type":"tool_result","content":[{"type":"text","text":"x"}]}]}])",
       "1x"},
      {kMessages,
       R"("messages":[{"content":[{"type":"tool_result","content":[{"type":"image"}]}]}])",
       "1x outside"},
      {kMessages, R"("messages":[{"content":[{"type":"document","source":{}}]}])", "1x outside"},
      {Endpoint::kEmbeddings, R"("input":["a","b"])", "0"},
      {Endpoint::kEmbeddings, R"("input":[[1,2],[3]])", "0"},
      {Endpoint::kEmbeddings, R"("input":[{"image":"https://x/y"}])", "0 outside"},
      {kChat, R"("tools":[])", "1x"},
      {kChat, R"("tools":[{"type":"function","function":{"name":"f"}}])", "1x +1024"},
      {kChat, R"("functions":[{"name":"f"}])", "1x +1024"},
      {kMessages, R"("tools":[{"name":"f","input_schema":{}}])", "1x +1024"},
      {kMessages, R"("tools":[{"type":"bash_20250124","name":"bash"}])", "1x +2048"},
      {kResponses, R"("tools":[{"type":"local_shell"}])", "1x +2048"},
      {kMessages, R"("tools":[{"type":"web_search_20250305","name":"w"}])", "1x +1024 unpriced"},
      {kResponses, R"("tools":[{"type":"function"},{"type":"web_search"}])", "1x +1024 unpriced"},
      {kResponses, R"("tools":[{"type":"mcp","server_url":"https://x"}])", "1x +1024 unpriced"},
      {kChat, R"("tools":[{"type":"bash_20250124"}])", "1x +1024 unpriced"},
      {kChat, R"("web_search_options":{})", "1x unpriced"},
      {kMessages, R"("mcp_servers":[{"url":"https://x"}])", "1x unpriced"},
      {kMessages, R"("mcp_servers":[])", "1x"},
      {kChat, R"("tools":{"type":"function"})", "`tools` must be a list"},
      {kChat, R"("tools":["web_search"])", "a tool must be an object"},
      {kChat, R"("tools":[{"type":["web_search"]}])", "the type of a tool must be a string"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.members);
    CHECK(bounds(row.endpoint, std::string(R"({"model":"m",)") + row.members + "}") == row.bounds);
  }
}

TEST_CASE("a stream is asked for its usage by one edit") {
  struct Row {
    const char* before;
    const char* after;
  };
  const Row rows[] = {
      {R"({"model":"m","stream":true})",
       R"({"stream_options":{"include_usage":true},"model":"m","stream":true})"},
      {"\n { \"model\" : \"m\",\"stream\":true }\n",
       "\n {\"stream_options\":{\"include_usage\":true}, \"model\" : \"m\",\"stream\":true }\n"},
      {R"({"model":"m","stream_options": null ,"stream":true})",
       R"({"model":"m","stream_options": {"include_usage":true} ,"stream":true})"},
      {R"({"model":"m","stream_options":{ },"stream":true})",
       R"({"model":"m","stream_options":{"include_usage":true },"stream":true})"},
      {R"({"model":"m","stream_options":{"x":1},"stream":true})",
       R"({"model":"m","stream_options":{"include_usage":true,"x":1},"stream":true})"},
      {R"({"model":"m","stream_options":{"include_usage": false},"stream":true})",
       R"({"model":"m","stream_options":{"include_usage": true},"stream":true})"},
      {R"({"model":"m","stream_options":{"include_usage":null,"x":1},"stream":true})",
       R"({"model":"m","stream_options":{"include_usage":true,"x":1},"stream":true})"},
      {R"({"model":"m","\u0073tream_options":{"include_usage":false},"stream":true})",
       R"({"model":"m","\u0073tream_options":{"include_usage":true},"stream":true})"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.before);
    json::Parser parser;
    const std::string text = row.before;
    const auto body = parser.parse(text);
    REQUIRE(body);
    const auto request = read_request(*body, kChat, text.size());
    REQUIRE(request);
    CHECK_FALSE(request->asks_for_usage);
    const std::string edited = ask_for_usage(text, *body);
    CHECK(edited == row.after);
    const auto again = parser.parse(edited);
    REQUIRE(again);
    const auto read = read_request(*again, kChat, edited.size());
    REQUIRE(read);
    CHECK(read->asks_for_usage);
  }
}

}  // namespace
}  // namespace reeve::llm
