// Every row of the table of special addresses at its edges, and the forms of a range.
#include "proxy/net/address_class.h"

#include <catch2/catch.hpp>
#include <string>

namespace reeve::net {
namespace {

Address address(const char* text) { return boost::asio::ip::make_address(text); }

std::string use(const char* text) {
  const char* found = special_use(address(text));
  return found == nullptr ? "public" : found;
}

TEST_CASE("special addresses, first and last of each range, and their neighbours") {
  const struct {
    const char* address;
    const char* use;
  } rows[] = {
      {"0.0.0.0", "this network"},
      {"0.255.255.255", "this network"},
      {"1.0.0.0", "public"},
      {"9.255.255.255", "public"},
      {"10.0.0.0", "private use"},
      {"10.255.255.255", "private use"},
      {"11.0.0.0", "public"},
      {"100.63.255.255", "public"},
      {"100.64.0.0", "carrier-grade NAT"},
      {"100.127.255.255", "carrier-grade NAT"},
      {"100.128.0.0", "public"},
      {"126.255.255.255", "public"},
      {"127.0.0.1", "loopback"},
      {"127.255.255.255", "loopback"},
      {"128.0.0.0", "public"},
      {"169.253.255.255", "public"},
      {"169.254.0.0", "link-local"},
      {"169.254.169.254", "link-local"},
      {"169.254.255.255", "link-local"},
      {"169.255.0.0", "public"},
      {"172.15.255.255", "public"},
      {"172.16.0.0", "private use"},
      {"172.31.255.255", "private use"},
      {"172.32.0.0", "public"},
      {"192.0.0.0", "protocol assignments"},
      {"192.0.0.255", "protocol assignments"},
      {"192.0.1.0", "public"},
      {"192.0.2.0", "documentation"},
      {"192.0.2.255", "documentation"},
      {"192.0.3.0", "public"},
      {"192.88.99.1", "6to4 relay anycast"},
      {"192.167.255.255", "public"},
      {"192.168.0.0", "private use"},
      {"192.168.255.255", "private use"},
      {"192.169.0.0", "public"},
      {"198.17.255.255", "public"},
      {"198.18.0.0", "benchmarking"},
      {"198.19.255.255", "benchmarking"},
      {"198.20.0.0", "public"},
      {"198.51.100.7", "documentation"},
      {"203.0.113.7", "documentation"},
      {"203.0.114.0", "public"},
      {"223.255.255.255", "public"},
      {"224.0.0.0", "multicast"},
      {"239.255.255.255", "multicast"},
      {"240.0.0.0", "reserved or broadcast"},
      {"255.255.255.255", "reserved or broadcast"},
      {"::", "unspecified"},
      {"::1", "loopback"},
      {"::2", "unassigned"},
      {"::7f00:1", "unassigned"},  // IPv4-compatible
      {"::ffff:127.0.0.1", "IPv4-mapped"},
      {"::ffff:8.8.8.8", "IPv4-mapped"},
      {"64:ff9b::7f00:1", "NAT64"},
      {"64:ff9b::808:808", "NAT64"},
      {"64:ff9b:1::1", "local NAT64"},
      {"64:ff9b:1:ffff::1", "local NAT64"},
      {"64:ff9b:2::1", "unassigned"},
      {"100::1", "discard-only"},
      {"1fff:ffff::1", "unassigned"},
      {"2000::1", "public"},
      {"2001::1", "Teredo"},
      {"2001:0:ffff::1", "Teredo"},
      {"2001:1::1", "protocol assignments"},
      {"2001:1ff::1", "protocol assignments"},
      {"2001:200::1", "public"},
      {"2001:db7::1", "public"},
      {"2001:db8::1", "documentation"},
      {"2001:db9::1", "public"},
      {"2002:7f00:1::1", "6to4"},
      {"2003::1", "public"},
      {"2606:4700::1111", "public"},
      {"3fff::1", "documentation"},
      {"3fff:1000::1", "public"},
      {"3fff:ffff::1", "public"},
      {"4000::1", "unassigned"},
      {"fbff::1", "unassigned"},
      {"fc00::1", "unique local"},
      {"fdff:ffff::1", "unique local"},
      {"fe80::1", "link-local"},
      {"febf::1", "link-local"},
      {"fec0::1", "site-local"},
      {"ff02::1", "multicast"},
      {"8.8.8.8", "public"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.address);
    CHECK(use(row.address) == row.use);
  }
  CHECK(special_use(boost::asio::ip::make_address("fe80::1%1")) != nullptr);
  CHECK(special_use(boost::asio::ip::make_address("2606:4700::1%1")) != nullptr);
}

TEST_CASE("a range is an address in plain form and a length that covers its bits") {
  for (const char* good : {"0.0.0.0/0", "127.0.0.0/8", "10.1.2.3/32", "10.1.2.2/31", "::/0",
                           "fd00::/8", "::ffff:0:0/96", "2606:4700::1/128"}) {
    CAPTURE(good);
    CHECK(Cidr::parse(good));
  }
  for (const char* bad : {"",
                          "/",
                          "10.0.0.0",
                          "10.0.0.0/",
                          "/8",
                          "10.0.0.0/33",
                          "::/129",
                          "10.0.0.0/-1",
                          "10.0.0.0/+8",
                          "10.0.0.0/08",
                          "10.0.0.0/8 ",
                          " 10.0.0.0/8",
                          "10.0.0.1/8",
                          "10.0.0.1/31",
                          "fd00::1/8",
                          "127.1/8",
                          "0x7f.0.0.0/8",
                          "0177.0.0.0/8",
                          "fe80::%1/10",
                          "10.0.0.0/8/8",
                          "localhost/8",
                          "[::1]/128"}) {
    CAPTURE(bad);
    CHECK_FALSE(Cidr::parse(bad));
  }
}

TEST_CASE("a range holds addresses of its own family only") {
  const Cidr four = *Cidr::parse("127.0.0.0/9");
  CHECK(four.contains(address("127.0.0.0")));
  CHECK(four.contains(address("127.127.255.255")));
  CHECK_FALSE(four.contains(address("127.128.0.0")));
  CHECK_FALSE(four.contains(address("::ffff:127.0.0.1")));
  CHECK_FALSE(Cidr::parse("0.0.0.0/0")->contains(address("::")));
  CHECK_FALSE(Cidr::parse("::/0")->contains(address("0.0.0.0")));
  CHECK(Cidr::parse("::/0")->contains(address("fe80::1")));
  CHECK(unmapped(address("::ffff:127.0.0.1")) == address("127.0.0.1"));
  CHECK(unmapped(address("::1")) == address("::1"));
}

}  // namespace
}  // namespace reeve::net
