// See guard_stream.h. Tested by tests/policy/guard_stream_test.cc, at every cut.
#include "policy/guard_stream.h"

#include <algorithm>

#include "policy/guard_chars.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

// What is kept of what was passed on, for a word before a number.
constexpr size_t kContext = 2 * TextScanner::kLookAround;
// The longest IBAN with two characters between its groups.
constexpr size_t kIbanSpan = 34 * 3;
constexpr const char* kTooLong = "a match longer than is held back of a text in pieces";

// The bytes up to the last character that is whole.
size_t whole_characters(std::string_view text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const char c = text[text.size() - back];
    if ((static_cast<uint8_t>(c) & 0xC0) == 0x80) continue;
    return is_beyond_ascii(c) && utf8_length(c) > back ? text.size() - back : text.size();
  }
  return text.size();
}

// Whether an IBAN may have begun in the last bytes before `end`: two letters and a digit.
bool may_be_in_iban(std::string_view text, size_t end) {
  for (size_t i = end < kIbanSpan ? 0 : end - kIbanSpan; i + 2 < end; ++i) {
    if (is_letter(text[i]) && is_letter(text[i + 1]) && is_digit(text[i + 2])) return true;
  }
  return false;
}

}  // namespace

// Where the text can be cut so that no match reaches over it, whatever comes: behind a character
// that is part of none, or behind a space that no number and no IBAN goes on after.
size_t GuardTextStream::safe_cut(size_t size) const {
  const std::string_view text = std::string_view(text_).substr(0, size);
  size_t end = size;
  if (!examiner_.customs_.empty()) end -= std::min(end - passed_, kExpressionHeld);
  const size_t longest = std::max(kHeldMost / 2, TextScanner::kLongestMatch);
  const size_t least = size - passed_ > kHeldMost ? size - longest : passed_;
  for (size_t cut = end; cut > std::max(least, passed_); --cut) {
    const char last = text[cut - 1];
    if (last == '\n' && cut > passed_ + 1) return cut;
    if (last != ' ' || cut < passed_ + 2) continue;
    const char before = text[cut - 2];
    const bool ends_word = is_letter(before) || std::string_view(",;:!?\"").find(before) != kNone;
    if (ends_word && !may_be_in_iban(text, cut - 1)) return cut;
  }
  return std::min(least, end);
}

GuardReport GuardTextStream::tell(size_t size, size_t cut, std::string& out) {
  GuardExaminer& e = examiner_;
  e.begin();
  e.spans_.clear();
  const std::string_view text = std::string_view(text_).substr(0, size);
  if (!e.find_matches(text, {}, e.kinds_)) return e.finish();
  for (bool moved = true; moved;) {  // never through a match
    moved = false;
    for (const TextMatch& match : e.matches_) {
      if (match.begin >= passed_ && match.begin < cut && match.end > cut) {
        cut = match.begin;
        moved = true;
      }
    }
  }
  if (size - cut > 2 * kHeldMost) e.doubt(kTooLong);
  for (const TextMatch& match : e.matches_) {
    if (match.begin >= passed_ && match.end <= cut) e.record(match);
  }
  e.merge_spans();
  GuardReport report = e.finish();
  if (report.outcome > GuardReport::Outcome::kRedact) return report;
  size_t done = passed_;
  for (const GuardExaminer::Span& span : e.spans_) {
    out.append(text.substr(done, span.begin - done)).append(redaction_mark(span.what));
    done = span.end;
  }
  out.append(text.substr(done, cut - done));
  report.redacted = !e.spans_.empty();
  // A context that begins within a number or a character would be read as another one.
  size_t keep = cut < kContext ? 0 : cut - kContext;
  while (keep < cut && text_[keep] != ' ' && text_[keep] != '\n') ++keep;
  text_.erase(0, keep);
  passed_ = cut - keep;
  return report;
}

GuardReport GuardTextStream::feed(std::string_view piece, std::string& out) {
  text_.append(piece);
  const size_t size = whole_characters(text_);
  return tell(size, safe_cut(size), out);
}

GuardReport GuardTextStream::finish(std::string& out) {
  return tell(text_.size(), text_.size(), out);
}

}  // namespace reeve::policy
