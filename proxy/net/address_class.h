// Which addresses are the public internet's, and which are somebody's inside.
#ifndef REEVE_PROXY_NET_ADDRESS_CLASS_H_
#define REEVE_PROXY_NET_ADDRESS_CLASS_H_

#include <array>
#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

namespace reeve::net {

using Address = boost::asio::ip::address;

// A range of addresses: 10.0.0.0/8, fd00::/8.
class Cidr {
 public:
  // Nothing when `text` is no `ADDRESS/LENGTH`, or the address has bits beyond the length. The
  // address is in plain dotted decimal, or IPv6 without a zone.
  static std::optional<Cidr> parse(std::string_view text);

  // An IPv4 range holds no IPv6 address, not even one that embeds one of its own, and vice versa.
  bool contains(const Address& address) const;

 private:
  bool is_v6_ = false;
  unsigned length_ = 0;
  std::array<uint8_t, 16> bytes_{};
};

// Null for a public unicast address, else what it is: `loopback`, `private use`, … IPv6 addresses
// that carry an IPv4 address (mapped, NAT64, 6to4, Teredo) are never public: what they reach
// depends on somebody else's translation.
const char* special_use(const Address& address);

// An IPv4-mapped address as the IPv4 address that the kernel would connect to.
Address unmapped(const Address& address);

}  // namespace reeve::net

#endif  // REEVE_PROXY_NET_ADDRESS_CLASS_H_
