// Values that have a form of their own: absolute paths and URLs. What is not exactly of the form
// has more than one reading, and no answer.
#ifndef REEVE_POLICY_VALUE_FORMS_H_
#define REEVE_POLICY_VALUE_FORMS_H_

#include <optional>
#include <string>
#include <string_view>

namespace reeve::policy {

// Whether `path` is `folder` or below it. Nothing when `path` is not absolute or holds a dot
// segment, `//`, a backslash or NUL. `folder` is such a path, without a slash at its end.
std::optional<bool> is_under(std::string_view path, std::string_view folder);

// The host of an absolute URL in lower case, without port and final dot. Nothing when it is not
// absolute, has userinfo, or holds a character that readers of URLs disagree about.
std::optional<std::string_view> host_of_url(std::string_view url, std::string& scratch);

// Whether a host in lower case, without final dot, has other spellings that lead to the same place
// (`127.1`, `0x7f000001`, `::ffff:127.0.0.1`), or an empty label.
bool is_ambiguous_host(std::string_view host);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_VALUE_FORMS_H_
