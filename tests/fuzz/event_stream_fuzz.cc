// Event streams on any bytes: cut anywhere they give the same events, what is written again reads
// the same, and no more is held than the limit. The first byte says where to cut.
#include <cstdlib>
#include <vector>

#include "proxy/mcp/event_stream.h"

namespace {

using reeve::mcp::Event;
using reeve::mcp::EventStreamParser;

constexpr size_t kLimit = 4096;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Result {
  std::string written;  // the events in their one form
  size_t events = 0;
  bool fed = true;
  bool clean = false;
};

Result read(std::string_view stream, size_t step, size_t limit = kLimit) {
  Result result;
  EventStreamParser parser(limit);
  const auto keep = [&result, limit](const Event& event) {
    require(event.data.size() + event.name.size() + event.id.size() <= limit);
    append_event(result.written, event);
    ++result.events;
  };
  while (result.fed && !stream.empty()) {
    const std::string_view part = stream.substr(0, step);
    result.fed = parser.feed(part, keep);
    stream.remove_prefix(part.size());
  }
  result.clean = parser.finish(keep);
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Result whole = read(stream, size);
  const Result cut = read(stream, data[0] + size_t{1});
  const Result bytes = read(stream, 1);
  require(whole.fed == cut.fed && whole.fed == bytes.fed);
  require(whole.written == cut.written && whole.written == bytes.written);
  if (!whole.fed) return 0;
  require(whole.clean == cut.clean && whole.clean == bytes.clean);
  // Fields in another order may hold a little more at once.
  const Result again = read(whole.written, whole.written.size() + 1, 2 * kLimit);
  require(again.fed && again.events == whole.events && again.written == whole.written);
  return 0;
}
