// Reads the lines of a record that is being written, from one seq on, across its files.
//
// Only what the journal has for good is read: a write that fails is taken back, and its lines' seqs
// are given to others. Of one thread.
#ifndef REEVE_PROXY_AUDIT_RECORD_TAIL_H_
#define REEVE_PROXY_AUDIT_RECORD_TAIL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proxy/journal_file.h"

namespace reeve::audit {

class RecordTail {
 public:
  // Begins behind line `after`.
  RecordTail(std::string path, uint64_t after) : path_(std::move(path)), last_(after) {}

  struct Part {
    std::vector<std::string> lines;  // without newlines
    uint64_t last = 0;               // seq of the last of them; 0: none
    uint64_t missed = 0;             // lines before or between them that are not there any more
    size_t bytes = 0;
  };
  // The next lines up to `written` (Journal::written_seq()), until there are so many, or so many
  // bytes are passed. None when the files have no more now.
  Part read(uint64_t written, size_t most_lines, size_t most_bytes);

 private:
  bool open();
  bool take(std::string_view chunk, uint64_t written, size_t most_lines, size_t most_bytes,
            Part& part);

  const std::string path_;
  uint64_t last_;
  std::shared_ptr<OpenFile> file_;
  uint64_t offset_ = 0;
  std::string buffer_;
};

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_RECORD_TAIL_H_
