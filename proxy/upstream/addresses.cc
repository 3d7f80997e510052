// The addresses that are dialled are those that were checked here: one answer of the resolver for
// both. Tested by tests/proxy/upstream_pool_test.cc and tests/e2e/upstreams_test.mjs.
#include "proxy/upstream/addresses.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "proxy/log.h"

namespace reeve {

Addresses::Addresses(const UpstreamConfig& config, const UpstreamMeans& means) : means_(means) {
  if (config.has_face() || !config.unix_path.empty()) {
    // One place, which is no address.
    const bool socket = !config.unix_path.empty();
    sites_.emplace_back().host = socket          ? config.unix_path
                                 : config.events ? config.host
                                                 : config.command.words.front();
    sites_.front().authority = config.authority;
    old_at_ = Steady::max();
    replace(0, Endpoints(1));
    return;
  }
  const auto add = [this](const std::string& host, uint16_t port, const std::string& authority) {
    Site site;
    site.host = host;
    site.port = port;
    site.authority = authority;
    net::ErrorCode ec;
    const auto address = net::asio::ip::make_address(host, ec);
    site.named = static_cast<bool>(ec);
    sites_.push_back(std::move(site));
    if (ec) return;
    Lookups::Found found = checked({{{address, port}}, {}}, false);
    sites_.back().known = found.error.empty();
    sites_.back().error = std::move(found.error);
    replace(sites_.size() - 1, found.endpoints);
  };
  add(config.host, config.port, config.authority);
  for (const UpstreamSite& site : config.others) add(site.host, site.port, site.authority);
  const bool named =
      std::any_of(sites_.begin(), sites_.end(), [](auto& site) { return site.named; });
  if (!named) old_at_ = Steady::max();
}

Addresses::~Addresses() {
  for (const auto& address : list_) address->idle.clear();  // each of them holds its address
}

void Addresses::pin(const Endpoints& endpoints) {
  old_at_ = Steady::max();
  sites_.resize(1);
  sites_.front().named = false;
  replace(0, endpoints);
}

void Addresses::replace(size_t site, const Endpoints& endpoints) {
  std::erase_if(list_, [&](const std::shared_ptr<UpstreamAddress>& known) {
    if (known->site != site) return false;
    if (std::find(endpoints.begin(), endpoints.end(), known->endpoint) != endpoints.end()) {
      return false;
    }
    known->gone = true;
    known->idle.clear();
    return true;
  });
  for (const auto& endpoint : endpoints) {
    const bool known = std::any_of(list_.begin(), list_.end(), [&](const auto& address) {
      return address->site == site && address->endpoint == endpoint;
    });
    if (known) continue;
    auto address = std::make_shared<UpstreamAddress>();
    address->endpoint = endpoint;
    address->site = site;
    list_.push_back(std::move(address));
  }
}

bool Addresses::looking() const {
  return std::any_of(sites_.begin(), sites_.end(), [](const Site& site) { return site.looking; });
}

void Addresses::look_up_old(Steady now) {
  old_at_ = now + kFreshFor;
  for (size_t i = 0; i < sites_.size(); ++i) {
    const Site& site = sites_[i];
    if (!site.named || site.looking) continue;
    // What failed is tried again sooner, but not by every call that it fails.
    const auto pause = site.error.empty() ? kFreshFor : kBetweenLookups;
    const Steady due = site.looked_up == Steady{} ? now : site.looked_up + pause;
    if (now >= due) {
      start(i);
    } else {
      old_at_ = std::min(old_at_, due);
    }
  }
}

void Addresses::doubt(const UpstreamAddress& address, Steady now) {
  if (address.gone) return;
  const Site& site = sites_[address.site];
  if (!site.named || site.looking || now - site.looked_up < kBetweenLookups) return;
  start(address.site);
}

void Addresses::start(size_t site) {
  sites_[site].looking = true;
  net::spawn(means_.context, look_up(site), [](std::exception_ptr failure) {
    if (failure) log(LogLevel::kError, "a look-up of an upstream's name ended");
  });
}

net::Task<void> Addresses::look_up(size_t at) {
  const std::string host = sites_[at].host;
  Lookups::Found found = checked(co_await means_.lookups.find(host, sites_[at].port), true);
  Site& site = sites_[at];
  site.looking = false;
  site.looked_up = steady_now();
  old_at_ = std::min(old_at_, site.looked_up + (found.error.empty() ? kFreshFor : kBetweenLookups));
  if (!found.error.empty() && found.error != site.error) {
    log(LogLevel::kWarning, fmt::format("`{}` has no address: {}", host, found.error));
  }
  if (found.error.empty()) {
    site.known = true;
    replace(at, found.endpoints);
  }
  site.error = std::move(found.error);
  for (net::Timer* timer : waiting_) timer->cancel();
}

// Without those that no upstream has.
Lookups::Found Addresses::checked(Lookups::Found found, bool named) const {
  if (!found.error.empty()) return found;
  Endpoints good;
  const char* why = "no address";
  for (const auto& endpoint : found.endpoints) {
    if (const char* forbidden = means_.dial.forbidden_upstream(endpoint, named)) {
      why = forbidden;
    } else if (good.size() < kMost && std::find(good.begin(), good.end(), endpoint) == good.end()) {
      good.push_back(endpoint);
    }
  }
  found.endpoints = std::move(good);
  if (found.endpoints.empty()) found.error = why;
  return found;
}

net::Task<void> Addresses::wait(Connection& caller) {
  net::Timer timer(means_.context);
  const auto at = waiting_.insert(waiting_.end(), &timer);
  caller.waiting = &timer;
  net::ErrorCode ignored;
  timer.expires_at(Steady::max());
  co_await timer.async_wait(net::asio::redirect_error(net::kAwait, ignored));
  caller.waiting = nullptr;
  waiting_.erase(at);
}

std::string Addresses::error() const {
  for (const Site& site : sites_) {
    if (!site.error.empty()) {
      return fmt::format("`{}` has no address: {}", site.host, site.error);
    }
  }
  return "no address";
}

}  // namespace reeve
