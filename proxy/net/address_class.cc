// Two tables after IANA's special-purpose registries (RFC 6890 and its updates). For IPv4 what no
// row names is public; for IPv6 only 2000::/3 is, less its rows. Tested by
// tests/proxy/address_class_test.cc.
#include "proxy/net/address_class.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

namespace reeve::net {
namespace {

namespace ip = boost::asio::ip;

struct Row {
  std::string_view range;
  const char* use;
};

constexpr Row kSpecial[] = {
    {"0.0.0.0/8", "this network"},
    {"10.0.0.0/8", "private use"},
    {"100.64.0.0/10", "carrier-grade NAT"},
    {"127.0.0.0/8", "loopback"},
    {"169.254.0.0/16", "link-local"},
    {"172.16.0.0/12", "private use"},
    {"192.0.0.0/24", "protocol assignments"},
    {"192.0.2.0/24", "documentation"},
    {"192.31.196.0/24", "AS112"},
    {"192.52.193.0/24", "AMT"},
    {"192.88.99.0/24", "6to4 relay anycast"},
    {"192.168.0.0/16", "private use"},
    {"192.175.48.0/24", "AS112"},
    {"198.18.0.0/15", "benchmarking"},
    {"198.51.100.0/24", "documentation"},
    {"203.0.113.0/24", "documentation"},
    {"224.0.0.0/4", "multicast"},
    {"240.0.0.0/4", "reserved or broadcast"},
    {"::/128", "unspecified"},
    {"::1/128", "loopback"},
    {"::ffff:0:0/96", "IPv4-mapped"},
    {"64:ff9b::/96", "NAT64"},
    {"64:ff9b:1::/48", "local NAT64"},
    {"100::/64", "discard-only"},
    {"2001::/32", "Teredo"},
    {"2001::/23", "protocol assignments"},
    {"2001:db8::/32", "documentation"},
    {"2002::/16", "6to4"},
    {"2620:4f:8000::/48", "AS112"},
    {"3ffe::/16", "6bone"},
    {"3fff::/20", "documentation"},
    {"fc00::/7", "unique local"},
    {"fe80::/10", "link-local"},
    {"fec0::/10", "site-local"},
    {"ff00::/8", "multicast"},
};

struct Range {
  Cidr cidr;
  const char* use;
};

const std::vector<Range>& ranges() {
  static const std::vector<Range> all = [] {
    std::vector<Range> made;
    for (const Row& row : kSpecial) made.push_back({*Cidr::parse(row.range), row.use});
    return made;
  }();
  return all;
}

// What is neither named nor global unicast is unassigned.
const Cidr& global_unicast() {
  static const Cidr range = *Cidr::parse("2000::/3");
  return range;
}

std::array<uint8_t, 16> bytes_of(const Address& address) {
  std::array<uint8_t, 16> bytes{};
  if (address.is_v6()) return address.to_v6().to_bytes();
  const auto four = address.to_v4().to_bytes();
  std::copy(four.begin(), four.end(), bytes.begin());
  return bytes;
}

// The bits of byte `index` that a prefix of `length` bits covers.
uint8_t mask(unsigned length, unsigned index) {
  if (length >= 8 * (index + 1)) return 0xff;
  if (length <= 8 * index) return 0;
  return static_cast<uint8_t>(0xff << (8 - (length - 8 * index)));
}

}  // namespace

std::optional<Cidr> Cidr::parse(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == text.npos || text.find('%') != text.npos) return std::nullopt;
  boost::system::error_code ec;
  const auto address = ip::make_address(std::string(text.substr(0, slash)), ec);
  if (ec) return std::nullopt;
  const std::string_view digits = text.substr(slash + 1);
  Cidr found;
  const auto [end, bad] =
      std::from_chars(digits.data(), digits.data() + digits.size(), found.length_);
  if (bad != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  found.is_v6_ = address.is_v6();
  if (found.length_ > (found.is_v6_ ? 128u : 32u)) return std::nullopt;
  found.bytes_ = bytes_of(address);
  for (unsigned i = 0; i < found.bytes_.size(); ++i) {
    if ((found.bytes_[i] & ~mask(found.length_, i)) != 0) return std::nullopt;
  }
  return found;
}

bool Cidr::contains(const Address& address) const {
  if (address.is_v6() != is_v6_) return false;
  const auto bytes = bytes_of(address);
  for (unsigned i = 0; 8 * i < length_; ++i) {
    if ((bytes[i] & mask(length_, i)) != bytes_[i]) return false;
  }
  return true;
}

const char* special_use(const Address& address) {
  if (address.is_v6() && address.to_v6().scope_id() != 0) return "an address with a zone";
  for (const Range& range : ranges()) {
    if (range.cidr.contains(address)) return range.use;
  }
  if (address.is_v6() && !global_unicast().contains(address)) return "unassigned";
  return nullptr;
}

Address unmapped(const Address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return ip::make_address_v4(ip::v4_mapped, address.to_v6());
}

}  // namespace reeve::net
