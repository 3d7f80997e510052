// Tested by tests/proxy/audit_sink_test.cc.
#include "proxy/audit/record_tail.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "proxy/audit/files.h"
#include "proxy/audit/line.h"

namespace reeve::audit {
namespace {

constexpr size_t kChunk = 256 * 1024;

std::shared_ptr<OpenFile> open_to_read(const std::string& path) {
  return std::make_shared<OpenFile>(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
}

}  // namespace

// The newest file that does not begin behind the next line, or the oldest there is. The current one
// has no name that says where it begins: it follows the newest of the others.
bool RecordTail::open() {
  const auto rotated = rotated_files(path_);
  std::string name = path_;
  LineReader current;
  uint64_t current_first = 0;
  std::string_view text;
  if (current.open(path_) && current.next(text, false)) {
    if (const auto line = read_line(text)) current_first = line->seq;
  }
  if (!rotated.empty() && (current_first == 0 || current_first > last_ + 1)) {
    name = rotated.front().path;
    for (const RecordFile& file : rotated) {
      if (file.first_seq <= last_ + 1) name = file.path;
    }
  }
  file_ = open_to_read(name);
  offset_ = 0;
  if (file_->fd < 0) file_.reset();
  return file_ != nullptr;
}

// Takes whole lines from the chunk; false when no more are wanted.
bool RecordTail::take(std::string_view chunk, uint64_t written, size_t most_lines,
                      size_t most_bytes, Part& part) {
  for (size_t begin = 0;;) {
    const size_t end = chunk.find('\n', begin);
    if (end == chunk.npos) return true;
    const std::string_view text = chunk.substr(begin, end - begin);
    if (const auto line = read_line(text); line && line->seq > last_) {
      if (line->seq > written || part.lines.size() >= most_lines || part.bytes >= most_bytes) {
        return false;
      }
      part.missed += line->seq - last_ - 1;
      part.last = last_ = line->seq;
      part.bytes += text.size() + 1;
      part.lines.emplace_back(text);
    }
    begin = end + 1;
    offset_ += text.size() + 1;
  }
}

RecordTail::Part RecordTail::read(uint64_t written, size_t most_lines, size_t most_bytes) {
  Part part;
  while (last_ < written && (file_ || open())) {
    // Looked at before reading: what is no longer current is read to its end.
    const bool current = is_at(path_, file_->fd);
    size_t size = buffer_.empty() ? kChunk : buffer_.size();
    buffer_.resize(size);
    ssize_t got;
    do {
      got = ::pread(file_->fd, buffer_.data(), size, static_cast<off_t>(offset_));
    } while (got < 0 && errno == EINTR);
    if (got < 0) break;
    const uint64_t before = offset_;
    const std::string_view chunk(buffer_.data(), static_cast<size_t>(got));
    if (!take(chunk, written, most_lines, most_bytes, part)) return part;
    if (offset_ > before) continue;
    if (static_cast<size_t>(got) == size) {  // a line that is longer than the chunk
      if (size <= kLongestLine) {
        buffer_.resize(2 * size);
      } else {
        offset_ += size;  // no line of the record
      }
      continue;
    }
    if (current) break;
    const std::string next = file_after(path_, file_->fd);
    auto opened = open_to_read(next);
    // Asked again: the answer is the same when nothing was rotated meanwhile.
    if (opened->fd < 0 || file_after(path_, file_->fd) != next || !is_at(next, opened->fd)) break;
    file_ = std::move(opened);
    offset_ = 0;
  }
  return part;
}

}  // namespace reeve::audit
