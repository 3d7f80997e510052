// See args_reader.h. Tested by tests/policy/condition_test.cc and
// condition_sharing_test.cc.
#include "policy/args_reader.h"

#include <algorithm>
#include <memory>

namespace reeve::policy {

namespace {

bool have_same_steps(const ValueRef& a, const ValueRef& b) {
  return a.hash == b.hash && std::equal(a.steps.begin(), a.steps.end(), b.steps.begin(),
                                        b.steps.end(), [](const Step& x, const Step& y) {
                                          return x.key == y.key && x.index == y.index &&
                                                 x.every == y.every;
                                        });
}

}  // namespace

// The item of a list at `index`, or nothing.
std::optional<json::Value> ArgsReader::item_at(const json::Value& list, size_t index) {
  if (index >= list.size()) return std::nullopt;
  for (const json::Value item : list.items()) {
    if (index-- == 0) return item;
  }
  return std::nullopt;
}

const ArgsReader::Found& ArgsReader::read(const ValueRef& ref) {
  for (uint32_t i = 0; i < used_; ++i) {
    const Place& place = places_[i];
    if (place.ref == &ref || have_same_steps(*place.ref, ref)) return place.found;
  }
  if (used_ < kPlaces) ++used_;  // else the last place is written over
  Place& place = *std::construct_at(&places_[used_ - 1], Place{&ref, {}});
  auto keep = [&](const json::Value* value) {
    if (value) place.found.value = *value;
  };
  place.found.has_variant = visit(ref, keep);
  return place.found;
}

}  // namespace reeve::policy
