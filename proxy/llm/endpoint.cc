// The APIs are those of OpenAI (platform.openai.com/docs/api-reference) and Anthropic
// (docs.claude.com/en/api). Tested by tests/proxy/llm_request_test.cc.
#include "proxy/llm/endpoint.h"

namespace reeve::llm {

namespace {

struct Ending {
  std::string_view path;
  Endpoint endpoint;
};

// The longer ones first.
constexpr Ending kEndings[] = {{"/messages/count_tokens", Endpoint::kCount},
                               {"/chat/completions", Endpoint::kChat},
                               {"/completions", Endpoint::kCompletions},
                               {"/responses/input_tokens", Endpoint::kFree},
                               {"/responses", Endpoint::kResponses},
                               {"/embeddings", Endpoint::kEmbeddings},
                               {"/messages", Endpoint::kMessages}};

// `…/responses/ID/cancel`.
bool cancels(std::string_view path) {
  constexpr std::string_view kCancel = "/cancel";
  constexpr std::string_view kResponses = "/responses/";
  if (!path.ends_with(kCancel)) return false;
  path.remove_suffix(kCancel.size());
  const size_t id = path.rfind('/');
  return id != path.npos && id + 1 < path.size() && path.substr(0, id + 1).ends_with(kResponses);
}

}  // namespace

Endpoint endpoint_of(std::string_view method, std::string_view path) {
  if (method == "GET" || method == "HEAD" || method == "DELETE" || method == "OPTIONS") {
    return Endpoint::kFree;
  }
  if (method != "POST") return Endpoint::kOther;
  while (path.ends_with('/')) path.remove_suffix(1);
  for (const Ending& ending : kEndings) {
    if (path.ends_with(ending.path)) return ending.endpoint;
  }
  return cancels(path) ? Endpoint::kFree : Endpoint::kOther;
}

}  // namespace reeve::llm
