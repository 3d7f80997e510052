// Stage 3: a resolved policy into tables. Internal to the library.
#ifndef REEVE_POLICY_COMPILE_H_
#define REEVE_POLICY_COMPILE_H_

#include <memory>
#include <span>

#include "policy/compiled.h"
#include "policy/document.h"
#include "policy/resolve.h"

namespace reeve::policy {

// Requires a document without errors so far. Adds an error where too many budgets meet.
std::unique_ptr<const PolicySet::Compiled> compile(const PolicyDocument& document,
                                                   const Resolution& resolution,
                                                   std::span<const SourceFile> files,
                                                   Diagnostics& diagnostics);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_COMPILE_H_
