// Any bytes as a request: no crash, the same verdict from any cut, and what would be forwarded is
// one message to the strict reader. The first byte says where to cut.
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

bool read_body(const RequestHead& head, std::string_view rest, std::string& body) {
  BodyDecoder decoder;
  decoder.start(head.framing, head.content_length);
  for (;;) {
    const BodyDecoder::Step step = decoder.step(rest);
    body += step.data;
    if (step.done || step.fault || step.consumed == 0) return step.done;
    rest.remove_prefix(step.consumed);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  static RequestParser parser({});
  parser.reset();
  const Progress progress = parser.parse(bytes);
  require(testing::request_disagreement(bytes).empty());
  const std::string first = bytes.substr(0, bytes.size() * data[0] / 255);
  RequestParser cut({});
  Progress again = cut.parse(first);
  if (again == Progress::kMore) again = cut.parse(bytes);
  require(again == progress && cut.fault().status == parser.fault().status);
  if (progress != Progress::kDone) return 0;
  const RequestHead& head = parser.head();
  require(head.connect || head.path == "*" || head.path.starts_with("/"));
  std::string body;
  if (head.connect || head.framing == Framing::kUntilClose ||
      !read_body(head, std::string_view(bytes).substr(parser.head_bytes()), body)) {
    return 0;
  }
  std::string out;
  const RequestTarget target{head.method, head.path, head.query, head.has_query, "up"};
  write_request_head(out, target, head, {}, Framing::kLength, body.size(), {}, {});
  out += body;
  const auto [violation, message] = testing::StrictReader::request(out);
  require(violation.empty() && message.body == body && message.rest.empty());
  return 0;
}
