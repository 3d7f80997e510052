// SPIFFE IDs: the names of workloads, `spiffe://TRUST-DOMAIN/PATH`.
//
// https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md, sections 2.1 and 2.2: neither
// port, user, query nor fragment; the trust domain in lower case; at most 2,048 bytes. An ID is
// compared byte by byte: there is one way to write each.
#ifndef REEVE_POLICY_SPIFFE_ID_H_
#define REEVE_POLICY_SPIFFE_ID_H_

#include <string_view>

namespace reeve::policy {

// Whether the text is the ID of a workload, that is with a path.
bool is_spiffe_id(std::string_view text);

// Whether the text is the name of a trust domain, such as `acme.example`.
bool is_trust_domain(std::string_view text);

// `acme.example` of `spiffe://acme.example/agents/jordan`. Requires is_spiffe_id().
std::string_view trust_domain(std::string_view id);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_SPIFFE_ID_H_
