// Tested by tests/proxy/audit_query_test.cc.
#include "proxy/audit/backward.h"

#include <sys/stat.h>

#include <algorithm>

#include "proxy/audit/files.h"
#include "proxy/audit/read_range.h"

namespace reeve::audit {
namespace {

// What is behind the index is a block that is not full yet, unless the file is no record.
constexpr uint64_t kLongestRest = 16 * 1024 * 1024;

bool read_file(const std::string& path, const Backward& reading) {
  const RegularFile file(path);
  if (!file.is_open()) return true;
  const Index index(path);
  std::string text;
  const uint64_t size = file.size();
  uint64_t from = index.covered();
  if (size > from + kLongestRest) from = size - kLongestRest;
  if (size > from && file.read(from, size, text)) {
    // A last line without its newline is one that is being written.
    text.resize(text.rfind('\n') + 1);
    if (!text.empty() && !reading.block(text)) return false;
  }
  for (size_t i = index.blocks().size(); i-- > 0;) {
    const Index::Block& block = index.blocks()[i];
    if (reading.wants && !reading.wants(block)) continue;
    if (file.read(block.begin, block.end, text) && !reading.block(text)) return false;
  }
  return true;
}

}  // namespace

bool read_backward(const std::string& audit_path, const Backward& reading) {
  if (!read_file(audit_path, reading)) return false;
  const auto rotated = rotated_files(audit_path);
  return std::all_of(rotated.rbegin(), rotated.rend(), [&](const RecordFile& file) {
    return (reading.before != 0 && file.first_seq >= reading.before) ||
           read_file(file.path, reading);
  });
}

}  // namespace reeve::audit
