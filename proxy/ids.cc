// xoshiro256** (Blackman and Vigna) gives the random bits: ids name calls and guard nothing, so a
// system call for each would buy nothing. Tested by tests/proxy/journal_test.cc.
#include "proxy/ids.h"

#include <sys/random.h>

#include <bit>
#include <cstdlib>
#include <string>

namespace reeve {

namespace {
constexpr char kHex[] = "0123456789abcdef";
}

IdSource::IdSource() {
  if (::getrandom(state_, sizeof state_, 0) != sizeof state_) std::abort();
}

uint64_t IdSource::random() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

CallId IdSource::next(policy::Time now) {
  const uint64_t ms = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
  const uint64_t high = (ms << 16) | 0x7000 | (random() & 0x0fff);
  const uint64_t low = (random() & 0x3fff'ffff'ffff'ffff) | 0x8000'0000'0000'0000;
  CallId id{};
  size_t at = 0;
  for (int nibble = 0; nibble < 32; ++nibble) {
    if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20) id[at++] = '-';
    const uint64_t half = nibble < 16 ? high : low;
    id[at++] = kHex[(half >> (60 - 4 * (nibble % 16))) & 0xf];
  }
  return id;
}

void append_hex(std::string& out, const uint8_t* data, size_t size) {
  const size_t at = out.size();
  out.resize(at + 2 * size);
  char* to = out.data() + at;
  for (size_t i = 0; i < size; ++i) {
    *to++ = kHex[data[i] >> 4];
    *to++ = kHex[data[i] & 0xf];
  }
}

}  // namespace reeve
