// Look-ups by name in a list of fields. Lists are short: a walk beats an index, and a name that is
// nowhere in the list costs no walk.
#include "proxy/http/message.h"

#include "policy/words.h"
#include "proxy/http/chars.h"

namespace reeve::http {

bool same_letters(std::string_view a, std::string_view b) {
  if (same_bytes(a.data(), b.data(), a.size())) return true;  // nearly always, when the sizes are
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    const char lower = static_cast<char>(a[i] | 0x20);
    if ((a[i] ^ b[i]) != 0x20 || lower < 'a' || lower > 'z') return false;
  }
  return true;
}

std::optional<std::string_view> Fields::single(FieldKey key) const {
  std::optional<std::string_view> found;
  if (!may_have(key)) return found;
  for (const Field& field : list) {
    if (!has_name(field, key)) continue;
    if (found) return std::nullopt;
    found = field.value;
  }
  return found;
}

size_t Fields::count(FieldKey key) const {
  size_t found = 0;
  if (!may_have(key)) return found;
  for (const Field& field : list) found += has_name(field, key);
  return found;
}

bool Fields::lists(FieldKey key, std::string_view token) const {
  if (!may_have(key)) return false;
  for (const Field& field : list) {
    if (!has_name(field, key)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      if (iequals(next_list_item(rest), token)) return true;
    }
  }
  return false;
}

}  // namespace reeve::http
