// The file that the journal writes to, and those that it rotated away: whole blocks or nothing,
// each behind the last, in a file that is still where its path says.
//
// The journal's lock guards it; sync() of an OpenFile may run beside it.
#ifndef REEVE_PROXY_JOURNAL_FILE_H_
#define REEVE_PROXY_JOURNAL_FILE_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"

namespace reeve {

// What of the system may fail, so that a test can make it.
struct FileCalls {
  ssize_t (*pwrite)(int fd, const void* bytes, size_t size, off_t offset);
  int (*fdatasync)(int fd);
};
extern const FileCalls kSystemCalls;

struct OpenFile {
  explicit OpenFile(int descriptor) : fd(descriptor) {}
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  const int fd;
};

// Puts on the disk which files the folder of `path` holds.
bool sync_folder_of(const std::string& path);

class JournalFile {
 public:
  // Opens or creates `path` (0600), which must be a regular file, and reads where its chain stands;
  // when it is new or empty, where that of the newest rotated file stands.
  static Result<std::unique_ptr<JournalFile>> open(const std::string& path,
                                                   const FileCalls& calls = kSystemCalls);

  uint64_t seq() const { return seq_; }              // of the last line when it was opened; 0: none
  const std::string& hash() const { return hash_; }  // of that line
  bool found_torn_line() const { return torn_; }     // then; it is closed and kept
  uint64_t size() const { return size_; }            // bytes, whole lines only

  // All of it or nothing. False: why() says it. A file that was deleted, cut or written to by
  // another is left as it is; the next write goes to what then stands at the path, or a new file.
  bool write(std::string_view block, uint64_t first_seq);
  // Whether what stands at the path is this file; if not, the next write opens it anew.
  bool still_there();
  // Whether so many bytes more would find room; true where the file system cannot tell.
  bool has_room(uint64_t bytes);
  // Renames the file to what its first line says, and begins a new one. On failure the old one is
  // written on.
  bool rotate();
  // Puts on the disk what was written since the last time it did. After a failure the kernel may
  // have dropped it, so it is written again first. Requires keep_unsynced() from the beginning.
  bool sync();
  void keep_unsynced() { keeps_unsynced_ = true; }
  bool synced() const { return unsynced_.empty(); }

  std::shared_ptr<OpenFile> current() const { return file_; }
  // Those rotated away since the last call, for whoever puts them on the disk.
  std::vector<std::shared_ptr<OpenFile>> take_rotated() { return std::move(rotated_); }
  const std::string& why() const { return why_; }

 private:
  JournalFile(std::string path, const FileCalls& calls) : path_(std::move(path)), calls_(calls) {}
  Result<bool> attach();
  Result<bool> recover(int fd, const std::string& path, uint64_t size);
  bool fail(std::string_view what, int error);
  bool ready();
  bool put(std::string_view block, uint64_t offset, size_t& done);

  const std::string path_;
  const FileCalls& calls_;
  std::shared_ptr<OpenFile> file_;
  std::vector<std::shared_ptr<OpenFile>> rotated_;
  uint64_t seq_ = 0;
  std::string hash_;
  bool torn_ = false;
  uint64_t size_ = 0;
  uint64_t first_seq_ = 0;   // of the file's first line; 0: not known, it is not rotated
  bool dirty_tail_ = false;  // bytes after size_ that could not be taken back
  bool astray_ = false;      // no longer what stands at the path
  bool renamed_ = false;     // rotate() renamed it, and found no room for a new one
  bool keeps_unsynced_ = false, sync_failed_ = false;
  uint64_t synced_size_ = 0;
  std::string unsynced_;  // what the file holds behind synced_size_
  std::string why_;
};

}  // namespace reeve

#endif  // REEVE_PROXY_JOURNAL_FILE_H_
