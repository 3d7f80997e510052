// A text as a reader sees it: without characters that do not show, with the digits, letters, spaces
// and dashes of other forms as ASCII has them. Guards look there, too, so that a number is not
// hidden by a zero-width space or by full-width digits.
#ifndef REEVE_POLICY_GUARD_FOLD_H_
#define REEVE_POLICY_GUARD_FOLD_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace reeve::policy {

// Keeps capacity; for one thread.
class FoldedText {
 public:
  // Folds `source`, which must outlive the use of this. False when it is not UTF-8.
  bool fold(std::string_view source);

  // Whether folding made a difference; without one, text() is the source.
  bool changed() const { return changed_; }
  std::string_view text() const { return changed_ ? std::string_view(text_) : source_; }
  // The place in the source of what stands at `begin` of text(), and the end of what ends there.
  size_t source_begin(size_t begin) const { return changed_ ? places_[begin] : begin; }
  size_t source_end(size_t end) const;

 private:
  std::string_view source_;
  bool changed_ = false;
  std::string text_;
  std::vector<uint32_t> places_;  // of each byte of text_, in the source
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_GUARD_FOLD_H_
