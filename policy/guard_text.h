// Finds the built-in kinds in a text: e-mail addresses, telephone numbers, US social security
// numbers, cards and IBANs. One pass; what has check digits is checked.
//
// What counts (policy/README.md says it for people): numbers may be grouped by spaces, dashes or
// dots; a run of digits that touches letters is part of a name; numbers that only look like one
// (nine or ten digits in a row) count where a word before them says what they are.
#ifndef REEVE_POLICY_GUARD_TEXT_H_
#define REEVE_POLICY_GUARD_TEXT_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "policy/guard_kind.h"

namespace reeve::policy {

struct TextMatch {
  uint32_t begin = 0;  // in the text
  uint32_t end = 0;
  uint32_t finder = 0;  // a GuardKind, or one that the caller numbers
};

// Keeps capacity; for one thread.
class TextScanner {
 public:
  // Appends the matches of `kinds`, in no order; they may overlap. `label` is what the text is
  // called (the key of its member) and counts as a word before it; may be empty. Time is linear in
  // the text; texts of 4 GiB and more are not looked at.
  void find(std::string_view text, std::string_view label, GuardKinds kinds,
            std::vector<TextMatch>& out);

  // The most bytes of a match, and of what is looked at on either side of it.
  static constexpr size_t kLongestMatch = 400;
  static constexpr size_t kLookAround = 48;

 private:
  struct Group {  // of digits
    uint32_t begin;
    uint32_t end;
    uint32_t size() const { return end - begin; }
  };
  enum class Gap : uint8_t { kNone, kOne, kMany };

  bool wants(GuardKind kind) const { return (kinds_ & bit(kind)) != 0; }
  void add(GuardKind kind, size_t begin, size_t end) {
    out_->push_back(
        {static_cast<uint32_t>(begin), static_cast<uint32_t>(end), static_cast<uint32_t>(kind)});
  }
  char at(size_t i) const { return i < text_.size() ? text_[i] : '\0'; }
  char before(size_t i) const { return i > 0 ? text_[i - 1] : '\0'; }
  std::string_view gap(size_t group) const;  // between it and the one before
  bool is_spoiled(size_t group) const;
  bool has_cue(size_t begin, bool of_ssn) const;
  bool is_in_uuid(size_t begin, size_t end) const;
  bool is_listed(size_t first, size_t last) const;
  bool is_date(size_t first, size_t last) const;

  size_t run_of_digits(size_t begin);
  void find_email(size_t sign);
  void find_iban(size_t digit);
  void find_cards();
  bool is_card(size_t first, size_t last, std::string_view digits) const;
  void find_ssns();
  void find_phones();
  size_t phone_at(size_t first) const;
  size_t international_at(size_t first) const;
  size_t american_at(size_t first) const;
  size_t national_at(size_t first) const;

  std::string_view text_;
  std::string_view label_;
  GuardKinds kinds_ = 0;
  std::vector<TextMatch>* out_ = nullptr;
  std::vector<Group> groups_;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_GUARD_TEXT_H_
