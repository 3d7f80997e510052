// What an agent did before it asked: the last decisions of the record's current file.
#ifndef REEVE_PROXY_APPROVALS_BEFORE_H_
#define REEVE_PROXY_APPROVALS_BEFORE_H_

#include <string>
#include <string_view>

namespace reeve::approvals {

// `,"before":[…]`, newest first, at most five; without any, an empty list. Looks at the file's last
// 256 KiB alone: what an agent did long ago tells little, and the file may be large.
std::string history_of(const std::string& audit_path, std::string_view agent);

}  // namespace reeve::approvals

#endif  // REEVE_PROXY_APPROVALS_BEFORE_H_
