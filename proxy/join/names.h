// Names under /mcp: which upstream's they are, and back.
//
// A tool or prompt is `UPSTREAM__NAME`. An upstream's name has no `__` and does not end in `_`
// (config/upstreams.cc), so the first `__` is the border and no two names are one. A resource is
// `reeve:UPSTREAM/URI`: a URI whose scheme nobody else has, and whose path nobody normalises.
#ifndef REEVE_PROXY_JOIN_NAMES_H_
#define REEVE_PROXY_JOIN_NAMES_H_

#include <optional>
#include <string>
#include <string_view>

namespace reeve::join {

// What mcp::Reader takes at most, joined: a longer one could not be called, so it is in no list.
inline constexpr size_t kLongestName = 1024;
inline constexpr size_t kLongestUri = 8 * 1024;

struct Split {
  std::string_view upstream;
  std::string_view name;  // or URI; never empty
};

std::string join_name(std::string_view upstream, std::string_view name);
std::string join_uri(std::string_view upstream, std::string_view uri);
// Nothing when it is not in that form. Whether there is such an upstream is the caller's question.
std::optional<Split> split_name(std::string_view joined);
std::optional<Split> split_uri(std::string_view joined);

}  // namespace reeve::join

#endif  // REEVE_PROXY_JOIN_NAMES_H_
