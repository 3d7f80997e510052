// Tested by tests/proxy/audit_line_test.cc and tests/fuzz/audit_line_fuzz.cc.
#include "proxy/audit/line.h"

#include <algorithm>
#include <chrono>

#include "proxy/audit/scan.h"
#include "proxy/digest.h"
#include "proxy/ids.h"

namespace reeve::audit {
namespace {

constexpr size_t kHash = 64;
constexpr std::string_view kPrevName = ",\"prev\":\"";
constexpr std::string_view kHashName = "\",\"hash\":\"";
constexpr std::string_view kEnd = "\"}";
constexpr size_t kTail = kPrevName.size() + kHash + kHashName.size() + kHash + kEnd.size();

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}

}  // namespace

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string from_hex(std::string_view text) {
  std::string bytes;
  if (text.size() % 2 != 0 || !is_hex(text)) return bytes;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (size_t i = 0; i < text.size(); i += 2) {
    bytes += static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1]));
  }
  return bytes;
}

std::optional<Line> read_line(std::string_view text) {
  if (text.size() > kLongestLine) return std::nullopt;
  Line line;
  Scan scan(text);
  scan.literal("{\"v\":1,\"seq\":").number(line.seq).literal(",\"time\":\"").take(27, line.time);
  scan.literal("\",\"kind\":\"").until('"', line.kind).literal("\"");
  if (!scan.ok() || !is_word(line.kind) || scan.rest().size() < kTail) return std::nullopt;
  line.members = scan.rest().substr(0, scan.rest().size() - kTail);
  Scan tail(scan.rest().substr(line.members.size()));
  tail.literal(kPrevName).take(kHash, line.prev).literal(kHashName).take(kHash, line.hash);
  if (!tail.literal(kEnd).ok() || !is_hex(line.prev) || !is_hex(line.hash)) return std::nullopt;
  line.hashed = text.substr(0, text.size() - kHash - kHashName.size() - kEnd.size() + 1);
  return line;
}

std::optional<policy::Time> read_time(std::string_view text) {
  uint64_t part[7] = {};
  static constexpr std::string_view kBetween[] = {"-", "-", "T", ":", ":", ".", "Z"};
  static constexpr size_t kDigits[] = {4, 2, 2, 2, 2, 2, 6};
  Scan scan(text);
  for (size_t i = 0; i < 7; ++i) scan.digits(kDigits[i], part[i]).literal(kBetween[i]);
  using namespace std::chrono;
  const year_month_day day(year(static_cast<int>(part[0])), month(static_cast<unsigned>(part[1])),
                           std::chrono::day(static_cast<unsigned>(part[2])));
  if (!scan.ok() || !scan.rest().empty() || !day.ok() || part[3] > 23 || part[4] > 59 ||
      part[5] > 59) {
    return std::nullopt;
  }
  return policy::Time(sys_days(day)) + hours(part[3]) + minutes(part[4]) + seconds(part[5]) +
         microseconds(part[6]);
}

std::string_view Hasher::hex(std::string_view text, std::string_view rest) {
  const policy::Sha256 hash = sha256(text, rest);
  hex_.clear();
  append_hex(hex_, hash.data(), hash.size());
  return hex_;
}

}  // namespace reeve::audit
