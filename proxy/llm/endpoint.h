// Which requests to an LLM API take tokens. Paths are told by how they end, whatever stands before
// (`/v1`, `/openai/v1`, `/api/v1`), so that what is compatible is metered alike.
#ifndef REEVE_PROXY_LLM_ENDPOINT_H_
#define REEVE_PROXY_LLM_ENDPOINT_H_

#include <cstdint>
#include <string_view>

namespace reeve::llm {

enum class Endpoint : uint8_t {
  kOther,        // takes tokens as far as anyone knows: only what a price names goes out
  kFree,         // takes none: what only reads or deletes, cancels or counts
  kChat,         // OpenAI's POST /chat/completions
  kCompletions,  // POST /completions
  kResponses,    // POST /responses
  kEmbeddings,   // POST /embeddings
  kMessages,     // Anthropic's POST /messages
  kCount,        // POST /messages/count_tokens: free, but of a model
};

// `path` is decoded, without query and without trailing slash.
Endpoint endpoint_of(std::string_view method, std::string_view path);

inline bool names_model(Endpoint endpoint) {
  return endpoint != Endpoint::kOther && endpoint != Endpoint::kFree;
}

}  // namespace reeve::llm

#endif  // REEVE_PROXY_LLM_ENDPOINT_H_
