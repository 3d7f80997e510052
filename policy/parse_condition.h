// `when` out of a rule's fields. Internal to parsing.
#ifndef REEVE_POLICY_PARSE_CONDITION_H_
#define REEVE_POLICY_PARSE_CONDITION_H_

#include <memory>

#include "policy/condition.h"
#include "policy/document.h"
#include "policy/parse_fields.h"

namespace reeve::policy {

// The condition of a rule with this selector. Errors are reported; null when there is one.
std::shared_ptr<const Condition> read_condition(FileReader& reader, const yaml::Node& node,
                                                SelectorKind selector);

// `{days: [mon-fri], hours: 09:00-18:00, zone: Europe/Berlin}`; errors are reported. parse_time.cc.
void read_time_test(FileReader& reader, const yaml::Node& node, TimeTest& test);

// The steps of a dotted path, `a.b.0` or `lines.*.sku`, appended. False when it is no path.
bool read_steps(std::string_view path, ValueRef& value);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_PARSE_CONDITION_H_
