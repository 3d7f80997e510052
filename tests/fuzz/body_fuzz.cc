// Any bytes as a chunked body: no crash, the same body from any cut, never more out than in.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "proxy/http/parser.h"

using namespace reeve::http;

namespace {

struct Outcome {
  std::string body;
  size_t consumed = 0;
  bool done = false;
  bool fault = false;
  bool operator==(const Outcome&) const = default;
};

Outcome decode(std::string_view bytes, size_t piece) {
  BodyDecoder decoder;
  decoder.start(Framing::kChunked, 0);
  Outcome out;
  std::string_view rest = bytes.substr(0, piece);
  while (!out.done && !out.fault) {
    const BodyDecoder::Step step = decoder.step(rest);
    out.body += step.data;
    out.consumed += step.consumed;
    out.done = step.done;
    out.fault = static_cast<bool>(step.fault);
    rest.remove_prefix(step.consumed);
    if (step.consumed > 0 || out.done || out.fault) continue;
    if (!rest.empty()) std::abort();
    rest = bytes.substr(out.consumed).substr(0, piece);
    if (rest.empty()) break;
  }
  if (out.done != decoder.complete_at_close()) std::abort();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = decode(bytes, bytes.size());
  if (whole.body.size() > bytes.size()) std::abort();
  if (!(decode(bytes, 1) == whole) || !(decode(bytes, 1 + data[0]) == whole)) std::abort();
  return 0;
}
