// Finds the values of a call's arguments that conditions read.
#ifndef REEVE_POLICY_ARGS_READER_H_
#define REEVE_POLICY_ARGS_READER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "policy/condition.h"
#include "policy/json.h"

namespace reeve::policy {

// The arguments of one call, read for one decision. The rules that come near a call tend to read
// the same few values: each is looked up once, as far as there is place to keep it. A value is
// found together with whether a key on its path has a case variant beside it, in one pass over the
// objects on the path.
class ArgsReader {
 public:
  struct Found {
    std::optional<json::Value> value;
    bool has_variant = false;
  };

  // `args` may be null: no value is there.
  explicit ArgsReader(const json::Value* args) : args_(args) {}
  ArgsReader(const ArgsReader&) = delete;
  ArgsReader& operator=(const ArgsReader&) = delete;

  bool has_args() const { return args_ != nullptr; }  // the rest requires it
  // `ref` has the root kArgs and no step that is `*`. Valid until the next read().
  const Found& read(const ValueRef& ref);
  // Calls `visit(value or null)` for what `ref` leads to, once for each item where it fans out.
  // Whether a key on the way has a case variant.
  template <class Visit>
  bool visit(const ValueRef& ref, Visit&& visit) const {
    return visit_values(*args_, ref.steps.data(), ref.steps.data() + ref.steps.size(), visit);
  }

 private:
  static constexpr size_t kPlaces = 32;
  struct Place {
    const ValueRef* ref = nullptr;
    Found found;
  };
  static std::optional<json::Value> item_at(const json::Value& list, size_t index);
  template <class Visit>
  static bool visit_values(const json::Value& value, const Step* step, const Step* end,
                           Visit& visit);

  const json::Value* args_;
  uint32_t used_ = 0;
  // In a union, so that those that are not used are not touched.
  union {
    std::array<Place, kPlaces> places_;
  };
};

// Recursion is as deep as the path is long.
template <class Visit>
bool ArgsReader::visit_values(const json::Value& value, const Step* step, const Step* end,
                              Visit& visit) {
  if (step == end) {
    visit(&value);
    return false;
  }
  if (step->every && value.is_array()) {
    bool variant = false;
    for (const json::Value item : value.items()) {
      variant = visit_values(item, step + 1, end, visit) || variant;
    }
    return variant;
  }
  std::optional<json::Value> next;
  bool variant = false;
  if (!step->every && value.is_object()) {
    const json::Value::Lookup found = value.look_up(step->key, step->hash);
    next = found.value;
    variant = found.has_variant;
  } else if (!step->every && value.is_array() && step->index) {
    next = item_at(value, *step->index);
  }
  if (!next) {
    visit(nullptr);
    return variant;
  }
  return visit_values(*next, step + 1, end, visit) || variant;
}

}  // namespace reeve::policy

#endif  // REEVE_POLICY_ARGS_READER_H_
