// The stages in their order: parse each file, resolve them as one, compile. Evaluation is in
// evaluate.cc. Tested by tests/policy/resolve_test.cc.
#include "policy/policy_set.h"

#include "policy/compile.h"
#include "policy/compiled.h"
#include "policy/document.h"
#include "policy/parse.h"
#include "policy/resolve.h"

namespace reeve::policy {

PolicySet::PolicySet(std::unique_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}

PolicySet::~PolicySet() = default;

std::shared_ptr<const PolicySet> PolicySet::load(std::span<const SourceFile> files,
                                                 const Wiring& wiring, Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.error_count();
  PolicyDocument document;
  for (const SourceFile& file : files) parse_file(file, document, diagnostics);
  if (!document.complete) return nullptr;  // names would seem unknown that the file defines
  const Resolution resolution = resolve(document, wiring, diagnostics);
  if (diagnostics.error_count() != errors_before) return nullptr;
  std::unique_ptr<const Compiled> compiled = compile(document, resolution, files, diagnostics);
  if (diagnostics.error_count() != errors_before) return nullptr;
  warn(document, resolution, wiring, diagnostics);
  return std::shared_ptr<const PolicySet>(new PolicySet(std::move(compiled)));
}

std::string_view PolicySet::sha256() const { return compiled_->sha256; }
std::string_view PolicySet::currency() const { return compiled_->currency; }
std::span<const std::string> PolicySet::marked_files() const { return compiled_->marked_files; }
std::span<const AgentInfo> PolicySet::agents() const { return compiled_->agents; }
bool PolicySet::report() const { return compiled_->report; }
std::span<const FeaturePlace> PolicySet::features() const { return compiled_->features; }
std::span<const ApproverGroup> PolicySet::approver_groups() const { return compiled_->approvers; }
std::span<const AccountSpec> PolicySet::accounts() const { return compiled_->accounts; }

}  // namespace reeve::policy
