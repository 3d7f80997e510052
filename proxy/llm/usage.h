// What the answer of an LLM API says of tokens: in its body, or in events as they pass.
//
// A reader of one answer. What it cannot read it does not guess: then usage() is nothing and the
// call is charged in full. The last usage counts; one that comes while the answer is made is only
// good when the answer has ended (complete()).
#ifndef REEVE_PROXY_LLM_USAGE_H_
#define REEVE_PROXY_LLM_USAGE_H_

#include <optional>
#include <string>
#include <string_view>

#include "policy/json.h"
#include "policy/tokens.h"
#include "proxy/llm/endpoint.h"

namespace reeve::llm {

class UsageReader {
 public:
  explicit UsageReader(Endpoint endpoint) : endpoint_(endpoint) {}

  // A whole body.
  void read_body(std::string_view text);
  // The data of one event. Whether it is the chunk that `include_usage` adds: no choices, a usage.
  bool read_event(std::string_view data);

  // Nothing when the answer has told none, or has told it in a form that cannot be read.
  std::optional<policy::TokenUsage> usage() const;
  bool unreadable() const { return unreadable_; }
  // No more can be used than usage() says.
  bool complete() const { return complete_; }
  // The model that answered; empty when that is not told.
  const std::string& model() const { return model_; }

 private:
  // Anthropic's messages tell each of these when they know it, the last counts.
  struct Counts {
    std::optional<uint64_t> input, cache_read, cache_write, output;
  };

  void read_chunk(const json::Value& root);
  void read_response(const json::Value& response);
  void read_message_event(const json::Value& root);
  void read_model(const json::Value& object);
  void read_usage(const json::Value& usage);
  void read_openai(const json::Value& usage);
  void read_anthropic(const json::Value& usage);
  bool take(const json::Value& object, std::string_view key, std::optional<uint64_t>& to);

  const Endpoint endpoint_;
  json::Parser parser_;
  Counts counts_;
  std::optional<policy::TokenUsage> openai_;
  bool unreadable_ = false;
  bool ended_ = false;  // the answer has: what was told then is the last
  bool complete_ = false;
  std::string model_;
};

}  // namespace reeve::llm

#endif  // REEVE_PROXY_LLM_USAGE_H_
