// Any bytes as a pattern and a text, parted by a byte 1: what a compiled pattern says is what a
// slow reading of the glob, or RE2, says; and what every match begins and ends with is true of
// each.
#include <re2/re2.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policy/pattern.h"
#include "policy/text.h"

using reeve::policy::Pattern;

namespace {

// By trying everything, so in time that doubles with each star. `*` and `?` as in names; a
// backslash makes what follows a character.
bool matches_glob(std::string_view glob, std::string_view text) {
  if (glob.empty()) return text.empty();
  if (glob[0] == '*') {
    return matches_glob(glob.substr(1), text) ||
           (!text.empty() && matches_glob(glob, text.substr(reeve::policy::utf8_length(text[0]))));
  }
  if (text.empty()) return false;
  if (glob[0] == '?') {
    return matches_glob(glob.substr(1), text.substr(reeve::policy::utf8_length(text[0])));
  }
  if (glob[0] == '\\') glob.remove_prefix(1);
  return glob[0] == text[0] && matches_glob(glob.substr(1), text.substr(1));
}

bool matches_expression(std::string_view expression, std::string_view text) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  const RE2 regex(re2::StringPiece(expression.data(), expression.size()), options);
  if (!regex.ok()) std::abort();
  return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), regex);
}

bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = reeve::policy::decode_utf8(text, at).length;
    if (length == 0) return false;
    at += length;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kLongest = 48;  // the slow readings take time that grows with these
  constexpr ptrdiff_t kMostStars = 5;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t cut = all.find('\x01');
  if (cut == all.npos || cut > kLongest || size > 2 * kLongest || !is_utf8(all)) return 0;
  const std::string_view written = all.substr(0, cut);
  const std::string_view text = all.substr(cut + 1);
  for (const auto syntax : {Pattern::Syntax::kText, Pattern::Syntax::kPath}) {
    const auto pattern = Pattern::compile(written, syntax);
    if (!pattern) continue;
    const bool matches = pattern->matches(text);
    if (matches && !(text.starts_with(pattern->prefix()) && text.ends_with(pattern->suffix()))) {
      std::abort();
    }
    if (written.starts_with("re:")) {
      if (matches != matches_expression(written.substr(3), text)) std::abort();
    } else if (syntax == Pattern::Syntax::kText) {
      if (std::count(written.begin(), written.end(), '*') > kMostStars) continue;
      if (matches != matches_glob(written, text)) std::abort();
    }
  }
  return 0;
}
