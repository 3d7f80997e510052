// Requests to LLM APIs on any bytes: reading never fails but by saying so, bounds stay within what
// sums can hold, and the edit that asks for the usage changes nothing else.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/llm/request.h"

namespace {

using namespace reeve;
using llm::Endpoint;

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static constexpr Endpoint kEndpoints[] = {Endpoint::kChat,      Endpoint::kCompletions,
                                            Endpoint::kResponses, Endpoint::kEmbeddings,
                                            Endpoint::kMessages,  Endpoint::kCount};
  const Endpoint endpoint = kEndpoints[data[0] % 6];
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  json::Parser parser;
  const auto body = parser.parse(text);
  if (!body) return 0;
  const auto request = llm::read_request(*body, endpoint, text.size());
  if (!request) {
    require(!request.error().detail.empty());
    return 0;
  }
  require(!request->model.empty());
  require(!request->bounds.output || *request->bounds.output < UINT64_MAX / 2);
  if (!request->stream || request->asks_for_usage || !llm::takes_stream_options(endpoint)) return 0;
  const std::string edited = llm::ask_for_usage(text, *body);
  json::Parser again;
  const auto root = again.parse(edited);
  require(root.has_value());
  const auto read = llm::read_request(*root, endpoint, text.size());
  require(read.ok());
  require(read->asks_for_usage && read->stream && read->model == request->model);
  require(read->bounds.output == request->bounds.output);
  require(read->bounds.reads_outside == request->bounds.reads_outside);
  require(read->unpriced == request->unpriced);
  return 0;
}
