// Memory for coroutine frames: each call needs a few, of the same sizes again and again.
//
// A list of free frames for each thread and size, so that a call takes and gives back without
// malloc. Bounded: what is over it goes back to the heap. A frame may be given back on another
// thread than it was taken on.
#ifndef REEVE_PROXY_NET_FRAMES_H_
#define REEVE_PROXY_NET_FRAMES_H_

#include <array>
#include <cstddef>
#include <new>

namespace reeve::net {

class Frames {
 public:
  static constexpr size_t kStep = 128;                   // sizes are rounded up to this
  static constexpr size_t kLargest = 4096;               // larger ones are not kept
  static constexpr size_t kMostBytes = 2 * 1024 * 1024;  // kept, by each thread

  static void* take(size_t size) {
    const size_t kind = kind_of(size);
    if (kKeeps && kind < kKinds && lists_.first[kind] != nullptr) {
      Free* const frame = lists_.first[kind];
      lists_.first[kind] = frame->next;
      lists_.bytes -= (kind + 1) * kStep;
      return frame;
    }
    return ::operator new((kind + 1) * kStep);
  }

  static void give(void* frame, size_t size) noexcept {
    const size_t kind = kind_of(size);
    const size_t bytes = (kind + 1) * kStep;
    if (!kKeeps || kind >= kKinds || lists_.bytes + bytes > kMostBytes || !owned()) {
      ::operator delete(frame);
      return;
    }
    lists_.first[kind] = new (frame) Free{lists_.first[kind]};
    lists_.bytes += bytes;
  }

  // Of this thread.
  static size_t kept_bytes() { return lists_.bytes; }

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  static constexpr bool kKeeps = false;  // so that a use after the end is found
#else
  static constexpr bool kKeeps = true;
#endif
#else
  static constexpr bool kKeeps = true;
#endif

 private:
  struct Free {
    Free* next;
  };
  static constexpr size_t kKinds = kLargest / kStep;
  // Plain data, so that a thread reaches it without a look whether it is there yet.
  struct Lists {
    std::array<Free*, kKinds> first;
    size_t bytes;
    enum class Owner : unsigned char { kNone, kThread, kGone } owner;
  };

  static size_t kind_of(size_t size) { return (size - 1) / kStep; }
  // Whether somebody will free the lists when the thread ends.
  static bool owned() { return lists_.owner == Lists::Owner::kThread || adopt(); }
  static bool adopt();
  struct Owner;

  static constinit thread_local Lists lists_;
};

}  // namespace reeve::net

#endif  // REEVE_PROXY_NET_FRAMES_H_
