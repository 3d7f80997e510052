// Telephone numbers, which have no check digits: what tells them is a form (+49 30 901820,
// (415) 555-2671, 030/901820) or a word before them. Measured on tests/data/guards.
#include <algorithm>
#include <array>
#include <string>

#include "policy/guard_chars.h"
#include "policy/guard_text.h"

namespace reeve::policy {

namespace {

constexpr std::string_view kPhoneWords[] = {
    "phone",   "telephone", "tel",      "mobile",  "mobil", "cell",   "fax", "call me",
    "call us", "whatsapp",  "cellular", "telefon", "handy", "msisdn", "sms"};
constexpr std::string_view kSsnWords[] = {"ssn", "social security", "social_security", "soc sec"};

// Whether one of `words` stands in `text` (in lower case), not as the end of a longer word.
template <size_t N>
bool has_word(std::string_view text, const std::string_view (&words)[N]) {
  return std::any_of(std::begin(words), std::end(words), [&](std::string_view word) {
    for (size_t found = text.find(word); found != kNone; found = text.find(word, found + 1)) {
      if (found > 0 && is_letter(text[found - 1])) continue;
      const size_t end = found + word.size();
      if (end == text.size() || !is_letter(text[end]) || text[end] == 's') return true;
    }
    return false;
  });
}

// The words of a key: `homePhone`, `phone_number`, `TEL`.
std::string words_of(std::string_view label) {
  std::string words;
  char last = ' ';
  for (const char c : label.substr(0, 64)) {
    if (c != lower(c) && last == lower(last) && is_letter(last)) words.push_back(' ');
    words.push_back(lower(c));
    last = c;
  }
  return words;
}

bool is_one_of(std::string_view gap, std::string_view a, std::string_view b, std::string_view c) {
  return gap == a || gap == b || gap == c;
}

}  // namespace

// Whether a word near before, or the text's label, says what the number is.
bool TextScanner::has_cue(size_t begin, bool of_ssn) const {
  std::array<char, kLookAround> near;
  const size_t first = begin < near.size() ? 0 : begin - near.size();
  size_t size = 0;
  for (size_t i = first; i < begin; ++i) {
    if (is_digit(text_[i]) || text_[i] == '\n') {
      size = 0;  // a word before another number is about that one
    } else {
      near[size++] = lower(text_[i]);
    }
  }
  const auto tells = [&](std::string_view text) {
    return of_ssn ? has_word(text, kSsnWords) : has_word(text, kPhoneWords);
  };
  return tells({near.data(), size}) || (!label_.empty() && tells(words_of(label_)));
}

// 01.02.2024, 2024-01-02 and the like.
bool TextScanner::is_date(size_t first, size_t last) const {
  if (last < first + 2) return false;
  const uint32_t a = groups_[first].size();
  const uint32_t b = groups_[first + 1].size();
  const uint32_t c = groups_[first + 2].size();
  if (gap(first + 1) != gap(first + 2) || b > 2) return false;
  return (a <= 2 && c == 4) || (a == 4 && c <= 2);
}

void TextScanner::find_phones() {
  for (size_t first = 0; first < groups_.size();) {
    const size_t end = phone_at(first);  // one past the last group, or 0
    if (end == 0) {
      ++first;
      continue;
    }
    size_t begin = groups_[first].begin;
    if (before(begin) == '(') --begin;
    if (before(begin) == '+') --begin;
    add(GuardKind::kPhone, begin, groups_[end - 1].end);
    first = end;
  }
}

size_t TextScanner::phone_at(size_t first) const {
  const size_t begin = groups_[first].begin;
  if (is_letter(before(begin)) || is_in_uuid(begin, groups_[first].end)) return 0;
  if (const size_t end = international_at(first)) return end;
  if (const size_t end = american_at(first)) return end;
  if (const size_t end = national_at(first)) return end;
  // No form that tells: a word must.
  size_t digits = 0;
  size_t end = 0;
  for (size_t i = first; i < groups_.size() && digits + groups_[i].size() <= 15; ++i) {
    digits += groups_[i].size();
    if (is_letter(at(groups_[i].end))) break;
    if (digits >= 7) end = i + 1;
  }
  if (end == 0 || is_date(first, end - 1)) return 0;
  return has_cue(begin, false) ? end : 0;
}

// +49 30 901820, +1 (415) 555-2671; 0049 30 901820.
size_t TextScanner::international_at(size_t first) const {
  size_t begin = groups_[first].begin;
  if (before(begin) == '(') --begin;
  const bool has_plus = before(begin) == '+';
  const size_t prefix = has_plus ? 0 : 2;
  if (has_plus && begin > 1 && is_alnum(text_[begin - 2])) return 0;
  const std::string_view digits = text_.substr(groups_[first].begin, groups_[first].size());
  if (has_plus ? digits[0] == '0' : !digits.starts_with("00")) return 0;
  // Without the sign only at the beginning: behind other digits it is the rest of something.
  if (!has_plus && (first > 0 || digits.starts_with("000"))) return 0;
  size_t count = 0;
  size_t end = 0;
  for (size_t i = first; i < groups_.size() && count + groups_[i].size() <= 15 + prefix; ++i) {
    count += groups_[i].size();
    if (is_letter(at(groups_[i].end))) break;
    if (count >= 8 + prefix && (has_plus || i > first)) end = i + 1;
  }
  if (end == 0 || (!has_plus && end < first + 2)) return 0;
  return end;
}

// (415) 555-2671, 415-555-2671, 1 415 555 2671: the North American plan.
size_t TextScanner::american_at(size_t first) const {
  size_t area = first;
  if (groups_[first].size() == 1 && text_[groups_[first].begin] == '1') ++area;
  const size_t last = area + 2;
  if (last >= groups_.size() || groups_[area].size() != 3 || groups_[area + 1].size() != 3 ||
      groups_[last].size() != 4) {
    return 0;
  }
  const auto begins_well = [&](size_t group) { return text_[groups_[group].begin] >= '2'; };
  if (!begins_well(area) || !begins_well(area + 1)) return 0;
  const char next = at(groups_[last].end);
  if (is_letter(next) && next != 'x' && next != 'e') return 0;  // an extension may follow
  const char previous = before(groups_[first].begin);
  if (previous == '$' || previous == '#' || is_digit(previous)) return 0;
  const std::string_view behind_area = gap(area + 1);
  const std::string_view middle = gap(last);
  if (!is_one_of(middle, "-", ".", " ") && middle != " - ") return 0;
  const bool in_brackets = behind_area.starts_with(")");
  if (!in_brackets && behind_area != middle && behind_area != "/" && behind_area != " ") return 0;
  if (!in_brackets && area == first && is_listed(area, last)) return 0;
  return last + 1;
}

// 030 901820, 089/1234567, 01 42 68 53 00: with the zero that dials within a country.
size_t TextScanner::national_at(size_t first) const {
  const Group& area = groups_[first];
  if (text_[area.begin] != '0' || area.size() < 2 || area.size() > 5 ||
      text_[area.begin + 1] == '0') {
    return 0;
  }
  const char previous = before(area.begin);
  if (previous == '.' || previous == ',' || previous == ':' || is_digit(previous)) return 0;
  if (first > 0) return 0;  // the rest of a date, an address or a list
  size_t digits = 0;
  size_t end = 0;
  for (size_t i = first; i < groups_.size() && digits + groups_[i].size() <= 12; ++i) {
    if (groups_[i].size() < 2) break;
    digits += groups_[i].size();
    const char next = at(groups_[i].end);
    if (is_letter(next) || (next == ':' && is_digit(at(groups_[i].end + 1)))) break;
    if (digits >= 9 && i > first) end = i + 1;
  }
  if (end == 0 || is_date(first, end - 1)) return 0;
  const bool is_dotted_quad = end - first == 4 && gap(first + 1) == "." && gap(first + 3) == ".";
  return is_dotted_quad ? 0 : end;
}

}  // namespace reeve::policy
