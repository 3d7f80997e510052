// Single values: addresses, hashes, durations, sizes. Tested by tests/proxy/config_test.cc.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <cstring>

#include "proxy/config/reader.h"

namespace reeve::config {

std::optional<Address> Reader::address(const yaml::Node& node) {
  const std::string value = text(node);
  if (value.rfind("unix:", 0) == 0) {
    error(node.mark, "Unix sockets are not yet supported by this version; use HOST:PORT");
    return std::nullopt;
  }
  const size_t colon = value.rfind(':');
  Address address;
  if (colon != std::string::npos) {
    address.host = value.substr(0, colon);
    if (address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']') {
      address.host = address.host.substr(1, address.host.size() - 2);
    }
    const std::string_view digits = std::string_view(value).substr(colon + 1);
    const auto [end, ec] =
        std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
    boost::system::error_code bad;
    boost::asio::ip::make_address(address.host, bad);
    if (ec == std::errc{} && end == digits.data() + digits.size() && !digits.empty() && !bad) {
      return address;
    }
  }
  error(node.mark, fmt::format("`{}` is no address to listen on; write IP:PORT, such as "
                               "127.0.0.1:8700 or [::1]:8700",
                               value));
  return std::nullopt;
}

std::optional<policy::Sha256> Reader::hex_hash(const yaml::Node& node) {
  const std::string value = text(node);
  policy::Sha256 hash{};
  bool good = value.size() == 64;
  for (size_t i = 0; good && i < 32; ++i) {
    const auto [end, ec] =
        std::from_chars(value.data() + 2 * i, value.data() + 2 * i + 2, hash[i], 16);
    good = ec == std::errc{} && end == value.data() + 2 * i + 2;
  }
  if (good) return hash;
  error(node.mark,
        "a token's SHA-256 is 64 hexadecimal digits; make one with "
        "`printf %s TOKEN | sha256sum`");
  return std::nullopt;
}

void Reader::only(const yaml::Node& node, const char* key, std::string_view supported,
                  const std::vector<std::string>& not_yet) {
  const yaml::Node* value = node.find(key);
  if (value == nullptr) return;
  const std::string found = text(*value);
  if (found == supported) return;
  if (std::find(not_yet.begin(), not_yet.end(), found) != not_yet.end()) {
    error(value->mark, fmt::format("`{}: {}` is not yet supported by this version; write `{}`", key,
                                   found, supported));
  } else {
    error(value->mark, fmt::format("`{}` is no value of `{}`; write `{}`", found, key, supported));
  }
}

std::string Reader::field_name(const yaml::Node& node) {
  std::string name = text(node);
  const bool token = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || std::strchr("!#$%&'*+-.^_`|~", c) != nullptr;
  });
  if (!token) error(node.mark, fmt::format("`{}` is no name of a header field", name));
  return name;
}

std::chrono::milliseconds Reader::duration(const yaml::Node& node) {
  const std::string value = text(node);
  static constexpr struct {
    std::string_view unit;
    int64_t ms;
  } kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  uint32_t number = 0;
  const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), number);
  const std::string_view unit(end, value.data() + value.size());
  if (ec == std::errc{} && number > 0) {
    for (const auto& known : kUnits) {
      if (unit == known.unit) return std::chrono::milliseconds(number * known.ms);
    }
  }
  error(node.mark, fmt::format("`{}` is no duration; write a number and ms, s, m or h", value));
  return std::chrono::milliseconds(1);
}

size_t Reader::bytes(const yaml::Node& node, size_t least) {
  const std::string value = text(node);
  static constexpr struct {
    std::string_view unit;
    uint64_t factor;
  } kUnits[] = {{"", 1}, {"B", 1}, {"KB", 1024}, {"MB", 1024 * 1024}};
  uint32_t number = 0;
  const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), number);
  const std::string_view unit(end, value.data() + value.size());
  if (ec == std::errc{}) {
    for (const auto& known : kUnits) {
      if (unit == known.unit && number * known.factor >= least) return number * known.factor;
    }
  }
  error(node.mark, fmt::format("`{}` is no size of at least {} bytes; write a number and B, KB "
                               "or MB",
                               value, least));
  return least;
}

bool Reader::boolean(const yaml::Node& node) {
  const std::string value = text(node);
  if (value == "true" || value == "false") return value == "true";
  error(node.mark, fmt::format("`{}` is neither true nor false", value));
  return false;
}

size_t Reader::number(const yaml::Node& node, size_t least, size_t most) {
  const std::string value = text(node);
  size_t found = 0;
  const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), found);
  if (ec == std::errc{} && end == value.data() + value.size() && found >= least && found <= most) {
    return found;
  }
  error(node.mark, fmt::format("`{}` is no number from {} to {}", value, least, most));
  return least;
}

}  // namespace reeve::config
