// Answers of LLM APIs on any bytes: cut anywhere they tell the same, what is passed on is what came
// (but for the chunk that is hidden), and counts stay within what sums can hold. The first byte
// chooses endpoint and form, the second where to cut.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/llm/metered.h"

namespace {

using namespace reeve;
using llm::Endpoint;
using llm::Metered;

constexpr size_t kLimit = 4096;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Played {
  std::string passed;
  bool fits = true;
  Metered::Outcome outcome;
  std::string model;
};

Played play(Endpoint endpoint, bool events, bool hides, std::string_view bytes, size_t step) {
  llm::Request request;
  request.endpoint = endpoint;
  Metered metered(std::move(request), hides);
  http::ResponseHead head;
  head.status = 200;
  head.fields.list.push_back({"content-type", events ? "text/event-stream" : "application/json"});
  metered.begin(head, kLimit);
  Played result;
  while (!bytes.empty() && result.fits) {
    const std::string_view part = bytes.substr(0, step);
    const auto passed = metered.pass(part);
    result.fits = passed.has_value();
    if (passed) result.passed += *passed;
    bytes.remove_prefix(part.size());
  }
  metered.end(result.fits);
  result.outcome = metered.outcome();
  result.model = result.outcome.model;
  return result;
}

bool same(const Played& a, const Played& b) {
  return a.outcome.why == b.outcome.why && a.outcome.usage == b.outcome.usage &&
         a.outcome.is_free == b.outcome.is_free && a.model == b.model && a.fits == b.fits;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  static constexpr Endpoint kEndpoints[] = {Endpoint::kChat, Endpoint::kResponses,
                                            Endpoint::kMessages, Endpoint::kEmbeddings};
  const Endpoint endpoint = kEndpoints[data[0] & 3];
  const bool events = (data[0] & 4) != 0;
  const bool hides = (data[0] & 8) != 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Played whole = play(endpoint, events, hides, bytes, size);
  const Played cut = play(endpoint, events, hides, bytes, data[1] + size_t{1});
  require(same(whole, cut));
  if (whole.fits) require(whole.passed == cut.passed);
  if (!events || !hides) require(whole.passed == bytes);
  if (whole.outcome.usage) {
    const policy::TokenUsage& usage = *whole.outcome.usage;
    require(usage.cached_input + usage.cache_write <= usage.input);
    require(usage.input < uint64_t{1} << 42 && usage.output < uint64_t{1} << 42);
    require(whole.outcome.why == llm::Unmeasured::kNo);
  } else {
    require(whole.outcome.why != llm::Unmeasured::kNo);  // of an answer with 200
  }
  return 0;
}
