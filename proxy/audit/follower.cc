// A file that was rotated away is read to its end before the next is opened. Tested by
// tests/proxy/audit_query_test.cc and tests/e2e/audit_test.mjs.
#include "proxy/audit/follower.h"

#include <sys/stat.h>

#include <utility>

namespace reeve::audit {
namespace {

uint64_t size_of(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

}  // namespace

Follower::Follower(std::string path, uint64_t from)
    : path_(std::move(path)), reader_(std::make_unique<LineReader>()) {
  reader_->open(path_, from);
}

Follower::Follower(std::string path) : Follower(path, size_of(path)) {}

void Follower::skip_to_end() {
  reader_ = std::make_unique<LineReader>();
  reader_->open(path_, size_of(path_));
}

bool Follower::look(const Sink& sink) {
  for (;;) {
    // Looked at before reading: what is no longer current is read to its end.
    const bool current = is_at(path_, reader_->fd());
    for (std::string_view text; reader_->next(text, false);) {
      if (!sink(text)) return false;
    }
    if (current) return true;
    auto next = std::make_unique<LineReader>();
    // Opened before asking again: the answer is the same when nothing was rotated meanwhile.
    const std::string file = file_after(path_, reader_->fd());
    if (!next->open(file) || file_after(path_, reader_->fd()) != file) return true;
    reader_ = std::move(next);
  }
}

}  // namespace reeve::audit
