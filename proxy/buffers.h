// Blocks of memory of one size that the calls of a worker use one after another: whoever waits for
// bytes needs no room for them, and the block used last is the one that the caches still hold. Of
// one thread.
#ifndef REEVE_PROXY_BUFFERS_H_
#define REEVE_PROXY_BUFFERS_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace reeve {

template <class T>
class Reused {
 public:
  // Keeps at most `most` that nobody uses.
  explicit Reused(size_t most) : most_(most) { kept_.reserve(most); }

  // One that was given back, or else null.
  std::unique_ptr<T> take() {
    if (kept_.empty()) return nullptr;
    std::unique_ptr<T> last = std::move(kept_.back());
    kept_.pop_back();
    return last;
  }
  void give(std::unique_ptr<T> one) {
    if (kept_.size() < most_) kept_.push_back(std::move(one));
  }

 private:
  const size_t most_;
  std::vector<std::unique_ptr<T>> kept_;
};

class Buffers {
 public:
  explicit Buffers(size_t bytes) : bytes_(bytes) {}

  size_t bytes() const { return bytes_; }
  std::unique_ptr<char[]> take() {
    auto used = kept_.take();
    return used ? std::move(used) : std::unique_ptr<char[]>(new char[bytes_]);
  }
  void give(std::unique_ptr<char[]> one) { kept_.give(std::move(one)); }

 private:
  const size_t bytes_;
  Reused<char[]> kept_{64};
};

}  // namespace reeve

#endif  // REEVE_PROXY_BUFFERS_H_
