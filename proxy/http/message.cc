// Look-ups by name in a list of fields. Lists are short: a walk beats an index.
#include "proxy/http/message.h"

#include "proxy/http/chars.h"

namespace reeve::http {

bool same_letters(std::string_view a, std::string_view b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    const char lower = static_cast<char>(a[i] | 0x20);
    if ((a[i] ^ b[i]) != 0x20 || lower < 'a' || lower > 'z') return false;
  }
  return true;
}

std::optional<std::string_view> Fields::single(std::string_view name) const {
  std::optional<std::string_view> found;
  for (const Field& field : list) {
    if (!iequals(field.name, name)) continue;
    if (found) return std::nullopt;
    found = field.value;
  }
  return found;
}

size_t Fields::count(std::string_view name) const {
  size_t found = 0;
  for (const Field& field : list) found += iequals(field.name, name);
  return found;
}

bool Fields::lists(std::string_view name, std::string_view token) const {
  for (const Field& field : list) {
    if (!iequals(field.name, name)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      if (iequals(next_list_item(rest), token)) return true;
    }
  }
  return false;
}

}  // namespace reeve::http
