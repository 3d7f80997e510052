// The version of this build.
#ifndef REEVE_PROXY_VERSION_H_
#define REEVE_PROXY_VERSION_H_

#include <string_view>

namespace reeve {
inline constexpr std::string_view kVersion = REEVE_VERSION;
}

#endif  // REEVE_PROXY_VERSION_H_
