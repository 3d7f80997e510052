// Where a request through the forward proxy wants to go, in the one form that rules see and that
// is dialled.
#ifndef REEVE_PROXY_DESTINATION_H_
#define REEVE_PROXY_DESTINATION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "proxy/net/address_class.h"

namespace reeve {

struct Destination {
  std::string target;  // host:port, as `connect` rules match it
  std::string host;    // lower case; an IPv6 address without brackets, in its shortest form
  uint16_t port = 0;
  std::optional<net::Address> address;  // of a host that is an address
};

// Reads `host:port`, or `host` where `default_port` is not 0. The error is a static sentence that
// says what is malformed: anything that two programs could read differently is, such as an IPv4
// address in another form than four decimal numbers, or a final dot.
Result<Destination, const char*> parse_destination(std::string_view text, uint16_t default_port);

}  // namespace reeve

#endif  // REEVE_PROXY_DESTINATION_H_
