// See malformed.h. Tested by tests/policy/evaluate_test.cc.
#include "policy/malformed.h"

#include <algorithm>

#include "policy/selector.h"
#include "policy/text.h"
#include "policy/value_forms.h"

namespace reeve::policy {

namespace {

// A URI is matched as it stands, so whatever a server could resolve to another one is refused.
const char* malformed_uri(std::string_view uri) {
  for (size_t at = uri.find('%'); at != uri.npos; at = uri.find('%', at + 1)) {
    const std::string_view code = uri.substr(at + 1, 2);
    if (equals_ignoring_case(code, "2e")) return "an escaped dot in a resource URI";
    if (equals_ignoring_case(code, "2f")) return "an escaped slash in a resource URI";
    if (equals_ignoring_case(code, "5c")) return "an escaped backslash in a resource URI";
    if (code == "00") return "an escaped NUL in a resource URI";
  }
  if (uri.find('\\') != uri.npos) return "a backslash in a resource URI";
  for (size_t begin = 0; begin <= uri.size();) {
    const size_t end = std::min(uri.find_first_of("/?#", begin), uri.size());
    const std::string_view segment = uri.substr(begin, end - begin);
    if (segment == "." || segment == "..") return "a dot segment in a resource URI";
    begin = end + 1;
  }
  return nullptr;
}

// `host:port` in the one form that is dialled: lower case, no final dot, nothing beside it.
const char* malformed_authority(std::string_view target) {
  const size_t colon = target.rfind(':');
  if (colon == target.npos || colon == 0) return "a tunnel whose target is no host:port";
  const std::string_view port = target.substr(colon + 1);
  const bool digits = !port.empty() && port.size() <= 5 &&
                      port.find_first_not_of("0123456789") == port.npos && port.front() != '0';
  unsigned number = 0;
  for (const char c : digits ? port : std::string_view()) {
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  if (!digits || number > 65535) return "a tunnel whose port is no number from 1 to 65535";
  const std::string_view host = target.substr(0, colon);
  if (host.front() == '[') {
    const bool good =
        host.size() > 2 && host.back() == ']' &&
        host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdef:.") == host.npos;
    if (!good) return "a tunnel whose target is no host:port";
    return is_ambiguous_host(host) ? "a tunnel to an address in an odd form" : nullptr;
  }
  if (host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") != host.npos) {
    return "a tunnel to a host with characters that no host name has";
  }
  if (is_ambiguous_host(host)) {
    return "a tunnel to a host with an empty label or a final dot, or to an address in an odd form";
  }
  return nullptr;
}

// The sentences of hidden_character(), as said of a name.
const char* malformed_name(std::string_view name) {
  return hidden_character(name) ? "a control, bidirectional or zero-width character, or bytes that "
                                  "are not UTF-8, in a name"
                                : nullptr;
}

}  // namespace

const char* malformed(const Call& call) {
  if (const char* fault = malformed_name(target_of(call))) return fault;
  if (call.kind == Kind::kResource) return malformed_uri(call.target);
  if (call.kind == Kind::kConnect) return malformed_authority(call.target);
  return nullptr;
}

}  // namespace reeve::policy
