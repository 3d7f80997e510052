// Decoding and comparing the header values that mirror a message.
//
// Reads each value in one way only: what is not canonical base64 matches nothing.
#include "proxy/mcp/header_value.h"

#include <algorithm>
#include <cstdint>

namespace reeve::mcp {
namespace {

constexpr std::string_view kPrefix = "=?base64?";
constexpr std::string_view kSuffix = "?=";

int sextet(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

std::string_view trim(std::string_view value) {
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  return value;
}

}  // namespace

bool decode_base64(std::string_view text, std::string& out) {
  out.clear();
  if (text.size() % 4 != 0) return false;
  int padding = 0;
  while (padding < 2 && text.ends_with('=')) {
    text.remove_suffix(1);
    ++padding;
  }
  uint32_t bits = 0;
  int count = 0;  // of the bits not yet written
  for (const char c : text) {
    const int value = sextet(c);
    if (value < 0) return false;
    bits = (bits << 6 | static_cast<uint32_t>(value)) & 0xFFFF;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xFF);
  }
  return (bits & ((1U << count) - 1)) == 0;
}

std::string encode_base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t bits = 0;
    const size_t n = std::min<size_t>(3, bytes.size() - at);
    for (size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (i < n ? static_cast<uint8_t>(bytes[at + i]) : 0U);
    }
    for (size_t i = 0; i < 4; ++i) out += i <= n ? kAlphabet[bits >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

bool mirrors(std::string_view header_value, std::string_view text) {
  header_value = trim(header_value);
  const bool encoded = header_value.size() >= kPrefix.size() + kSuffix.size() &&
                       header_value.starts_with(kPrefix) && header_value.ends_with(kSuffix);
  if (!encoded) return header_value == text;
  header_value.remove_prefix(kPrefix.size());
  header_value.remove_suffix(kSuffix.size());
  std::string decoded;
  return decode_base64(header_value, decoded) && decoded == text;
}

}  // namespace reeve::mcp
