// A write that fails half-way is taken back by truncating, so that the file holds whole lines only.
// Before each write the file's size and links are looked at: a file that another program deleted
// takes lines for as long as it is open, and loses them. Tested by tests/proxy/journal_test.cc and
// tests/proxy/journal_faults_test.cc.
#include "proxy/journal_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "proxy/audit/files.h"
#include "proxy/audit/line.h"
#include "proxy/log.h"

namespace reeve {
namespace {

constexpr uint64_t kTail = 4 * audit::kLongestLine;  // what is read to find the last line

bool read_at(int fd, std::string& out, uint64_t offset) {
  for (size_t done = 0; done < out.size();) {
    const ssize_t n =
        ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = EIO;  // shorter than it was
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

uint64_t first_seq_of(int fd) {
  std::string head(64, '\0');
  const ssize_t n = ::pread(fd, head.data(), head.size(), 0);
  constexpr std::string_view kBegin = "{\"v\":1,\"seq\":";
  if (n < 0 || !std::string_view(head).starts_with(kBegin)) return 0;
  return std::strtoull(head.c_str() + kBegin.size(), nullptr, 10);
}

Error unusable(const std::string& path, const char* what, int error) {
  return Error{fmt::format(
      "audit file `{}` cannot be {}: {}; set `audit.path` to a file that reeve may write", path,
      what, std::strerror(error))};
}

}  // namespace

const FileCalls kSystemCalls{::pwrite, ::fdatasync};

OpenFile::~OpenFile() {
  if (fd >= 0) ::close(fd);
}

bool sync_folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const OpenFile file(
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return file.fd >= 0 && ::fsync(file.fd) == 0;
}

Result<std::unique_ptr<JournalFile>> JournalFile::open(const std::string& path,
                                                       const FileCalls& calls) {
  std::unique_ptr<JournalFile> file(new JournalFile(path, calls));
  file->hash_ = audit::kNoPrevious;
  if (auto attached = file->attach(); !attached) return attached.error();
  if (auto found = file->recover(file->file_->fd, path, file->size_); !found) return found.error();
  if (file->seq_ > 0) return file;
  // A crash between the renaming and the first line of the new file.
  const auto rotated = audit::rotated_files(path);
  for (auto it = rotated.rbegin(); it != rotated.rend() && file->seq_ == 0; ++it) {
    const OpenFile last(::open(it->path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    struct stat info{};
    if (last.fd < 0 || ::fstat(last.fd, &info) != 0) return unusable(it->path, "read", errno);
    const auto size = static_cast<uint64_t>(info.st_size);
    if (auto found = file->recover(last.fd, it->path, size); !found) return found.error();
  }
  return file;
}

// Opens what stands at the path; a torn last line is closed.
Result<bool> JournalFile::attach() {
  const int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
  struct stat info{};
  if (fd < 0) return unusable(path_, "opened", errno);
  auto file = std::make_shared<OpenFile>(fd);
  if (::fstat(fd, &info) != 0) return unusable(path_, "opened", errno);
  if (!S_ISREG(info.st_mode)) {
    return Error{
        fmt::format("audit file `{}` is not a regular file; set `audit.path` to one", path_)};
  }
  uint64_t size = static_cast<uint64_t>(info.st_size);
  std::string last(size > 0 ? 1 : 0, '\0');
  if (!read_at(fd, last, size - last.size())) return unusable(path_, "read", errno);
  if (size > 0 && last != "\n") {
    torn_ = true;
    if (calls_.pwrite(fd, "\n", 1, info.st_size) != 1) return unusable(path_, "written", errno);
    ++size;
  }
  file_ = std::move(file);
  size_ = size;
  first_seq_ = size > 0 ? first_seq_of(fd) : 0;
  synced_size_ = size;
  unsynced_.clear();
  dirty_tail_ = astray_ = renamed_ = false;
  return true;
}

// Finds the last whole line and takes its seq and hash over. Those behind it are torn.
Result<bool> JournalFile::recover(int fd, const std::string& path, uint64_t size) {
  std::string tail(std::min(size, kTail), '\0');
  if (!read_at(fd, tail, size - tail.size())) return unusable(path, "read", errno);
  const bool holds_text = tail.size() > 1;
  while (!tail.empty()) {
    if (tail.back() == '\n') tail.pop_back();
    const size_t newline = tail.rfind('\n');
    const size_t start = newline == std::string::npos ? 0 : newline + 1;
    const std::string_view text = std::string_view(tail).substr(start);
    if (const auto line = audit::read_line(text)) {
      seq_ = line->seq;
      hash_ = line->hash;
      return true;
    }
    if (!text.empty()) torn_ = true;
    tail.resize(start);
  }
  if (!holds_text) return true;
  return Error{fmt::format(
      "audit file `{}` holds no line that reeve wrote; move it away or set `audit.path` to another "
      "file",
      path)};
}

bool JournalFile::fail(std::string_view what, int error) {
  why_ = fmt::format("{}: {}", what, std::strerror(error));
  return false;
}

bool JournalFile::still_there() {
  struct stat named{}, mine{};
  if (::fstat(file_->fd, &mine) != 0 || renamed_) return true;
  const bool same = ::stat(path_.c_str(), &named) == 0 && named.st_dev == mine.st_dev &&
                    named.st_ino == mine.st_ino;
  if (!same) astray_ = true;
  return same;
}

bool JournalFile::has_room(uint64_t bytes) {
  return ::fallocate(file_->fd, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(size_),
                     static_cast<off_t>(bytes)) == 0 ||
         errno != ENOSPC;
}

// Before a write: the file is the one at the path, as long as it should be.
bool JournalFile::ready() {
  if (astray_) {
    rotated_.push_back(file_);
    if (auto attached = attach(); !attached) {
      why_ = attached.error().message;
      return false;
    }
  }
  if (dirty_tail_) {
    if (::ftruncate(file_->fd, static_cast<off_t>(size_)) != 0) return fail("cut", errno);
    dirty_tail_ = false;
  }
  struct stat info{};
  if (::fstat(file_->fd, &info) != 0) return fail("looked at", errno);
  if (info.st_nlink > 0 && static_cast<uint64_t>(info.st_size) == size_) return true;
  why_ = info.st_nlink == 0 ? "it was deleted by another program"
                            : "it was cut or written to by another program";
  astray_ = true;
  return false;
}

bool JournalFile::put(std::string_view block, uint64_t offset, size_t& done) {
  while (done < block.size()) {
    const ssize_t n = calls_.pwrite(file_->fd, block.data() + done, block.size() - done,
                                    static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail("written", n < 0 ? errno : EIO);
    done += static_cast<size_t>(n);
  }
  return true;
}

bool JournalFile::write(std::string_view block, uint64_t first_seq) {
  if (!ready()) return false;
  size_t done = 0;
  if (!put(block, size_, done)) {
    dirty_tail_ = done > 0 && ::ftruncate(file_->fd, static_cast<off_t>(size_)) != 0;
    return false;
  }
  if (size_ == 0) first_seq_ = first_seq;
  size_ += block.size();
  if (keeps_unsynced_) unsynced_ += block;
  return true;
}

bool JournalFile::rotate() {
  if (first_seq_ == 0 || astray_ || dirty_tail_ || !synced()) return false;
  const std::string to = audit::rotated_path(path_, first_seq_);
  if (!renamed_ && ::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE)) {
    return fail("rotated", errno);
  }
  renamed_ = true;
  const int fd =
      ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
  if (fd < 0) return fail("begun anew", errno);
  rotated_.push_back(std::move(file_));
  file_ = std::make_shared<OpenFile>(fd);
  size_ = synced_size_ = first_seq_ = 0;
  renamed_ = false;
  return true;
}

bool JournalFile::sync() {
  if (sync_failed_) {
    size_t done = 0;
    if (!put(unsynced_, synced_size_, done)) return false;
  }
  sync_failed_ = calls_.fdatasync(file_->fd) != 0;
  if (sync_failed_) return fail("put on the disk", errno);
  synced_size_ = size_;
  unsynced_.clear();
  return true;
}

}  // namespace reeve
