// Guards on bodies and on models' streams, of any bytes: what goes on in the place of JSON is JSON,
// what goes on has nothing left that a second look finds, and what is held is little.
#include <cstdlib>
#include <vector>

#include "policy/guard.h"
#include "proxy/guard_body.h"
#include "proxy/guard_deltas.h"

namespace {

using namespace reeve;
using policy::GuardReport;

void require(bool condition) {
  if (!condition) std::abort();
}

policy::GuardInfo make_guard() {
  policy::GuardInfo guard;
  guard.name = "g";
  guard.finders = {{"email", ""}, {"credit-card", ""}, {"iban", ""}};
  guard.program = policy::compile_guard(guard);
  return guard;
}

bool whole(const GuardReport& report) { return report.outcome != GuardReport::Outcome::kDoubt; }

void look_at_body(GuardTools& tools, BodyMedia media, std::string_view body) {
  std::string out;
  bool changed = false;
  if (!examine_body(tools, media, body, out, changed, whole) || !changed) return;
  json::Parser parser;
  if (media == BodyMedia::kJson) require(parser.parse(out).has_value());
  if (media == BodyMedia::kText || media == BodyMedia::kForm) return;  // marks may join words
  std::string again;
  bool changed_again = false;
  uint32_t found = 0;
  examine_body(tools, media, out, again, changed_again, [&](const GuardReport& report) {
    for (const auto& hit : report.hits) found += hit.count;
    return whole(report);
  });
  require(found == 0);
}

// Each line an event.
void look_at_events(GuardTools& tools, std::string_view text) {
  GuardedDeltas deltas(tools);
  std::vector<GuardedDeltas::Event> before;
  std::string out;
  json::Parser parser;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    bool changed = false;
    if (!deltas.pass("", line, before, out, changed, whole)) return;
    if (changed) require(parser.parse(out).has_value());
    for (const auto& event : before) require(parser.parse(event.data).has_value());
    before.clear();
  }
  deltas.finish(before, whole);
  for (const auto& event : before) require(parser.parse(event.data).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const policy::GuardInfo guard = make_guard();
  static const policy::GuardInfo* const guards[] = {&guard};
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  GuardTools tools;
  tools.examiner.use(guards, policy::GuardExaminer::Side::kResult);
  constexpr BodyMedia kMedia[] = {BodyMedia::kJson, BodyMedia::kJsonLines, BodyMedia::kForm,
                                  BodyMedia::kText};
  if (data[0] % 5 < 4) {
    look_at_body(tools, kMedia[data[0] % 5], text);
  } else {
    look_at_events(tools, text);
  }
  return 0;
}
