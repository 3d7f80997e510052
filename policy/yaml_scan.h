// A look at the bytes of a YAML file: what yaml-cpp would accept, or misread, without a word.
// Internal to yaml.cc.
#ifndef REEVE_POLICY_YAML_SCAN_H_
#define REEVE_POLICY_YAML_SCAN_H_

#include <optional>
#include <string>
#include <string_view>

#include "policy/yaml.h"

namespace reeve::yaml {

struct Fault {
  Mark mark;
  std::string message;
};

// The first of: bytes that are not UTF-8, characters that do not show or mislead, tabs that
// indent, directives, a byte order mark.
std::optional<Fault> scan(std::string_view text);

bool last_line_is_marker(std::string_view text);

// Whether the scalar that begins `text`, behind its anchor, has its closing quote.
bool is_closed(std::string_view text);

}  // namespace reeve::yaml

#endif  // REEVE_POLICY_YAML_SCAN_H_
