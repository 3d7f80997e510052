// Tested by tests/e2e/console_test.mjs.
#include "proxy/console/rules.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "policy/access.h"
#include "policy/compiled.h"

namespace reeve::console {

std::string rules_json(const policy::PolicySet& policy) {
  namespace bj = boost::json;
  bj::array rules;
  for (const policy::CompiledRule& rule : policy.compiled().rules) {
    const policy::RuleInfo& info = rule.info;
    bj::object row{{"rule", info.id},
                   {"role", info.role},
                   {"effect", policy::to_string(info.effect)},
                   {"upstream", bj::array(rule.upstream_texts.begin(), rule.upstream_texts.end())},
                   {"selects", policy::selects(rule)},
                   {"at", to_string(info.at)}};
    if (!info.because.empty()) row["because"] = info.because;
    if (info.report) row["mode"] = "report";
    if (info.effect == policy::Effect::kAsk) {
      row["approvers"] = policy.approver_groups()[info.ask.group].name;
    }
    rules.push_back(std::move(row));
  }
  return bj::serialize(bj::object{{"policy", policy.sha256()},
                                  {"mode", policy.report() ? "report" : "enforce"},
                                  {"rules", std::move(rules)}});
}

}  // namespace reeve::console
