// Doubt reserves more, or refuses: what is not known to be text in the body reads outside it, and a
// tool that is not known to run at the agent runs at the API, at a price that nobody has said.
//
// One token stands for at least one byte of text (byte-level BPE), and a message's frame in JSON is
// longer than its frame in tokens. Tested by tests/proxy/llm_request_test.cc.
#include "proxy/llm/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>

#include "policy/json_keys.h"

namespace reeve::llm {

namespace {

using json::Value;

// Anthropic puts up to 530 tokens of its own before tools (docs.claude.com, "Pricing for tool
// use"), and up to 735 for each tool that it defines and the agent runs.
constexpr uint64_t kTokensOfTools = 1024;
constexpr uint64_t kTokensOfKnownTool = 1024;
constexpr uint64_t kMostNumber = uint64_t{1} << 31;  // of what a request may ask for
constexpr uint64_t kMostAnswers = 4096;

enum Key : size_t {
  kModel,
  kStream,
  kStreamOptions,
  kMaxTokens,
  kMaxCompletionTokens,
  kMaxOutputTokens,
  kN,
  kBestOf,
  kPrompt,
  kMessages,
  kInput,
  kTools,
  kFunctions,
  kSystem,
  kPreviousResponse,
  kConversation,
  kPrediction,
  kWebSearch,
  kMcpServers,
  kContainer,
};

const json::KeySet& keys() {
  static const json::KeySet set{"model",
                                "stream",
                                "stream_options",
                                "max_tokens",
                                "max_completion_tokens",
                                "max_output_tokens",
                                "n",
                                "best_of",
                                "prompt",
                                "messages",
                                "input",
                                "tools",
                                "functions",
                                "system",
                                "previous_response_id",
                                "conversation",
                                "prediction",
                                "web_search_options",
                                "mcp_servers",
                                "container"};
  return set;
}

bool is_one_of(const Value& text, std::span<const std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.equals(word); });
}

bool begins_with_one_of(const Value& value, std::span<const std::string_view> heads) {
  std::string scratch;
  const std::string_view text = value.text(scratch);
  return std::any_of(heads.begin(), heads.end(),
                     [&](std::string_view head) { return text.starts_with(head); });
}

// The type of a part, message or item; nothing when it is not a string.
std::optional<Value> type_of(const Value& object) {
  if (!object.is_object()) return std::nullopt;
  const auto type = object.find("type");
  return type && type->is_string() ? type : std::nullopt;
}

// Whether all of a message's content stands in it as text: a string, null, or parts of text.
bool content_is_text(const Value& content) {
  static constexpr std::string_view kText[] = {"text", "input_text", "output_text", "refusal"};
  if (content.is_string() || content.is_null()) return true;
  if (!content.is_array()) return false;
  for (const Value part : content.items()) {
    if (part.is_string()) continue;
    const auto type = type_of(part);
    if (!type) return false;
    if (is_one_of(*type, kText) || type->equals("tool_use")) continue;
    if (!type->equals("tool_result")) return false;
    const auto result = part.find("content");
    if (result && !content_is_text(*result)) return false;
  }
  return true;
}

bool message_is_text(const Value& message) {
  if (!message.is_object()) return false;
  const auto audio = message.find("audio");  // refers to an earlier answer
  const auto content = message.find("content");
  return (!audio || audio->is_null()) && (!content || content_is_text(*content));
}

// An item of `input` of OpenAI's responses.
bool item_is_text(const Value& item) {
  static constexpr std::string_view kCalls[] = {"function_call", "custom_tool_call"};
  static constexpr std::string_view kOutputs[] = {"function_call_output",
                                                  "custom_tool_call_output"};
  const auto type = item.is_object() ? item.find("type") : std::nullopt;
  if (!type || (type->is_string() && type->equals("message"))) return message_is_text(item);
  if (!type->is_string()) return false;
  if (is_one_of(*type, kCalls)) return true;
  const auto output = item.find("output");
  return is_one_of(*type, kOutputs) && output && content_is_text(*output);
}

bool all_of_it(const std::optional<Value>& list, bool (*is_text)(const Value&)) {
  if (!list || list->is_string()) return true;
  if (!list->is_array()) return false;
  for (const Value each : list->items()) {
    if (!is_text(each)) return false;
  }
  return true;
}

// Texts, or tokens by their numbers.
bool is_text_or_tokens(const Value& value) {
  if (value.is_string() || value.is_number()) return true;
  if (!value.is_array()) return false;
  for (const Value each : value.items()) {
    if (!each.is_number()) return false;
  }
  return true;
}

