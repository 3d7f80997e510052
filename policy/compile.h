// Stage 3: a resolved policy into tables. Internal to the library.
#ifndef REEVE_POLICY_COMPILE_H_
#define REEVE_POLICY_COMPILE_H_

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "policy/compiled.h"
#include "policy/document.h"
#include "policy/resolve.h"

namespace reeve::policy {

// Requires a document without errors so far. Adds an error where too many budgets meet.
std::unique_ptr<const PolicySet::Compiled> compile(const PolicyDocument& document,
                                                   const Resolution& resolution,
                                                   std::span<const SourceFile> files,
                                                   Diagnostics& diagnostics);

// Prices, budgets and accounts into `compiled`, whose agents and upstreams are there already.
// compile_spend.cc.
void compile_spend(const PolicyDocument& document, const Resolution& resolution,
                   PolicySet::Compiled& compiled, Diagnostics& diagnostics);

AskTerms terms_of(const AskSource& ask, const Resolution& resolution);

// For each upstream, and for tunnels behind them, the indexes of the selectors that cover it.
// Exact names are looked up, so that many rules over many upstreams do not multiply.
std::vector<std::vector<uint32_t>> select_by_upstream(
    const std::vector<const CompiledSelector*>& selectors, const Resolution& resolution,
    const PolicySet::Compiled& compiled);

// An index over some of `entries`, which have a selector and must outlive it; `inspected` as Table
// has it.
template <class Entry>
RuleIndex make_index(std::vector<uint32_t> chosen, const std::vector<Entry>& entries,
                     const std::vector<bool>& inspected = {}) {
  RuleIndex index;
  index.rules = std::move(chosen);
  if (index.rules.empty()) return index;
  std::vector<const CompiledSelector*> selectors;
  for (const uint32_t i : index.rules) selectors.push_back(&entries[i].selector);
  index.table = std::make_unique<const Table>(std::move(selectors), inspected);
  return index;
}

}  // namespace reeve::policy

#endif  // REEVE_POLICY_COMPILE_H_
