// What reeve hands out and takes back: cursors, ids of servers' requests, progress tokens, event
// ids. Whoever brings one back can neither have made it up nor have taken it from elsewhere.
#ifndef REEVE_PROXY_JOIN_SEAL_H_
#define REEVE_PROXY_JOIN_SEAL_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace reeve::join {

// What a sealed text is for: one of another purpose does not open.
enum class Purpose : char {
  kCursor = 'c',
  kRequest = 'r',         // the id of a server's request
  kProgress = 'p',        // the client's progress token, as an upstream knows it
  kServerProgress = 's',  // an upstream's, as the client knows it
  kEvent = 'e',           // the id of an event in the answer to a POST
  kStream = 'g',          // the id of an event in the joined stream: where each upstream was
};

// With a key of this process, so that a restart makes all of them unknown. Thread-safe.
class Seal {
 public:
  Seal();  // throws without random bytes

  // base64url (RFC 4648, 5) of a MAC (HMAC-SHA-256, 128 bits) and `content`. It is not secret, only
  // authentic. `holder` is who alone may bring it back.
  std::string close(Purpose purpose, std::string_view holder, std::string_view content) const;
  std::optional<std::string> open(Purpose purpose, std::string_view holder,
                                  std::string_view sealed) const;

 private:
  static constexpr size_t kMacBytes = 16;
  std::array<uint8_t, kMacBytes> mac(Purpose purpose, std::string_view holder,
                                     std::string_view content) const;

  std::array<uint8_t, 32> key_{};
};

// 128 random bits in hex; empty when there are none.
std::string random_id();

}  // namespace reeve::join

#endif  // REEVE_PROXY_JOIN_SEAL_H_
