// A record from its end to its beginning, by blocks of whole lines: for those who ask what happened
// last, and stop when they have seen enough.
#ifndef REEVE_PROXY_AUDIT_BACKWARD_H_
#define REEVE_PROXY_AUDIT_BACKWARD_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "proxy/audit/index.h"

namespace reeve::audit {

struct Backward {
  // Whether a block of the index is to be read; without, all are.
  std::function<bool(const Index::Block&)> wants;
  // Gets whole lines with their newlines, in the order of the file, about a megabyte of them; false
  // ends it.
  std::function<bool(std::string_view text)> block;
  // Files whose lines are all from this seq on are left out; 0: none.
  uint64_t before = 0;
};

// Goes through the files of the record, the last first. False when `block` ended it.
bool read_backward(const std::string& audit_path, const Backward& reading);

// The lines of a block, the last first, without their newlines; false when `line` ended it.
template <class OnLine>
bool each_line_backward(std::string_view text, OnLine&& line) {
  while (!text.empty()) {
    text.remove_suffix(1);  // the newline
    const size_t newline = text.rfind('\n');
    const size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    if (!line(text.substr(begin))) return false;
    text = text.substr(0, begin);
  }
  return true;
}

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_BACKWARD_H_
