// Call ids: UUIDv7 (RFC 9562, 5.7), ordered by time, unique across a fleet. One source per thread.
#ifndef REEVE_PROXY_IDS_H_
#define REEVE_PROXY_IDS_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "policy/call.h"

namespace reeve {

using CallId = std::array<char, 36>;

inline std::string_view view(const CallId& id) { return {id.data(), id.size()}; }

class IdSource {
 public:
  IdSource();  // seeded from the kernel
  CallId next(policy::Time now);

 private:
  uint64_t random();
  uint64_t state_[4];
};

// Writes `size` bytes in lower-case hexadecimal, two characters for each; their end.
char* write_hex(char* to, const uint8_t* data, size_t size);
// Appends the same.
void append_hex(std::string& out, const uint8_t* data, size_t size);

}  // namespace reeve

#endif  // REEVE_PROXY_IDS_H_
