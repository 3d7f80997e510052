// Tested by tests/proxy/audit_line_test.cc.
#include "proxy/audit/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "proxy/audit/line.h"
#include "proxy/audit/scan.h"

namespace reeve::audit {
namespace {

constexpr size_t kChunk = 1024 * 1024;

}  // namespace

std::string checkpoints_path(const std::string& path) { return path + ".checkpoints"; }

std::string rotated_path(const std::string& path, uint64_t first_seq) {
  return fmt::format("{}.{:012}", path, first_seq);
}

std::vector<RecordFile> rotated_files(const std::string& path) {
  std::vector<RecordFile> files;
  const std::filesystem::path whole(path);
  const std::string prefix = whole.filename().string() + ".";
  const std::filesystem::path folder = whole.has_parent_path() ? whole.parent_path() : ".";
  std::error_code failed;
  for (std::filesystem::directory_iterator it(folder, failed), end; !failed && it != end;
       it.increment(failed)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    std::string_view digits = std::string_view(name).substr(prefix.size());
    if (digits.size() < 12) continue;
    while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
    uint64_t seq = 0;
    Scan scan(digits);
    scan.number(seq);
    const std::string made = path + "." + name.substr(prefix.size());
    if (!scan.ok() || !scan.rest().empty() || rotated_path(path, seq) != made) continue;
    files.push_back({made, seq});
  }
  std::sort(files.begin(), files.end(),
            [](const RecordFile& a, const RecordFile& b) { return a.first_seq < b.first_seq; });
  return files;
}

std::vector<std::string> record_files(const std::string& path) {
  std::vector<std::string> paths;
  for (RecordFile& file : rotated_files(path)) paths.push_back(std::move(file.path));
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0) paths.push_back(path);
  return paths;
}

bool is_at(const std::string& path, int fd) {
  struct stat named{}, mine{};
  return ::stat(path.c_str(), &named) == 0 && ::fstat(fd, &mine) == 0 &&
         named.st_ino == mine.st_ino && named.st_dev == mine.st_dev;
}

std::string file_after(const std::string& path, int fd) {
  const auto rotated = rotated_files(path);
  for (size_t i = rotated.size(); i-- > 0;) {
    if (is_at(rotated[i].path, fd)) return i + 1 < rotated.size() ? rotated[i + 1].path : path;
  }
  return path;
}

LineReader::~LineReader() {
  if (fd_ >= 0) ::close(fd_);
}

bool LineReader::open(const std::string& path, uint64_t offset) {
  if (fd_ >= 0) ::close(fd_);
  path_ = path;
  from_ = have_ = 0;
  file_offset_ = offset_ = offset;
  number_ = 0;
  complete_ = true;
  skipping_ = false;
  // A FIFO without writer would hold open() up.
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  struct stat info{};
  if (fd_ < 0 || ::fstat(fd_, &info) != 0) {
    error_ = errno;
    return false;
  }
  if (!S_ISREG(info.st_mode)) {
    error_ = EINVAL;
    return false;
  }
  ::posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
  return true;
}

void LineReader::stop_at_end() {
  struct stat info{};
  if (::fstat(fd_, &info) == 0) stop_at_ = static_cast<uint64_t>(info.st_size);
}

// Appends a chunk to what is there. False at the end or for an error, which counts as the end.
bool LineReader::fill() {
  if (fd_ < 0 || file_offset_ >= stop_at_) return false;
  if (from_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + from_, have_ - from_);
    have_ -= from_;
    from_ = 0;
  }
  if (buffer_.size() < have_ + kChunk) buffer_.resize(have_ + kChunk);
  ssize_t got;
  do {
    got = ::pread(fd_, buffer_.data() + have_, std::min<uint64_t>(kChunk, stop_at_ - file_offset_),
                  static_cast<off_t>(file_offset_));
  } while (got < 0 && errno == EINTR);
  if (got < 0) error_ = errno;
  if (got <= 0) return false;
  have_ += static_cast<size_t>(got);
  file_offset_ += static_cast<uint64_t>(got);
  return true;
}

bool LineReader::next(std::string_view& line, bool partial) {
  size_t looked = from_;
  for (;;) {
    const char* begin = buffer_.data() + from_;
    const auto* newline = static_cast<const char*>(
        have_ > looked ? std::memchr(buffer_.data() + looked, '\n', have_ - looked) : nullptr);
    const size_t size = newline ? static_cast<size_t>(newline - begin) : have_ - from_;
    if (skipping_) {
      from_ += newline ? size + 1 : size;
      skipping_ = newline == nullptr;
      if (skipping_ && !fill()) return false;
      looked = from_;  // filling moves what is left
      continue;
    }
    if (newline || size > kLongestLine) {
      offset_ = end_offset();
      line = {begin, std::min(size, kLongestLine + 1)};
      complete_ = newline != nullptr;
      skipping_ = newline == nullptr;
      from_ += newline ? size + 1 : size;
      ++number_;
      return true;
    }
    const size_t before = have_ - from_;
    if (!fill()) {
      if (before == 0 || !partial) return false;
      offset_ = end_offset();
      line = {buffer_.data() + from_, before};
      complete_ = false;
      from_ = have_;
      ++number_;
      return true;
    }
    looked = from_ + before;
  }
}

}  // namespace reeve::audit