class RequestReader {
 public:
  RequestReader(const Value& body, Endpoint endpoint, size_t bytes) : body_(body) {
    request_.endpoint = endpoint;
    request_.bounds.input = bytes;
  }

  Result<Request, RequestFault> run() {
    if (!body_.is_object()) return RequestFault{400, "the body must be a JSON object"};
    keys().read(body_, found_);
    if (!found_.variant.empty()) {
      return RequestFault{400,
                          fmt::format("the body has a key that equals `{}` but for case, which "
                                      "some readers take for it; remove it",
                                      found_.variant)};
    }
    read_model();
    read_stream();
    if (request_.endpoint == Endpoint::kCount) {
      request_.bounds = {.input = 0, .output = 0};
    } else {
      read_output();
      read_tools();
      request_.bounds.reads_outside = reads_outside();
    }
    if (fault_) return *fault_;
    return std::move(request_);
  }

 private:
  void refuse(std::string detail) {
    if (!fault_) fault_ = RequestFault{400, std::move(detail)};
  }

  // What is null counts as absent.
  std::optional<Value> value(Key key) const {
    const auto& value = found_.values[key];
    return value && !value->is_null() ? value : std::nullopt;
  }

  void read_model() {
    const auto model = value(kModel);
    std::string scratch;
    if (model && model->is_string()) request_.model = model->text(scratch);
    if (request_.model.empty()) refuse("the body names no model; add `model`");
  }

  void read_stream() {
    if (const auto stream = value(kStream)) {
      const json::Type type = stream->type();
      request_.stream = type == json::Type::kTrue;
      if (!request_.stream && type != json::Type::kFalse) refuse("`stream` must be true or false");
    }
    const auto options = value(kStreamOptions);
    if (!options || !takes_stream_options(request_.endpoint)) return;
    if (!options->is_object()) return refuse("`stream_options` must be an object");
    if (options->has_case_variant("include_usage")) {
      return refuse(
          "`stream_options` has a key that equals `include_usage` but for case; remove it");
    }
    const auto asked = options->find("include_usage");
    if (!asked || asked->is_null()) return;
    request_.asks_for_usage = asked->type() == json::Type::kTrue;
    if (!request_.asks_for_usage && asked->type() != json::Type::kFalse) {
      refuse("`stream_options.include_usage` must be true or false");
    }
  }

  std::optional<uint64_t> number(Key key, std::string_view name, uint64_t least, uint64_t most) {
    const auto found = value(key);
    if (!found) return std::nullopt;
    uint64_t number = 0;
    const std::string_view raw = found->raw();
    const auto [end, ec] = std::from_chars(raw.data(), raw.data() + raw.size(), number);
    const bool whole = found->is_number() && ec == std::errc{} && end == raw.data() + raw.size();
    if (whole && number >= least && number <= most) return number;
    refuse(fmt::format("`{}` must be a whole number from {} to {}", name, least, most));
    return std::nullopt;
  }

  // Answers that are made, whether or not they are given: of `best_of` all are paid for.
  uint64_t answers() {
    uint64_t answers = number(kN, "n", 1, kMostAnswers).value_or(1);
    if (request_.endpoint != Endpoint::kCompletions) return answers;
    answers = std::max(answers, number(kBestOf, "best_of", 1, kMostAnswers).value_or(1));
    const auto prompt = value(kPrompt);
    if (!prompt || !prompt->is_array()) return answers;
    uint64_t prompts = 0;  // a list of numbers is one prompt
    for (const Value each : prompt->items()) prompts += each.is_number() ? 0 : 1;
    return answers * std::max<uint64_t>(prompts, 1);
  }

  void read_output() {
    policy::TokenBounds& bounds = request_.bounds;
    if (request_.endpoint == Endpoint::kEmbeddings) {
      bounds.output = 0;
      return;
    }
    bounds.answers = answers();
    const auto older = number(kMaxTokens, "max_tokens", 0, kMostNumber);
    const auto newer = number(kMaxCompletionTokens, "max_completion_tokens", 0, kMostNumber);
    const auto of_responses = number(kMaxOutputTokens, "max_output_tokens", 0, kMostNumber);
    std::optional<uint64_t> most;
    if (request_.endpoint == Endpoint::kResponses) {
      most = of_responses;
    } else if (request_.endpoint == Endpoint::kChat) {
      most = older && newer ? std::max(*older, *newer) : newer ? newer : older;
    } else {
      most = older;
    }
    if (most) bounds.output = *most * bounds.answers;
    // What was predicted wrongly is paid for as output, whatever the most is.
    if (bounds.output && value(kPrediction)) *bounds.output += bounds.input * bounds.answers;
  }

