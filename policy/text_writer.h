// Text put together from many short pieces: by a pointer into the string's room, which is made once
// for most texts, since a call of append() for each piece costs more than its bytes.
#ifndef REEVE_POLICY_TEXT_WRITER_H_
#define REEVE_POLICY_TEXT_WRITER_H_

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "policy/words.h"

namespace reeve {

// Appends to a string, which nobody else may use until the writer is gone. Grows it when `expected`
// bytes are not enough.
class TextWriter {
 public:
  TextWriter(std::string& out, size_t expected) : out_(out) {
    const size_t used = out.size();
    out.resize(used + expected);
    aim(used);
  }
  ~TextWriter() { out_.resize(used()); }
  TextWriter(const TextWriter&) = delete;
  TextWriter& operator=(const TextWriter&) = delete;

  // Where the next byte goes; `bytes` may be written from there. Then wrote() says how far.
  char* room(size_t bytes) {
    if (static_cast<size_t>(end_ - p_) < bytes) grow(bytes);
    return p_;
  }
  void wrote(char* end) { p_ = end; }

  void text(std::string_view text) { p_ = copy_bytes(room(text.size()), text.data(), text.size()); }
  void character(char c) {
    *room(1) = c;
    ++p_;
  }
  void number(uint64_t value) {
    constexpr size_t kLongest = 20;
    char* const to = room(kLongest);
    p_ = std::to_chars(to, to + kLongest, value).ptr;
  }

 private:
  size_t used() const { return static_cast<size_t>(p_ - out_.data()); }
  void aim(size_t used) {
    p_ = out_.data() + used;
    end_ = out_.data() + out_.size();
  }
  [[gnu::noinline]] void grow(size_t bytes) {
    const size_t before = used();
    out_.resize(before + bytes + out_.size());
    aim(before);
  }

  std::string& out_;
  char* p_;
  char* end_;
};

}  // namespace reeve

#endif  // REEVE_POLICY_TEXT_WRITER_H_
