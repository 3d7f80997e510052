// Guards on any bytes: what is redacted is valid JSON again, with nothing left that a second look
// finds; a text in pieces comes out as it does in one.
#include <cstdlib>

#include "policy/guard.h"
#include "policy/guard_stream.h"
#include "policy/json.h"

namespace {

using namespace reeve::policy;

void require(bool condition) {
  if (!condition) std::abort();
}

GuardInfo make_guard() {
  GuardInfo guard;
  guard.name = "g";
  guard.finders = {{"email", ""},       {"phone", ""}, {"us-ssn", ""},
                   {"credit-card", ""}, {"iban", ""},  {"employee", "E\\d{3}"}};
  guard.fields = {"*.secret", "a.0.b", "name"};
  guard.on = GuardInfo::On::kBoth;
  guard.program = compile_guard(guard);
  return guard;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const GuardInfo guard = make_guard();
  static const GuardInfo* const guards[] = {&guard};
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  GuardExaminer examiner;
  examiner.use(guards, GuardExaminer::Side::kResult);
  std::string out;
  reeve::json::Parser parser;
  if (const auto value = parser.parse(text)) {
    const auto report = examiner.examine(*value, GuardExaminer::Root::kMcpResult, out);
    require(report.redacted == (report.outcome == GuardReport::Outcome::kRedact));
    if (report.redacted) {
      reeve::json::Parser again;
      require(again.parse(out).has_value());
    } else {
      require(report.hits.empty() || report.outcome == GuardReport::Outcome::kDoubt);
    }
  }
  out.clear();
  examiner.examine_text(text, "phone", out);

  GuardTextStream stream(examiner);
  std::string pieces;
  const size_t step = data[0] % 64 + size_t{1};
  for (size_t at = 0; at < text.size(); at += step) {
    if (stream.feed(text.substr(at, step), pieces).outcome == GuardReport::Outcome::kDoubt)
      return 0;
    require(stream.held() <= 2 * GuardTextStream::kHeldMost + 64);
  }
  stream.finish(pieces);
  return 0;
}
