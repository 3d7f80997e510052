// See json_body.h. Tested by tests/policy/json_body_test.cc.
#include "policy/json_body.h"

#include <algorithm>

#include "policy/text.h"

namespace reeve::policy {

namespace {

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_json(std::string_view content_type) {
  const std::string_view media = trim(content_type.substr(0, content_type.find(';')));
  return equals_ignoring_case(media, "application/json") ||
         (media.size() > 5 && equals_ignoring_case(media.substr(media.size() - 5), "+json"));
}

}  // namespace

BodyForm body_form(std::span<const Field> headers) {
  const Field* type = nullptr;
  bool is_encoded = false;
  for (const Field& header : headers) {
    is_encoded = is_encoded || equals_ignoring_case(header.name, "content-encoding");
    if (!equals_ignoring_case(header.name, "content-type")) continue;
    if (type) return {BodyForm::Kind::kRefused, "a body with several Content-Type lines"};
    type = &header;
  }
  if (!type || !is_json(type->value)) return {};
  if (!charset_is_utf8(type->value)) {
    return {BodyForm::Kind::kRefused, "a JSON body that rules read must be in UTF-8"};
  }
  if (is_encoded) {
    return {BodyForm::Kind::kRefused, "a body that rules read must come without Content-Encoding"};
  }
  return {BodyForm::Kind::kJson, ""};
}

bool charset_is_utf8(std::string_view content_type) {
  size_t semicolon = std::min(content_type.find(';'), content_type.size());
  while (semicolon < content_type.size()) {
    content_type.remove_prefix(semicolon + 1);
    semicolon = std::min(content_type.find(';'), content_type.size());
    const std::string_view parameter = trim(content_type.substr(0, semicolon));
    const size_t equals = std::min(parameter.find('='), parameter.size());
    if (!equals_ignoring_case(trim(parameter.substr(0, equals)), "charset")) continue;
    if (equals == parameter.size()) return false;
    const std::string_view value = trim(parameter.substr(equals + 1));
    if (!equals_ignoring_case(value, "utf-8") && !equals_ignoring_case(value, "\"utf-8\"")) {
      return false;
    }
  }
  return true;
}

}  // namespace reeve::policy
