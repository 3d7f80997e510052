// See yaml_scan.h. Tested by tests/policy/yaml_test.cc and tests/fuzz/yaml_fuzz.cc.
#include "policy/yaml_scan.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/text.h"

namespace reeve::yaml {

namespace {

// Characters that make a file read differently from what it says.
bool is_deceptive(uint32_t c) {
  return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E ||
         c == 0x200F || c == 0x2028 || c == 0x2029 || c == 0x85 || c == 0xFEFF;
}

bool is_tab_indented(std::string_view line) {
  const size_t text = line.find_first_not_of(" \t");
  if (text == std::string_view::npos || line[text] == '#' || line[text] == '\r') return false;
  return line.substr(0, text).find('\t') != std::string_view::npos;
}

// Without an early end, so that the compiler looks at many bytes at once.
bool is_plain_ascii(std::string_view line) {
  unsigned others = 0;
  for (const char c : line) others |= static_cast<uint8_t>(c - 0x20) >= 0x5F;
  return others == 0;
}

std::string scan_line(std::string_view line, uint32_t& column) {
  column = 1;
  if (line.substr(0, 1) == "%") return "a directive; remove the line";
  if (is_plain_ascii(line)) return {};
  if (is_tab_indented(line)) return "tab in the indentation; use spaces";
  for (size_t at = 0; at < line.size(); ++column) {
    const policy::CodePoint c = policy::decode_utf8(line, at);
    if (c.length == 0) return "bytes that are not UTF-8; save the file as UTF-8";
    if (c.value == '\r' && at + 1 == line.size()) return {};
    if ((c.value < 0x20 && c.value != '\t') || (c.value >= 0x7F && c.value < 0xA0)) {
      return fmt::format("control character U+{:04X}; remove it", c.value);
    }
    if (is_deceptive(c.value)) {
      return fmt::format("invisible character U+{:04X}; remove it", c.value);
    }
    at += c.length;
  }
  return {};
}

}  // namespace

std::optional<Fault> scan(std::string_view text) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") {
    return Fault{{1, 1}, "byte order mark; save the file as UTF-8 without one"};
  }
  uint32_t number = 1;
  for (size_t begin = 0; begin < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    uint32_t column = 0;
    std::string message = scan_line(text.substr(begin, end - begin), column);
    if (!message.empty()) return Fault{{number, column}, std::move(message)};
    begin = end + 1;
  }
  return std::nullopt;
}

bool last_line_is_marker(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const size_t line = text.rfind('\n');
  return text.substr(line == std::string_view::npos ? 0 : line + 1) == "...";
}

bool is_closed(std::string_view text) {
  while (!text.empty() && (text[0] == '&' || text[0] == '!')) {
    text.remove_prefix(std::min(text.find_first_of(" \t\r\n"), text.size()));
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  }
  if (text.empty() || (text[0] != '"' && text[0] != '\'')) return true;  // a block scalar
  const char quote = text[0];
  for (size_t i = 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || text.substr(i + 1, 1) != "'") return true;
      ++i;
    }
  }
  return false;
}

}  // namespace reeve::yaml
