// Where the usage is and what counts within what: OpenAI has cached and written tokens inside the
// input and reasoning inside the output, Anthropic has cached and written ones beside the input.
// Tested by tests/proxy/llm_usage_test.cc and tests/fuzz/llm_usage_fuzz.cc.
#include "proxy/llm/usage.h"

#include <algorithm>
#include <charconv>

namespace reeve::llm {

namespace {

using json::Value;

constexpr uint64_t kMostTokens = uint64_t{1} << 40;  // sums of a few fit anywhere
constexpr size_t kLongestModel = 256;

std::optional<Value> find(const Value& object, std::string_view key) {
  if (!object.is_object()) return std::nullopt;
  const auto value = object.find(key);
  return value && !value->is_null() ? value : std::nullopt;
}

bool is_text(const std::optional<Value>& value, std::string_view text) {
  return value && value->is_string() && value->equals(text);
}

// `choices: []`, null, or none at all.
bool has_no_choices(const Value& chunk) {
  const auto choices = find(chunk, "choices");
  return !choices || (choices->is_array() && choices->size() == 0);
}

bool has_finished_choice(const Value& chunk) {
  const auto choices = find(chunk, "choices");
  if (!choices || !choices->is_array()) return false;
  for (const Value choice : choices->items()) {
    if (find(choice, "finish_reason")) return true;
  }
  return false;
}

}  // namespace

// A number of tokens into `to`, if it is there. False when it is none.
bool UsageReader::take(const Value& object, std::string_view key, std::optional<uint64_t>& to) {
  const auto value = find(object, key);
  if (!value) return true;
  const std::string_view raw = value->raw();
  uint64_t count = 0;
  const auto [end, ec] = std::from_chars(raw.data(), raw.data() + raw.size(), count);
  const bool good = value->is_number() && ec == std::errc{} && end == raw.data() + raw.size() &&
                    count <= kMostTokens;
  unreadable_ = unreadable_ || !good;
  if (good) to = count;
  return good;
}

void UsageReader::read_model(const Value& object) {
  const auto model = find(object, "model");
  if (!model || !model->is_string()) return;
  std::string scratch;
  const std::string_view text = model->text(scratch);
  if (!text.empty() && text.size() <= kLongestModel) model_ = text;
}

void UsageReader::read_openai(const Value& usage) {
  std::optional<uint64_t> input, output, total, cached, written;
  take(usage, "prompt_tokens", input);
  take(usage, "input_tokens", input);
  take(usage, "completion_tokens", output);
  take(usage, "output_tokens", output);
  take(usage, "total_tokens", total);
  for (const char* name : {"prompt_tokens_details", "input_tokens_details"}) {
    const auto details = find(usage, name);
    if (!details) continue;
    take(*details, "cached_tokens", cached);
    take(*details, "cache_write_tokens", written);
  }
  if (!output && endpoint_ == Endpoint::kEmbeddings) output = 0;
  if (!input || !output) {
    unreadable_ = true;
    return;
  }
  policy::TokenUsage counted;
  counted.input = *input;
  counted.cached_input = std::min(cached.value_or(0), *input);
  counted.cache_write = std::min(written.value_or(0), *input - counted.cached_input);
  counted.output = *output;
  // Some that are compatible leave reasoning out of the output, but not out of the total.
  if (total && *total > *input) counted.output = std::max(*output, *total - *input);
  openai_ = counted;
}

void UsageReader::read_anthropic(const Value& usage) {
  take(usage, "input_tokens", counts_.input);
  take(usage, "cache_read_input_tokens", counts_.cache_read);
  take(usage, "cache_creation_input_tokens", counts_.cache_write);
  take(usage, "output_tokens", counts_.output);
}

void UsageReader::read_usage(const Value& usage) {
  unreadable_ = !usage.is_object();  // the last usage counts, also for this
  if (unreadable_) return;
  if (endpoint_ == Endpoint::kMessages) {
    read_anthropic(usage);
  } else {
    read_openai(usage);
  }
}

std::optional<policy::TokenUsage> UsageReader::usage() const {
  if (unreadable_) return std::nullopt;
  if (endpoint_ != Endpoint::kMessages) return openai_;
  if (!counts_.input || !counts_.output) return std::nullopt;
  policy::TokenUsage counted;
  counted.cached_input = counts_.cache_read.value_or(0);
  counted.cache_write = counts_.cache_write.value_or(0);
  counted.input = *counts_.input + counted.cached_input + counted.cache_write;
  counted.output = *counts_.output;
  return counted;
}

void UsageReader::read_body(std::string_view text) {
  const auto root = parser_.parse(text);
  unreadable_ = !root || !root->is_object();
  if (unreadable_) return;
  read_model(*root);
  if (const auto usage = find(*root, "usage")) {
    read_usage(*usage);
    complete_ = true;
  }
}

// Of chat and completions.
void UsageReader::read_chunk(const Value& root) {
  read_model(root);
  ended_ = ended_ || has_finished_choice(root);
  if (const auto usage = find(root, "usage")) {
    read_usage(*usage);
    if (has_no_choices(root)) ended_ = true;
  }
  complete_ = ended_ && openai_;
}

void UsageReader::read_response(const Value& root) {
  static constexpr std::string_view kEnds[] = {"response.completed", "response.incomplete",
                                               "response.failed"};
  const auto response = find(root, "response");
  if (!response) return;
  read_model(*response);
  const auto type = find(root, "type");
  const bool ends = std::any_of(std::begin(kEnds), std::end(kEnds),
                                [&](std::string_view end) { return is_text(type, end); });
  const auto usage = find(*response, "usage");
  if (usage) read_usage(*usage);
  if (ends && usage) complete_ = true;
}

void UsageReader::read_message_event(const Value& root) {
  const auto type = find(root, "type");
  if (is_text(type, "message_start")) {
    const auto message = find(root, "message");
    if (!message) return;
    read_model(*message);
    if (const auto usage = find(*message, "usage")) read_usage(*usage);
  } else if (is_text(type, "message_delta")) {
    const auto usage = find(root, "usage");
    if (usage) read_usage(*usage);
    const auto delta = find(root, "delta");
    if (usage && delta && find(*delta, "stop_reason")) complete_ = true;
  } else if (is_text(type, "message_stop")) {
    complete_ = true;
  }
}

bool UsageReader::read_event(std::string_view data) {
  if (data == "[DONE]") {
    ended_ = true;
    complete_ = complete_ || openai_.has_value();
    return false;
  }
  const auto root = parser_.parse(data);
  if (!root || !root->is_object()) return false;
  if (endpoint_ == Endpoint::kMessages) {
    read_message_event(*root);
  } else if (endpoint_ == Endpoint::kResponses) {
    read_response(*root);
  } else {
    read_chunk(*root);
    return has_no_choices(*root) && find(*root, "usage").has_value();
  }
  return false;
}

}  // namespace reeve::llm
