// See guard_text.h; telephone numbers are in guard_phone.cc. The one pass stops at `@` and at
// digits; a run of digits and of what may stand between them is cut into groups once, and each kind
// looks at the groups. Measured on tests/data/guards by tests/policy/guard_text_test.cc.
#include "policy/guard_text.h"

#include <algorithm>
#include <array>

#include "policy/checksum.h"
#include "policy/guard_chars.h"

namespace reeve::policy {

namespace {

constexpr size_t kLocalMax = 128;   // of an address, before the sign
constexpr size_t kDomainMax = 255;  // RFC 5321, 4.5.3.1

bool is_local(char c) {
  return is_alnum(c) || is_beyond_ascii(c) || std::string_view("._%+-'&~").find(c) != kNone;
}
bool is_domain(char c) { return is_alnum(c) || is_beyond_ascii(c) || c == '-' || c == '.'; }

// Whether the last label of a domain can be a top-level one.
bool is_top_level(std::string_view label) {
  if (label.size() < 2) return false;
  if (label.starts_with("xn--")) return true;
  return std::all_of(label.begin(), label.end(),
                     [](char c) { return is_letter(c) || is_beyond_ascii(c); });
}

// `2x.png` of `icon@2x.png`: a picture for screens of another density.
bool is_picture(std::string_view domain) {
  const size_t dot = domain.find('.');
  if (dot < 2 || domain[dot - 1] != 'x') return false;
  const std::string_view scale = domain.substr(0, dot - 1);
  if (!std::all_of(scale.begin(), scale.end(), is_digit)) return false;
  constexpr std::string_view kTypes[] = {"png", "jpg", "jpeg", "gif", "webp", "svg", "pdf"};
  const std::string_view type = domain.substr(dot + 1);
  return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

// The domain at the beginning of `text`, or nothing: two labels or more, none empty.
std::string_view domain_of(std::string_view text) {
  size_t size = 0;
  while (size < text.size() && size < kDomainMax && is_domain(text[size])) {
    if (text[size] == '.' && size > 0 && text[size - 1] == '.') break;
    ++size;
  }
  std::string_view domain = text.substr(0, size);
  for (;;) {
    while (!domain.empty() && (domain.back() == '.' || domain.back() == '-'))
      domain.remove_suffix(1);
    const size_t dot = domain.rfind('.');
    if (dot == kNone || dot == 0) return {};
    const std::string_view last = domain.substr(dot + 1);
    if (is_letter(last[0])) {  // `com` of `com` and what another script goes on with
      const auto other = std::find_if(last.begin(), last.end(), is_beyond_ascii);
      if (other != last.end()) {
        domain.remove_suffix(static_cast<size_t>(last.end() - other));
        continue;
      }
    }
    if (is_top_level(last)) return domain;
    domain = domain.substr(0, dot);
  }
}

bool is_number_of_ssn(std::string_view area, std::string_view group, std::string_view serial) {
  return area != "000" && area != "666" && area[0] != '9' && group != "00" && serial != "0000";
}

}  // namespace

void TextScanner::find(std::string_view text, std::string_view label, GuardKinds kinds,
                       std::vector<TextMatch>& out) {
  if (kinds == 0 || text.size() > UINT32_MAX) return;
  text_ = text;
  label_ = label;
  kinds_ = kinds;
  out_ = &out;
  for (size_t i = 0; i < text_.size();) {
    const char c = text_[i];
    if (is_digit(c)) {
      i = run_of_digits(i);
    } else {
      if (c == '@' && wants(GuardKind::kEmail)) find_email(i);
      ++i;
    }
  }
}

// Looks at the digits that begin here and at what they are grouped with. Where to go on.
size_t TextScanner::run_of_digits(size_t begin) {
  if (wants(GuardKind::kIban)) find_iban(begin);
  groups_.clear();
  size_t end = begin;
  size_t digits = 0;
  for (size_t next = begin; next != kNone;) {
    end = next;
    while (is_digit(at(end))) ++end;
    digits += end - next;
    groups_.push_back({static_cast<uint32_t>(next), static_cast<uint32_t>(end)});
    next = kNone;
    for (size_t gap = 0; gap <= 3; ++gap) {
      const char c = at(end + gap);
      if (is_digit(c)) {
        next = end + gap;
        break;
      }
      if (c == '\0' || kBetweenDigits.find(c) == kNone) break;
    }
  }
  if (digits < 7) return end;
  if (wants(GuardKind::kCreditCard) && digits >= 12) find_cards();
  if (wants(GuardKind::kUsSsn)) find_ssns();
  if (wants(GuardKind::kPhone)) find_phones();
  return end;
}

std::string_view TextScanner::gap(size_t group) const {
  if (group == 0 || group >= groups_.size()) return {};
  const uint32_t begin = groups_[group - 1].end;
  return text_.substr(begin, groups_[group].begin - begin);
}

// Whether the digits touch letters, so that they are part of a name.
bool TextScanner::is_spoiled(size_t group) const {
  return is_letter(before(groups_[group].begin)) || is_letter(at(groups_[group].end));
}

// Whether `begin` lies in the form of a UUID: 8-4-4-4-12 hexadecimal digits.
bool TextScanner::is_in_uuid(size_t begin, size_t end) const {
  constexpr size_t kSize = 36;
  const auto belongs = [](char c) { return is_hex(c) || c == '-'; };
  size_t first = begin;
  while (first > 0 && begin - first <= kSize && belongs(text_[first - 1])) --first;
  size_t last = end;
  while (last < text_.size() && last - first <= kSize && belongs(text_[last])) ++last;
  if (last - first != kSize) return false;
  for (size_t i = 0; i < kSize; ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if ((text_[first + i] == '-') != is_dash) return false;
  }
  return true;
}

// Whether the groups go on before or behind with what stands between them: part of a longer list.
bool TextScanner::is_listed(size_t first, size_t last) const {
  const std::string_view within = gap(last);
  return gap(first) == within || gap(last + 1) == within;
}

void TextScanner::find_email(size_t sign) {
  size_t begin = sign;
  while (begin > 0 && sign - begin < kLocalMax && is_local(text_[begin - 1])) --begin;
  while (begin < sign && (text_[begin] == '.' || text_[begin] == '\'' || text_[begin] == '-' ||
                          text_[begin] == '&')) {
    ++begin;
  }
  if (begin == sign || text_[sign - 1] == '.') return;
  const std::string_view domain = domain_of(text_.substr(sign + 1));
  if (domain.empty() || is_picture(domain)) return;
  const size_t end = sign + 1 + domain.size();
  // `git@host:path` names a repository.
  if (text_.substr(begin, sign - begin) == "git" && at(end) == ':') return;
  add(GuardKind::kEmail, begin, end);
}

void TextScanner::find_iban(size_t digit) {
  if (digit < 2 || !is_letter(text_[digit - 1]) || !is_letter(text_[digit - 2])) return;
  const size_t begin = digit - 2;
  if (is_alnum(before(begin))) return;
  const size_t length = iban_length(text_[begin], text_[begin + 1]);
  if (length == 0) return;
  std::array<char, 40> compact;
  size_t size = 0;
  size_t i = begin;
  for (; size < length; ++i) {
    const char c = at(i);
    if (is_alnum(c)) {
      compact[size++] = c;
    } else if ((c != ' ' && c != '-') || (!is_alnum(before(i)) && !is_alnum(at(i + 1)))) {
      return;  // at most two of them in a row
    }
  }
  if (!is_alnum(at(i)) && is_iban({compact.data(), size})) add(GuardKind::kIban, begin, i);
}

void TextScanner::find_cards() {
  constexpr size_t kMost = 19;
  std::array<char, kMost> digits;
  for (size_t first = 0; first < groups_.size(); ++first) {
    size_t size = 0;
    for (size_t last = first; last < groups_.size(); ++last) {
      if (size + groups_[last].size() > kMost) break;
      if (last > first && (gap(last).size() > 2 || gap(last).find_first_of("/()") != kNone)) break;
      const Group& group = groups_[last];
      std::copy_n(text_.data() + group.begin, group.size(), digits.data() + size);
      size += group.size();
      if (is_card(first, last, {digits.data(), size})) {
        add(GuardKind::kCreditCard, groups_[first].begin, groups_[last].end);
        break;
      }
    }
  }
}

bool TextScanner::is_card(size_t first, size_t last, std::string_view digits) const {
  if (digits.size() < 12 || !is_card_number(digits)) return false;
  const size_t begin = groups_[first].begin;
  if (is_spoiled(first) || is_spoiled(last) || is_in_uuid(begin, groups_[last].end)) return false;
  if (first == last) {  // not what stands behind a decimal point
    return before(begin) != '.' || begin < 2 || !is_digit(text_[begin - 2]);
  }
  bool by_fours = true;
  bool one_gap = gap(last) != ".";
  for (size_t i = first; i < last; ++i) by_fours = by_fours && groups_[i].size() == 4;
  for (size_t i = first + 1; i < last; ++i) one_gap = one_gap && gap(i) == gap(last);
  if (by_fours && groups_[last].size() <= 4) return true;
  // 4-6-5 and 4-6-4, as American Express and Diners Club write them.
  if (last - first == 2 && groups_[first].size() == 4 && groups_[first + 1].size() == 6)
    return true;
  // Any other grouping, digit by digit even, where nothing else stands beside it.
  return one_gap && first == 0 && last + 1 == groups_.size();
}

void TextScanner::find_ssns() {
  const auto digits = [&](size_t group) {
    return text_.substr(groups_[group].begin, groups_[group].size());
  };
  for (size_t i = 0; i < groups_.size(); ++i) {
    const size_t begin = groups_[i].begin;
    if (is_spoiled(i)) continue;
    if (groups_[i].size() == 9) {
      const std::string_view all = digits(i);
      if (is_number_of_ssn(all.substr(0, 3), all.substr(3, 2), all.substr(5)) &&
          has_cue(begin, true)) {
        add(GuardKind::kUsSsn, begin, groups_[i].end);
      }
      continue;
    }
    const size_t last = i + 2;
    if (last >= groups_.size() || groups_[i].size() != 3 || groups_[i + 1].size() != 2 ||
        groups_[last].size() != 4 || is_spoiled(last)) {
      continue;
    }
    if (gap(last) != gap(i + 1) || gap(last).size() != 1 || gap(last) == "/") continue;
    if (!is_number_of_ssn(digits(i), digits(i + 1), digits(last))) continue;
    if (is_listed(i, last) && !has_cue(begin, true)) continue;
    if (is_in_uuid(begin, groups_[last].end)) continue;
    add(GuardKind::kUsSsn, begin, groups_[last].end);
    i = last;
  }
}

}  // namespace reeve::policy
