// Members of lines of a record, which whoever can write the file may have made: counted, and shown
// in all forms without a byte that a browser or a terminal would act on.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policy/json.h"
#include "proxy/report/collect.h"
#include "proxy/report/findings.h"
#include "proxy/report/page.h"
#include "proxy/report/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reeve;
  const policy::Time begin(std::chrono::seconds(1'790'000'000));
  report::Range range =
      report::range_between(begin, begin + std::chrono::hours(24 * 7), policy::Calendar());
  range.zone = "UTC";
  report::Collector collector(range, {}, nullptr);
  json::Parser parser;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  // Each line is a byte for its kind and the members.
  while (!rest.empty()) {
    const std::string_view text = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), text.size() + 1));
    if (text.empty()) continue;
    static constexpr std::string_view kKinds[] = {"decision", "outcome", "approval", "budget",
                                                  "drift",    "audit",   "start",    "x"};
    audit::Line line;
    line.kind = kKinds[static_cast<uint8_t>(text[0]) % std::size(kKinds)];
    line.time = text[0] & 8 ? "2026-09-22T00:00:00.000000Z" : "2026-09-15T00:00:00.000000Z";
    const std::string object = "{\"a\":0" + std::string(text.substr(1)) + "}";
    const auto members = parser.parse(object);
    if (members && members->is_object()) collector.take(line, *members);
  }
  collector.finish();
  const auto findings = report::findings_of(collector);
  const std::string page = report::page_of(collector, findings);
  if (page.find("<script") != page.npos || page.find("<img") != page.npos) std::abort();
  for (const char c : page + report::text_of(collector, findings, false)) {
    if ((static_cast<unsigned char>(c) < ' ' && c != '\n') || c == 0x7f) std::abort();
  }
  if (!parser.parse(report::json_of(collector, findings))) std::abort();
  return 0;
}