  void read_tools() {
    for (const auto& [key, name] : {std::pair{kWebSearch, "web_search_options"},
                                    {kMcpServers, "mcp_servers"},
                                    {kContainer, "container"}}) {
      const auto used = value(key);
      if (used && !(used->is_array() && used->size() == 0)) refuse_tool(name);
    }
    const auto tools = value(kTools);
    const auto functions = value(kFunctions);
    const bool has_tools = tools && !(tools->is_array() && tools->size() == 0);
    if (has_tools || functions) request_.bounds.input += kTokensOfTools;
    if (!has_tools) return;
    if (!tools->is_array()) return refuse("`tools` must be a list");
    for (const Value tool : tools->items()) read_tool(tool);
  }

  void read_tool(const Value& tool) {
    // Tools that the agent runs: its own, and those that the API only defines.
    static constexpr std::string_view kOwn[] = {"function", "custom"};
    static constexpr std::string_view kDefined[] = {"local_shell", "apply_patch", "computer",
                                                    "computer_use_preview"};
    static constexpr std::string_view kDated[] = {"bash_", "text_editor_", "computer_", "memory_"};
    if (!tool.is_object()) return refuse("a tool must be an object");
    const auto type = tool.find("type");
    if (!type || type->is_null()) return;  // Anthropic's own tools may leave it out
    if (!type->is_string()) return refuse("the type of a tool must be a string");
    if (is_one_of(*type, kOwn)) return;
    const bool defined = request_.endpoint == Endpoint::kMessages
                             ? begins_with_one_of(*type, kDated)
                             : is_one_of(*type, kDefined);
    if (defined) {
      request_.bounds.input += kTokensOfKnownTool;
      return;
    }
    std::string scratch;
    refuse_tool(type->text(scratch));
  }

  void refuse_tool(std::string_view name) {
    request_.unpriced =
        fmt::format("the call uses `{}`, which runs at the API and has no price; leave it out",
                    name.substr(0, 64));
  }

  bool reads_outside() const {
    switch (request_.endpoint) {
      case Endpoint::kChat:
        return !all_of_it(value(kMessages), message_is_text);
      case Endpoint::kMessages:
        return !all_of_it(value(kMessages), message_is_text) ||
               !(value(kSystem) ? content_is_text(*value(kSystem)) : true);
      case Endpoint::kResponses:
        // `prompt` names a template that is kept at the API.
        return value(kPreviousResponse) || value(kConversation) || value(kPrompt) ||
               !all_of_it(value(kInput), item_is_text);
      case Endpoint::kCompletions:
        return !all_of_it(value(kPrompt), is_text_or_tokens);
      case Endpoint::kEmbeddings:
        return !all_of_it(value(kInput), is_text_or_tokens);
      default:
        return true;
    }
  }

  const Value& body_;
  json::KeySet::Found found_;
  Request request_;
  std::optional<RequestFault> fault_;
};

}  // namespace

Result<Request, RequestFault> read_request(const Value& body, Endpoint endpoint, size_t bytes) {
  return RequestReader(body, endpoint, bytes).run();
}

std::string ask_for_usage(std::string_view text, const Value& body) {
  constexpr std::string_view kAsked = "\"include_usage\":true";
  const auto replaced = [text](size_t at, size_t size, std::string_view by) {
    std::string out;
    out.reserve(text.size() + by.size());
    out.append(text.substr(0, at)).append(by).append(text.substr(at + size));
    return out;
  };
  const auto options = body.find("stream_options");
  if (!options) {  // the body names a model, so something follows
    return replaced(body.offset() + 1, 0, fmt::format("\"stream_options\":{{{}}},", kAsked));
  }
  if (options->is_null()) {
    return replaced(options->offset(), options->raw().size(), fmt::format("{{{}}}", kAsked));
  }
  if (const auto asked = options->find("include_usage")) {
    return replaced(asked->offset(), asked->raw().size(), "true");
  }
  return replaced(options->offset() + 1, 0,
                  fmt::format("{}{}", kAsked, options->size() == 0 ? "" : ","));
}

}  // namespace reeve::llm
