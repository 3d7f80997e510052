// Tested by tests/proxy/audit_seal_test.cc and tests/fuzz/audit_line_fuzz.cc.
#include "proxy/audit/checkpoint.h"

#include <fmt/format.h>

#include "proxy/audit/line.h"
#include "proxy/audit/scan.h"

namespace reeve::audit {
namespace {

constexpr size_t kLongestCheckpoint = 2048;

bool take_hex(Scan& scan, std::string_view name, size_t digits, std::string& out) {
  std::string_view value;
  scan.literal(name).take(digits, value).literal("\"");
  out = value;
  return scan.ok() && is_hex(value);
}

}  // namespace

std::string write_checkpoint(const Checkpoint& c, const SealingKey& key) {
  std::string text =
      fmt::format(R"({{"v":1,"seq":{},"head":"{}","time":"{}","epoch":{},"key":"{}","prev":"{}")",
                  c.seq, c.head, c.time, c.epoch, c.key, c.prev);
  if (!c.next.empty()) text += fmt::format(R"(,"next":"{}")", c.next);
  if (c.pruned > 0) {
    text += fmt::format(R"(,"pruned":{},"pruned_head":"{}")", c.pruned, c.pruned_head);
  }
  const std::string sig = key.sign(text + "}");
  return text + R"(,"sig":")" + sig + "\"}";
}

std::optional<Checkpoint> read_checkpoint(std::string_view text) {
  Checkpoint c;
  std::string_view time;
  if (text.size() > kLongestCheckpoint) return std::nullopt;
  Scan scan(text);
  scan.literal("{\"v\":1,\"seq\":").number(c.seq);
  if (!take_hex(scan, ",\"head\":\"", 64, c.head)) return std::nullopt;
  scan.literal(",\"time\":\"").take(27, time).literal("\",\"epoch\":").number(c.epoch);
  c.time = time;
  if (!take_hex(scan, ",\"key\":\"", 64, c.key)) return std::nullopt;
  if (!take_hex(scan, ",\"prev\":\"", 64, c.prev)) return std::nullopt;
  if (scan.at(",\"next\"") && !take_hex(scan, ",\"next\":\"", 64, c.next)) return std::nullopt;
  if (scan.at(",\"pruned\"")) {
    scan.literal(",\"pruned\":").number(c.pruned);
    if (!take_hex(scan, ",\"pruned_head\":\"", 64, c.pruned_head)) return std::nullopt;
  }
  const size_t end = text.size() - scan.rest().size();
  if (!take_hex(scan, ",\"sig\":\"", 128, c.sig)) return std::nullopt;
  if (!scan.literal("}").ok() || !scan.rest().empty() || !read_time(c.time)) return std::nullopt;
  c.signed_text = std::string(text.substr(0, end)) + "}";
  return c;
}

std::optional<Checkpoint> read_checkpoint_in(std::string_view text) {
  const size_t begin = text.find("{\"v\":1,\"seq\":");
  if (begin == std::string_view::npos) return std::nullopt;
  text.remove_prefix(begin);
  while (!text.empty() && text.back() != '}') text.remove_suffix(1);
  return read_checkpoint(text);
}

bool signature_holds(const Checkpoint& c) { return verify_signature(c.key, c.signed_text, c.sig); }

}  // namespace reeve::audit
