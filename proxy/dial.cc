// A name is looked up once, and only the addresses of that one answer are dialled: an answer that
// changes between the check and the connect (DNS rebinding) has nothing to change. Tested by
// tests/proxy/dial_test.cc and tests/e2e/forward_proxy_test.mjs.
#include "proxy/dial.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cstring>

namespace reeve {
namespace {

using Endpoint = net::asio::ip::tcp::endpoint;

// More addresses than this are no service's, and would keep a call busy for as long as each takes
// to time out.
constexpr size_t kAddressesMax = 32;

// Whether the address is one of this host's.
bool is_local(const net::Address& address) {
  if (address.is_loopback() || address.is_unspecified()) return true;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return true;  // in doubt it is
  bool found = false;
  for (const ifaddrs* at = first; at != nullptr && !found; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    if (address.is_v4() && at->ifa_addr->sa_family == AF_INET) {
      sockaddr_in one{};
      std::memcpy(&one, at->ifa_addr, sizeof one);
      found = address.to_v4().to_uint() == ntohl(one.sin_addr.s_addr);
    } else if (address.is_v6() && at->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 one{};
      std::memcpy(&one, at->ifa_addr, sizeof one);
      const auto bytes = address.to_v6().to_bytes();
      found = std::memcmp(bytes.data(), &one.sin6_addr, bytes.size()) == 0;
    }
  }
  ::freeifaddrs(first);
  return found;
}

}  // namespace

DialRules::DialRules(const Config& config) : allow_(config.dial_allow) {
  const auto add = [this](const Address& address) {
    net::ErrorCode ec;
    const auto host = net::asio::ip::make_address(address.host, ec);
    if (!ec) own_.emplace_back(net::unmapped(host), address.port);
  };
  for (const ListenerConfig& listener : config.listeners) add(listener.address);
  if (config.admin) add(config.admin->address);
}

// A listener on all addresses is behind each of this host's; to connect to 0.0.0.0 is to connect to
// this host.
bool DialRules::own(const Endpoint& endpoint) const {
  const net::Address address = net::unmapped(endpoint.address());
  return std::any_of(own_.begin(), own_.end(), [&](const Endpoint& mine) {
    if (mine.port() != endpoint.port()) return false;
    if (address.is_unspecified() || mine.address().is_unspecified()) return is_local(address);
    return mine.address() == address;
  });
}

const char* DialRules::forbidden(const Endpoint& endpoint) const {
  if (own(endpoint)) return "Denied: the target is the sidecar itself";
  if (net::special_use(endpoint.address()) == nullptr) return nullptr;
  return allowed(endpoint.address())
             ? nullptr
             : "Denied: the target has an address that is not public; `dial.allow` of "
               "reeve.yaml does not name it";
}

bool DialRules::allowed(const net::Address& address) const {
  return std::any_of(allow_.begin(), allow_.end(),
                     [&](const net::Cidr& range) { return range.contains(address); });
}

const char* DialRules::forbidden_upstream(const Endpoint& endpoint, bool by_name) const {
  if (own(endpoint)) return "it is the sidecar itself";
  static const std::vector<net::Cidr> kNoService = [] {
    std::vector<net::Cidr> ranges;
    for (const char* range : {"0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "::/128",
                              "fe80::/10", "ff00::/8"}) {
      ranges.push_back(*net::Cidr::parse(range));
    }
    return ranges;
  }();
  const net::Address address = net::unmapped(endpoint.address());
  const bool service =
      std::none_of(kNoService.begin(), kNoService.end(),
                   [&](const net::Cidr& range) { return range.contains(address); });
  if (!by_name || service || allowed(address)) return nullptr;
  return "it is link-local or of no service, and `dial.allow` of reeve.yaml does not name it";
}

const char* DialRules::forbidden(std::span<const Endpoint> endpoints) const {
  for (const Endpoint& endpoint : endpoints) {
    if (const char* why = forbidden(endpoint)) return why;
  }
  return nullptr;
}

net::Task<Result<Endpoints, DialFailure>> find_addresses(const DialRules& rules, Lookups& lookups,
                                                         const Destination& to) {
  Endpoints endpoints;
  if (to.address) {
    endpoints.emplace_back(*to.address, to.port);
  } else {
    Lookups::Found found = co_await lookups.find(to.host, to.port);
    if (!found.error.empty()) {
      co_return DialFailure{"connect", 502, "the host's name cannot be resolved",
                            std::move(found.error)};
    }
    endpoints = std::move(found.endpoints);
  }
  if (const char* why = rules.forbidden(endpoints)) {
    co_return DialFailure{"address", 403, why, {}};
  }
  if (endpoints.size() > kAddressesMax) endpoints.resize(kAddressesMax);
  co_return endpoints;
}

net::Task<Result<std::unique_ptr<net::Stream>, DialFailure>> dial(const Endpoints& endpoints,
                                                                  net::Executor executor,
                                                                  net::Socket** pending,
                                                                  const bool& given_up) {
  net::ErrorCode ec;
  for (const Endpoint& endpoint : endpoints) {
    if (given_up) break;
    net::Socket socket(executor);
    *pending = &socket;
    co_await socket.async_connect(endpoint, net::asio::redirect_error(net::kAwait, ec));
    *pending = nullptr;
    if (given_up) break;
    if (!ec) co_return std::make_unique<net::Stream>(std::move(socket));
  }
  co_return DialFailure{"connect", 502, "the host cannot be reached",
                        given_up ? std::string() : ec.message()};
}

}  // namespace reeve
