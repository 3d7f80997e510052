// See budget_line.h; README.md has the members. Tested by tests/e2e/budget_line_test.mjs.
#include "proxy/budget_line.h"

#include "policy/json.h"
#include "policy/money.h"
#include "proxy/budget_view.h"
#include "proxy/clock.h"

namespace reeve {
namespace {

std::string_view word_of(policy::Notice::Kind kind) {
  switch (kind) {
    case policy::Notice::Kind::kWarned:
      return "warned";
    case policy::Notice::Kind::kSpent:
      return "spent";
    case policy::Notice::Kind::kTurnedOver:
      return "turned-over";
  }
  return "";
}

}  // namespace

std::string budget_members(const policy::Notice& notice) {
  const policy::AccountKey& key = notice.account->key();
  std::string out;
  const auto text = [&out](std::string_view name, std::string_view value) {
    out.append(",\"").append(name).append("\":");
    json::append_string(out, value);
  };
  text("budget", key.budget);
  text("scope", key.scope);
  text("state", word_of(notice.kind));
  text("unit", unit_name(key));
  out += ",\"limit\":" + policy::format_decimal(notice.limit);
  out += ",\"used\":" + policy::format_decimal(notice.used);
  if (key.period != policy::Period::kTotal) text("resets", format_time(notice.window.end));
  return out;
}

}  // namespace reeve
