// A regular file that is read by ranges.
#ifndef REEVE_PROXY_AUDIT_READ_RANGE_H_
#define REEVE_PROXY_AUDIT_READ_RANGE_H_

#include <cstdint>
#include <string>

namespace reeve::audit {

class RegularFile {
 public:
  explicit RegularFile(const std::string& path);
  ~RegularFile();
  RegularFile(const RegularFile&) = delete;
  RegularFile& operator=(const RegularFile&) = delete;

  bool is_open() const { return fd_ >= 0; }
  uint64_t size() const { return size_; }  // when it was opened
  // False when not all of it is there.
  bool read(uint64_t from, uint64_t to, std::string& into) const;

 private:
  int fd_ = -1;
  uint64_t size_ = 0;
};

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_READ_RANGE_H_
