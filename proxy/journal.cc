// One write(2) per block of lines under one lock: the order of lines is the order of the chain. A
// write that fails half-way is taken back by truncating, so that the file holds whole lines only.
// Tested by tests/proxy/journal_test.cc.
#include "proxy/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <cstring>

#include "policy/text_writer.h"
#include "proxy/clock.h"
#include "proxy/digest.h"
#include "proxy/ids.h"

namespace reeve {
namespace {

constexpr std::string_view kNoPrevious =
    "0000000000000000000000000000000000000000000000000000000000000000";
constexpr off_t kLongestLine = 16 * 1024 * 1024;

}  // namespace

Journal::Journal(int fd, std::string path) : fd_(fd), path_(std::move(path)), prev_(kNoPrevious) {}

Journal::~Journal() { ::close(fd_); }

Result<std::unique_ptr<Journal>> Journal::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
  struct stat info{};
  if (fd < 0 || ::fstat(fd, &info) != 0) {
    const int why = errno;
    if (fd >= 0) ::close(fd);
    return Error{
        fmt::format("audit file `{}` cannot be opened: {}; set `audit.path` to a file that "
                    "reeve may write",
                    path, std::strerror(why))};
  }
  std::unique_ptr<Journal> journal(new Journal(fd, path));
  if (!S_ISREG(info.st_mode)) {
    return Error{
        fmt::format("audit file `{}` is not a regular file; set `audit.path` to one", path)};
  }
  journal->size_ = static_cast<uint64_t>(info.st_size);
  if (auto recovered = journal->recover(); !recovered) return recovered.error();
  return journal;
}

// Finds the last whole line and takes its seq and hash over.
Result<bool> Journal::recover() {
  const off_t end = static_cast<off_t>(size_);
  off_t from = std::max<off_t>(0, end - kLongestLine);
  std::string tail(static_cast<size_t>(end - from), '\0');
  for (size_t done = 0; done < tail.size();) {
    const ssize_t n =
        ::pread(fd_, tail.data() + done, tail.size() - done, from + static_cast<off_t>(done));
    if (n <= 0) {
      return Error{fmt::format("audit file `{}` cannot be read: {}", path_, std::strerror(errno))};
    }
    done += static_cast<size_t>(n);
  }
  if (!tail.empty() && tail.back() != '\n') {
    found_torn_line_ = true;
    if (::pwrite(fd_, "\n", 1, end) != 1) {
      return Error{
          fmt::format("audit file `{}` cannot be written: {}", path_, std::strerror(errno))};
    }
    ++size_;
    tail += '\n';
  }
  // The last line that is whole: a torn one has no readable hash and is stepped over.
  while (!tail.empty()) {
    tail.pop_back();
    const size_t start = tail.rfind('\n') == std::string::npos ? 0 : tail.rfind('\n') + 1;
    const std::string_view line = std::string_view(tail).substr(start);
    boost::system::error_code bad;
    const boost::json::value value = boost::json::parse(line, bad);
    if (!bad && value.is_object()) {
      const auto* seq = value.as_object().if_contains("seq");
      const auto* hash = value.as_object().if_contains("hash");
      if (seq && hash && (seq->is_int64() || seq->is_uint64()) && hash->is_string() &&
          hash->as_string().size() == 64) {
        seq_ = seq->to_number<uint64_t>();
        prev_ = std::string(hash->as_string());
        return true;
      }
    }
    tail.resize(start);
    if (start == 0) break;
    if (!line.empty()) found_torn_line_ = true;
  }
  if (size_ > 1 && prev_ == kNoPrevious) {
    return Error{
        fmt::format("audit file `{}` holds no line that reeve wrote; move it away or set "
                    "`audit.path` to another file",
                    path_)};
  }
  return true;
}

void Journal::add_line(uint64_t seq, const JournalLine& line) {
  constexpr size_t kFrame = 256;  // more than all but the members takes
  const size_t begin = block_.size();
  TextWriter out(block_, kFrame + line.kind.size() + line.members.size() + 2 * hash_.size());
  out.text("{\"v\":1,\"seq\":");
  out.number(seq);
  out.text(",\"time\":\"");
  out.wrote(write_time(out.room(kTimeBytes), line.time));
  out.text("\",\"kind\":\"");
  out.text(line.kind);
  out.character('"');
  out.text(line.members);
  out.text(",\"prev\":\"");
  out.text(hash_);
  out.text("\"}");
  char* const end = out.room(0);
  const policy::Sha256 hash = sha256({block_.data() + begin, end});
  write_hex(hash_.data(), hash.data(), hash.size());
  out.wrote(end - 1);  // the brace comes behind the hash
  out.text(",\"hash\":\"");
  out.text(hash_);
  out.text("\"}\n");
}

bool Journal::append(std::span<const JournalLine> lines) {
  std::lock_guard lock(mutex_);
  block_.clear();
  hash_ = prev_;
  uint64_t seq = seq_;
  for (const JournalLine& line : lines) add_line(++seq, line);
  if (!write_block()) {
    errors_.fetch_add(lines.size(), std::memory_order_relaxed);
    healthy_.store(false, std::memory_order_relaxed);
    return false;
  }
  seq_ = seq;
  prev_.swap(hash_);
  lines_.fetch_add(lines.size(), std::memory_order_relaxed);
  healthy_.store(true, std::memory_order_relaxed);
  return true;
}

bool Journal::write_block() {
  if (dirty_tail_) {
    if (::ftruncate(fd_, static_cast<off_t>(size_)) != 0) return false;
    dirty_tail_ = false;
  }
  size_t done = 0;
  while (done < block_.size()) {
    const ssize_t n =
        ::pwrite(fd_, block_.data() + done, block_.size() - done, static_cast<off_t>(size_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      dirty_tail_ = done > 0 && ::ftruncate(fd_, static_cast<off_t>(size_)) != 0;
      return false;
    }
    done += static_cast<size_t>(n);
  }
  size_ += block_.size();
  return true;
}

}  // namespace reeve
