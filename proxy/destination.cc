// A host whose last label is a number is an IPv4 address to some programs (inet_aton reads
// `0x7f.1`, `2130706433`, `127.1` and octal), so it must be one in plain dotted decimal. Nothing is
// resolved or normalised beyond the case of letters. Tested by tests/proxy/destination_test.cc.
#include "proxy/destination.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "proxy/http/authority.h"
#include "proxy/http/chars.h"

namespace reeve {
namespace {

constexpr size_t kLabelBytesMax = 63;  // RFC 1035, 2.3.4
constexpr size_t kNameBytesMax = 253;

bool is_number(std::string_view label) {
  const auto all = [](std::string_view text, uint8_t classes) {
    return std::all_of(text.begin(), text.end(),
                       [classes](char c) { return http::is(c, classes); });
  };
  if (label.starts_with("0x")) return all(label.substr(2), http::kHexDigit);
  return !label.empty() && all(label, http::kDigit);
}

const char* malformed_name(std::string_view host) {
  if (host.size() > kNameBytesMax) return "the host's name is longer than 253 bytes";
  for (size_t begin = 0; begin <= host.size();) {
    const size_t end = std::min(host.find('.', begin), host.size());
    const std::string_view label = host.substr(begin, end - begin);
    if (label.empty()) return "the host's name has an empty label or a final dot";
    if (label.size() > kLabelBytesMax) return "the host's name has a label of over 63 bytes";
    if (label.find('~') != label.npos) return "the host's name has a character that no name has";
    begin = end + 1;
  }
  return nullptr;
}

}  // namespace

Result<Destination, const char*> parse_destination(std::string_view text, uint16_t default_port) {
  const auto authority = http::parse_authority(text);
  if (!authority) return "the target is no `host:port`";
  Destination found;
  found.port = authority->port != 0 ? authority->port : default_port;
  if (found.port == 0) return "the target has no port";
  found.host = std::string(authority->host);
  std::transform(found.host.begin(), found.host.end(), found.host.begin(), http::to_lower);
  boost::system::error_code ec;
  if (found.host.front() == '[') {
    found.address =
        boost::asio::ip::make_address_v6(found.host.substr(1, found.host.size() - 2), ec);
    if (ec) return "the target is no `host:port`";
    if (found.address->to_v6().is_v4_mapped()) {
      return "the host is an IPv4 address in the form of an IPv6 one; write it plainly";
    }
    found.host = found.address->to_string();
    found.target = fmt::format("[{}]:{}", found.host, found.port);
    return found;
  }
  if (const char* why = malformed_name(found.host)) return why;
  if (is_number(std::string_view(found.host).substr(found.host.rfind('.') + 1))) {
    found.address = boost::asio::ip::make_address_v4(found.host, ec);
    // Only what reads back the same is in plain dotted decimal.
    if (ec || found.address->to_string() != found.host) {
      return "the host is an IPv4 address in another form than four decimal numbers";
    }
  }
  found.target = fmt::format("{}:{}", found.host, found.port);
  return found;
}

}  // namespace reeve
