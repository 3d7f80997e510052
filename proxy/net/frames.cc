// Tested by tests/proxy/task_test.cc.
#include "proxy/net/frames.h"

namespace reeve::net {

constinit thread_local Frames::Lists Frames::lists_{};

// Its destructor runs when the thread ends; frames that are given back later go to the heap.
struct Frames::Owner {
  Owner() { lists_.owner = Lists::Owner::kThread; }
  ~Owner() {
    lists_.owner = Lists::Owner::kGone;
    for (Free*& first : lists_.first) {
      while (first != nullptr) {
        Free* const frame = first;
        first = frame->next;
        ::operator delete(frame);
      }
    }
    lists_.bytes = 0;
  }
};

bool Frames::adopt() {
  if (lists_.owner == Lists::Owner::kGone) return false;
  static thread_local Owner owner;
  return lists_.owner == Lists::Owner::kThread;
}

}  // namespace reeve::net
