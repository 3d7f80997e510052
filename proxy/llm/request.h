// What a request to an LLM API asks for, as far as it bounds what it can cost.
#ifndef REEVE_PROXY_LLM_REQUEST_H_
#define REEVE_PROXY_LLM_REQUEST_H_

#include <optional>
#include <string>

#include "policy/json.h"
#include "policy/result.h"
#include "policy/tokens.h"
#include "proxy/llm/endpoint.h"

namespace reeve::llm {

struct Request {
  Endpoint endpoint = Endpoint::kOther;
  std::string model;
  bool stream = false;
  bool asks_for_usage = false;  // of a stream; other answers always tell it
  policy::TokenBounds bounds;
  std::string unpriced;  // why its price cannot be told; empty: it can
};

struct RequestFault {
  int status = 400;
  std::string detail;
};

// Reads the body of a request to an endpoint that names_model(). `bytes` is the size of the body.
Result<Request, RequestFault> read_request(const json::Value& body, Endpoint endpoint,
                                           size_t bytes);

// The body with `stream_options: {include_usage: true}`, every other byte as it was. Requires a
// body that read_request() took, of a stream that does not ask for it.
std::string ask_for_usage(std::string_view text, const json::Value& body);

// Whether this endpoint takes `stream_options`.
inline bool takes_stream_options(Endpoint endpoint) {
  return endpoint == Endpoint::kChat || endpoint == Endpoint::kCompletions;
}

}  // namespace reeve::llm

#endif  // REEVE_PROXY_LLM_REQUEST_H_
