// Tested by tests/proxy/upstream_status_test.cc.
#include "proxy/upstream/status.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "proxy/clock.h"

namespace reeve {
namespace {

namespace bj = boost::json;

void add(AddressStatus& to, const AddressStatus& from) {
  AddressStatus sum = to.seen_at < from.seen_at ? from : to;
  sum.open = to.open + from.open;
  sum.idle = to.idle + from.idle;
  sum.ejections = to.ejections + from.ejections;
  to = std::move(sum);
}

void add(UpstreamStatus& to, const UpstreamStatus& from) {
  to.in_use += from.in_use;
  to.waiting += from.waiting;
  for (size_t i = 0; i < to.sites.size() && i < from.sites.size(); ++i) {
    if (to.sites[i].looked_up < from.sites[i].looked_up) to.sites[i] = from.sites[i];
  }
  for (const AddressStatus& address : from.addresses) {
    const auto same =
        std::find_if(to.addresses.begin(), to.addresses.end(), [&](const AddressStatus& known) {
          return known.address == address.address && known.host == address.host;
        });
    if (same == to.addresses.end()) {
      to.addresses.push_back(address);
    } else {
      add(*same, address);
    }
  }
}

std::string time_text(policy::Time time) {
  std::string text;
  append_time(text, time);
  return text;
}

bj::object to_object(const AddressStatus& address) {
  static constexpr std::string_view kStates[] = {"up", "failing", "down", "ejected", "probing"};
  bj::object row{{"address", address.address},
                 {"host", address.host},
                 {"state", kStates[static_cast<size_t>(address.state)]},
                 {"open", address.open},
                 {"idle", address.idle},
                 {"failures", address.failures},
                 {"ejections", address.ejections}};
  if (address.seen_at) row["seen"] = time_text(*address.seen_at);
  if (!address.last_error.empty()) row["last_error"] = address.last_error;
  if (address.last_error_at) row["last_error_at"] = time_text(*address.last_error_at);
  if (address.ejected_until) row["ejected_until"] = time_text(*address.ejected_until);
  return row;
}

}  // namespace

bool UpstreamStatus::up() const {
  if (addresses.empty()) {
    return std::all_of(sites.begin(), sites.end(),
                       [](const SiteStatus& site) { return site.error.empty(); });
  }
  return std::any_of(addresses.begin(), addresses.end(), [](const AddressStatus& address) {
    return address.state == Health::State::kUp || address.state == Health::State::kFailing;
  });
}

UpstreamStatuses merged(std::span<const std::shared_ptr<const UpstreamStatuses>> workers) {
  UpstreamStatuses all;
  for (const auto& worker : workers) {
    if (!worker) continue;
    for (size_t i = 0; i < worker->size(); ++i) {
      if (i == all.size()) {
        all.push_back((*worker)[i]);
      } else {
        add(all[i], (*worker)[i]);
      }
    }
  }
  return all;
}

std::string to_json(const UpstreamStatuses& statuses) {
  bj::array list;
  for (const UpstreamStatus& upstream : statuses) {
    bj::array sites, addresses;
    for (const SiteStatus& site : upstream.sites) {
      bj::object row{{"host", site.host}};
      if (site.looked_up) row["looked_up"] = time_text(*site.looked_up);
      if (!site.error.empty()) row["error"] = site.error;
      sites.push_back(std::move(row));
    }
    for (const AddressStatus& address : upstream.addresses) {
      addresses.push_back(to_object(address));
    }
    list.push_back(bj::object{{"upstream", upstream.name},
                              {"up", upstream.up()},
                              {"in_use", upstream.in_use},
                              {"waiting", upstream.waiting},
                              {"hosts", std::move(sites)},
                              {"addresses", std::move(addresses)}});
  }
  return bj::serialize(bj::object{{"upstreams", std::move(list)}});
}

}  // namespace reeve
