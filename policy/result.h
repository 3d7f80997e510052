// A value or an error. libstdc++ 12 has no std::expected; this is the part of it that reeve uses.
#ifndef REEVE_POLICY_RESULT_H_
#define REEVE_POLICY_RESULT_H_

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace reeve {

// A sentence for a person: lower case, no final stop, what to do about it.
struct Error {
  std::string message;
};

template <class T, class E = Error>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& operator*() {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  const T& operator*() const {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T* operator->() { return &**this; }
  const T* operator->() const { return &**this; }
  E& error() {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  const E& error() const {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, E> state_;
};

}  // namespace reeve

#endif  // REEVE_POLICY_RESULT_H_
