// What does not show in the texts that a server describes its tools with, and letters that are
// taken for others: where instructions to a model hide from the person who reviews them.
#ifndef REEVE_PROXY_MCP_PIN_TEXT_H_
#define REEVE_PROXY_MCP_PIN_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/json.h"

namespace reeve::mcp {

struct HiddenText {
  enum class Kind : uint8_t {
    kControl,            // C0 and C1 but tab and line ends; terminal escapes
    kBidirectional,      // marks, embeddings, overrides, isolates
    kZeroWidth,          // spaces and joiners without width, fillers, soft hyphens, word joiners
    kTag,                // U+E0000 to U+E007F: ASCII that does not show
    kVariationSelector,  // but one behind an emoji
    kPrivateUse,         // and what is no character
    kMixedScripts,       // one word of Latin letters and of Cyrillic or Greek ones that look alike
  };
  Kind kind = Kind::kControl;
  std::string where;        // `description`, `inputSchema.properties.path.description`
  uint32_t code_point = 0;  // the first of its kind there
  size_t count = 0;
};

// "tag characters", for messages.
std::string_view to_string(HiddenText::Kind kind);

// Appends what is hidden in `text` (UTF-8), one entry for each kind.
void find_hidden(std::string_view text, const std::string& where, std::vector<HiddenText>& found);
// The same of every string and key of a value. Recursion is as deep as the parser lets it be.
void find_hidden(const json::Value& value, const std::string& where,
                 std::vector<HiddenText>& found);

// `text` as JSON, with all that does not show as `\uXXXX`, so that a diff shows it.
void append_visible(std::string& out, std::string_view text);

}  // namespace reeve::mcp

#endif  // REEVE_PROXY_MCP_PIN_TEXT_H_
