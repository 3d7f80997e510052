// xoshiro256** (Blackman and Vigna) gives the random bits: ids name calls and guard nothing, so a
// system call for each would buy nothing. Tested by tests/proxy/journal_test.cc.
#include "proxy/ids.h"

#include <sys/random.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <string>

#include "policy/words.h"

namespace reeve {

namespace {

struct HexDigits {
  char digits[256][2];
};

constexpr HexDigits make_hex_digits() {
  constexpr char kHex[] = "0123456789abcdef";
  HexDigits made{};
  for (size_t i = 0; i < 256; ++i) {
    made.digits[i][0] = kHex[i >> 4];
    made.digits[i][1] = kHex[i & 15];
  }
  return made;
}

constexpr HexDigits kHexDigits = make_hex_digits();

// Two characters for each of the eight bytes, the highest first.
void write_hex(char* to, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8, to += 2) {
    std::memcpy(to, kHexDigits.digits[value >> shift & 0xff], 2);
  }
}

}  // namespace

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
  char digits[32];
  write_hex(digits, high);
  write_hex(digits + 16, low);
  CallId id;
  char* to = copy_bytes(id.data(), digits, 8);
  for (size_t at = 8; at < 20; at += 4) {
    *to++ = '-';
    to = copy_bytes(to, digits + at, 4);
  }
  *to++ = '-';
  copy_bytes(to, digits + 20, 12);
  return id;
}

char* write_hex(char* to, const uint8_t* data, size_t size) {
  for (size_t i = 0; i < size; ++i, to += 2) std::memcpy(to, kHexDigits.digits[data[i]], 2);
  return to;
}

void append_hex(std::string& out, const uint8_t* data, size_t size) {
  const size_t at = out.size();
  out.resize(at + 2 * size);
  write_hex(out.data() + at, data, size);
}

}  // namespace reeve
