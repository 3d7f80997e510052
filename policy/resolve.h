// Stage 2: the names of a parsed policy, and everything that it may not say. Internal to the
// library.
#ifndef REEVE_POLICY_RESOLVE_H_
#define REEVE_POLICY_RESOLVE_H_

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/diagnostic.h"
#include "policy/document.h"
#include "policy/policy_set.h"

namespace reeve::policy {

// What the names of a document stand for. Complete only when resolve() found no error.
struct Resolution {
  std::string currency;
  // Every upstream that a call may name exactly: of rules, of `upstreams:` and of the wiring.
  std::vector<std::string> upstreams;
  std::unordered_map<std::string, uint32_t> agents;  // name to index in the document
  std::unordered_map<std::string, uint32_t> roles;
  std::unordered_map<std::string, uint32_t> approvers;
  std::unordered_map<std::string, uint32_t> guards;
  // For each agent the indexes of its roles, inherited ones included, ascending and unique.
  std::vector<std::vector<uint32_t>> agent_roles;
  std::vector<std::string> teams;  // in order of appearance, unique
};

Resolution resolve(const PolicyDocument& document, const Wiring& wiring, Diagnostics& diagnostics);

// What a policy may say, but hardly means. Requires a document without errors.
void warn(const PolicyDocument& document, const Resolution& resolution, const Wiring& wiring,
          Diagnostics& diagnostics);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_RESOLVE_H_
