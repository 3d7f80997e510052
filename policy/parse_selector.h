// What a rule, price or budget selects, out of its fields. Internal to parsing.
#ifndef REEVE_POLICY_PARSE_SELECTOR_H_
#define REEVE_POLICY_PARSE_SELECTOR_H_

#include "policy/document.h"
#include "policy/parse_fields.h"

namespace reeve::policy {

enum class UpstreamIs : uint8_t { kRequired, kOptional };

// Reads `upstream`, at most one selector and `except`. False when there was an error.
bool read_selector(FileReader& reader, const Fields& fields, UpstreamIs upstream,
                   Selector& selector);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_PARSE_SELECTOR_H_
