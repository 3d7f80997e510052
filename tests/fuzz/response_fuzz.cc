// Any bytes as an upstream's answer: no crash, the same verdict from any cut, and the head that an
// agent would get is one to the strict reader. The first byte says where to cut, and GET or HEAD.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "proxy/http/parser.h"
#include "proxy/http/writer.h"
#include "tests/proxy/head_oracle.h"
#include "tests/proxy/strict_reader.h"

using namespace reeve::http;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const char* const method = data[0] & 1 ? "HEAD" : "GET";
  static ResponseParser parser({});
  parser.reset(method);
  const Progress progress = parser.parse(bytes);
  require(testing::response_disagreement(bytes).empty());
  const std::string first = bytes.substr(0, bytes.size() * data[0] / 255);
  ResponseParser cut({});
  cut.reset(method);
  Progress again = cut.parse(first);
  if (again == Progress::kMore) again = cut.parse(bytes);
  require(again == progress && cut.head_bytes() == parser.head_bytes());
  if (progress == Progress::kFault) require(parser.fault().status == 502);
  if (progress != Progress::kDone) return 0;
  const ResponseHead& head = parser.head();
  require(head.status >= 200 && head.status < 600 && parser.head_bytes() <= bytes.size());
  std::string out;
  write_response_head(out, head.status, head.reason, head.fields, {}, {}, Framing::kLength, 0, true,
                      1);
  const auto [violation, message] = testing::StrictReader::response(out, false);
  require(violation.empty() && message.rest.empty() && message.body.empty());
  return 0;
}
