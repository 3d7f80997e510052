// Tested by tests/proxy/console_live_test.cc and tests/e2e/console_live_test.mjs.
#include "proxy/console/tail.h"

#include <fmt/format.h>

#include <iterator>

#include "proxy/audit/line.h"

namespace reeve::console {
namespace {

constexpr size_t kMostBytes = 4 * 1024 * 1024;  // that are read for one batch

}  // namespace

Tail::Batch Tail::read() {
  Batch batch;
  size_t bytes = 0, decisions = 0;
  const bool all = follower_.look([&](std::string_view text) {
    bytes += text.size();
    const auto line = audit::read_line(text);
    if (!line) return bytes < kMostBytes;
    // Half of the lines that were passed over were decisions.
    if (seq_ != 0 && line->seq > seq_ + 1) batch.missed += (line->seq - seq_) / 2;
    seq_ = line->seq;
    if (line->kind == "outcome") return bytes < kMostBytes;
    if (line->kind == "decision" && ++decisions > kMostLines) {
      ++batch.missed;
      return bytes < kMostBytes;
    }
    if (batch.count++ > 0) batch.lines += ',';
    fmt::format_to(std::back_inserter(batch.lines), R"({{"seq":{},"time":"{}","kind":"{}"{}}})",
                   line->seq, line->time, line->kind, line->members);
    return bytes < kMostBytes;
  });
  if (!all) follower_.skip_to_end();
  return batch;
}

}  // namespace reeve::console
