// The first flight of a TLS client, as far as it says which host is meant. Nothing is decrypted.
#ifndef REEVE_PROXY_TLS_CLIENT_HELLO_H_
#define REEVE_PROXY_TLS_CLIENT_HELLO_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace reeve::tls {

enum class Flight : uint8_t {
  kMore,    // a prefix of a ClientHello
  kHello,   // complete
  kNotTls,  // other bytes than a TLS handshake, from the first three on
  kBad,     // TLS, but no ClientHello that has one reading
};

struct ClientHello {
  Flight flight = Flight::kMore;
  std::string server_name;  // SNI in lower case; empty: none was sent
  const char* detail = "";  // of kBad and kNotTls: what is wrong
};

// The most bytes of a first flight, record headers included: a flight that is still incomplete
// with so many is bad. Browsers send 2 KiB, post-quantum key shares included.
inline constexpr size_t kFlightBytesMax = 16 * 1024;

// Reads all that a client has sent so far; call again with more on kMore. The message may be split
// over several records; its last record must end with it. What follows (early data) is not looked
// at.
ClientHello read_client_hello(std::string_view bytes);

}  // namespace reeve::tls

#endif  // REEVE_PROXY_TLS_CLIENT_HELLO_H_
