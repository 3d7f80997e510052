// The files of one record, in order: those that were rotated away, oldest first, and the current
// one.
//
// A rotated file of `audit.jsonl` is `audit.jsonl.000000000001`: the seq of its first line, in at
// least twelve digits. Beside them stand `audit.jsonl.checkpoints` and, made by queries,
// `….index`.
#ifndef REEVE_PROXY_AUDIT_FILES_H_
#define REEVE_PROXY_AUDIT_FILES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace reeve::audit {

std::string checkpoints_path(const std::string& path);
std::string rotated_path(const std::string& path, uint64_t first_seq);

struct RecordFile {
  std::string path;
  uint64_t first_seq = 0;  // as its name says; 0 for the current file
};

// The rotated files of `path` in order; empty when there are none or the folder cannot be read.
std::vector<RecordFile> rotated_files(const std::string& path);

// The same and `path` itself where it exists.
std::vector<std::string> record_files(const std::string& path);

// Whether the open file is what stands at `path`.
bool is_at(const std::string& path, int fd);

// Of the record at `path`, the file that follows the open one, which may have been rotated away,
// and others since.
std::string file_after(const std::string& path, int fd);

// Reads lines of a file, in chunks; a line longer than kLongestLine is given in part, and the rest
// of it skipped.
class LineReader {
 public:
  LineReader() = default;
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // False, with errno in error(), when it cannot be opened or is no regular file.
  bool open(const std::string& path, uint64_t offset = 0);
  // Reads no further than what the file holds now.
  void stop_at_end();
  // The next line without its newline, valid until the next call. False at the end of what the
  // file holds now; later calls see what was added since. A last line without newline is given
  // only when `partial`.
  bool next(std::string_view& line, bool partial = true);
  // Of the last line: whether it ended with a newline, its number from 1, where it began.
  bool complete() const { return complete_; }
  uint64_t number() const { return number_; }
  uint64_t offset() const { return offset_; }
  uint64_t end_offset() const { return file_offset_ - (have_ - from_); }
  const std::string& path() const { return path_; }
  int error() const { return error_; }
  int fd() const { return fd_; }

 private:
  bool fill();

  std::string path_;
  int fd_ = -1;
  int error_ = 0;
  std::string buffer_;
  size_t from_ = 0, have_ = 0;  // of buffer_, not given yet
  uint64_t stop_at_ = UINT64_MAX;
  uint64_t file_offset_ = 0;  // behind what was read
  uint64_t number_ = 0;
  uint64_t offset_ = 0;
  bool complete_ = true;
  bool skipping_ = false;  // the rest of a line that was too long
};

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_FILES_H_
