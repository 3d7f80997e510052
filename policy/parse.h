// Stage 1: one policy file, as text, into the symbolic form. Internal to the library.
#ifndef REEVE_POLICY_PARSE_H_
#define REEVE_POLICY_PARSE_H_

#include "policy/diagnostic.h"
#include "policy/document.h"
#include "policy/policy_set.h"

namespace reeve::policy {

// Adds what `file` says to `document`. Errors go to `diagnostics`; the parts without error are
// added all the same, so that the later stages can judge them in the same run.
void parse_file(const SourceFile& file, PolicyDocument& document, Diagnostics& diagnostics);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_PARSE_H_
