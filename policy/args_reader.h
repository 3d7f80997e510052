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

  explicit ArgsReader(const Call& call) : args_(call.args), unread_(call.args_unread) {}
  ArgsReader(const ArgsReader&) = delete;
  ArgsReader& operator=(const ArgsReader&) = delete;

  // Values may be there that cannot be told: all of them are in doubt. Also when there were more to
  // look at than one decision may cost.
  bool is_unread() const { return unread_ || is_exhausted(); }
  bool is_exhausted() const { return steps_ == 0; }
  bool has_args() const { return args_ != nullptr; }  // the rest requires it
  // `ref` has the root kArgs and no step that is `*`. Valid until the next read().
  const Found& read(const ValueRef& ref);
  // Calls `visit(value or null)` for what `ref` leads to, once for each item where it fans out.
  // Whether a key on the way has a case variant.
  template <class Visit>
  bool visit(const ValueRef& ref, Visit&& visit) {
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
  bool visit_values(const json::Value& value, const Step* step, const Step* end, Visit& visit);

  const json::Value* args_;
  bool unread_;
  uint64_t steps_ = 2'000'000;  // values that may still be looked at: a decision takes milliseconds
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
      if (is_exhausted() || --steps_ == 0) break;
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
