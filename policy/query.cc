// See query.h. Text without escapes is not copied. Tested by tests/policy/condition_test.cc.
#include "policy/query.h"

#include <algorithm>

#include "policy/json.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text, at);
    if (c.length == 0) return false;
    at += c.length;
  }
  return true;
}

}  // namespace

std::string_view QueryReader::decode(std::string_view raw, std::string& scratch) {
  if (raw.find_first_of("%+") == raw.npos) {
    malformed_ = malformed_ || !is_utf8(raw);
    return raw;
  }
  scratch.clear();
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '+') {
      scratch += ' ';
    } else if (raw[i] != '%') {
      scratch += raw[i];
    } else {
      const int high = i + 1 < raw.size() ? hex_digit(raw[i + 1]) : -1;
      const int low = i + 2 < raw.size() ? hex_digit(raw[i + 2]) : -1;
      if (high < 0 || low < 0) {
        malformed_ = true;
        scratch += '%';
        continue;
      }
      scratch += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  malformed_ = malformed_ || !is_utf8(scratch);
  return scratch;
}

bool QueryReader::next() {
  while (!rest_.empty()) {
    const size_t end = std::min(rest_.find('&'), rest_.size());
    const std::string_view parameter = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (parameter.empty()) continue;
    // Some servers read `;` as `&`.
    malformed_ = malformed_ || parameter.find(';') != parameter.npos;
    const size_t equals = std::min(parameter.find('='), parameter.size());
    name_ = decode(parameter.substr(0, equals), name_scratch_);
    value_ = decode(parameter.substr(std::min(equals + 1, parameter.size())), value_scratch_);
    return true;
  }
  return false;
}

bool QueryReader::name_is_variant_of(std::string_view name) const {
  return name_ != name && json::equals_folded(name_, name);
}

}  // namespace reeve::policy
