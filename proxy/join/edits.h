// Spans of a text that are replaced; every other byte stays as it was.
#ifndef REEVE_PROXY_JOIN_EDITS_H_
#define REEVE_PROXY_JOIN_EDITS_H_

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "policy/json.h"

namespace reeve::join {

class Edits {
 public:
  void replace(const json::Value& value, std::string with) {
    edits_.push_back({value.offset(), value.offset() + value.raw().size(), std::move(with)});
  }
  void replace_text(const json::Value& value, std::string_view text) {
    std::string quoted;
    json::append_string(quoted, text);
    replace(value, std::move(quoted));
  }
  // Before the closing bracket of an object.
  void append_members(const json::Value& object, std::string_view members) {
    const size_t end = object.offset() + object.raw().size() - 1;
    edits_.push_back({end, end, (object.size() > 0 ? "," : "") + std::string(members)});
  }
  bool empty() const { return edits_.empty(); }

  // Spans must not overlap, and the text be the one that the values were read from.
  std::string apply(std::string_view source) {
    std::sort(edits_.begin(), edits_.end(),
              [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
    std::string out;
    size_t copied = 0;
    for (const Edit& edit : edits_) {
      out.append(source, copied, edit.begin - copied).append(edit.with);
      copied = edit.end;
    }
    return out.append(source, copied);
  }

 private:
  struct Edit {
    size_t begin, end;
    std::string with;
  };
  std::vector<Edit> edits_;
};

}  // namespace reeve::join

#endif  // REEVE_PROXY_JOIN_EDITS_H_
