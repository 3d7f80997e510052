// See ledger_books.h. Tested by tests/policy/ledger_test.cc and ledger_threads_test.cc.
#include "policy/ledger_books.h"

namespace reeve::policy {

namespace {

constexpr uint64_t kNumberMask = 0xFFFFFFFF;
constexpr uint64_t kChange = uint64_t{1} << 32;

}  // namespace

Slots::~Slots() {
  for (uint32_t i = 0; i < kChunks; ++i) delete[] table_[i].load();
}

Slot* Slots::pop(List& list) {
  uint64_t head = list.head.load(std::memory_order_acquire);
  while ((head & kNumberMask) != 0) {
    Slot& first = at(static_cast<uint32_t>(head & kNumberMask));
    const uint64_t next = first.next.load(std::memory_order_relaxed);
    const uint64_t after = ((head & ~kNumberMask) + kChange) | next;
    if (list.head.compare_exchange_weak(head, after, std::memory_order_acq_rel)) return &first;
  }
  return nullptr;
}

Slot* Slots::acquire(uint32_t lane) {
  // Those that others gave back are in other lists when calls end on other threads than theirs.
  for (uint32_t i = 0; i < lanes_; ++i) {
    if (Slot* slot = pop(lists_[(lane + i) % lanes_])) return slot;
  }
  if (Slot* slot = grow()) {
    // One of the new ones is used, the others are for the next.
    const uint32_t first = slot->number;
    for (uint32_t i = 1; i < kPerChunk; ++i) release(at(first + i), lane);
    return slot;
  }
  return nullptr;
}

void Slots::release(Slot& slot, uint32_t lane) {
  List& list = lists_[lane];
  uint64_t head = list.head.load(std::memory_order_relaxed);
  while (true) {
    slot.next.store(static_cast<uint32_t>(head & kNumberMask), std::memory_order_relaxed);
    const uint64_t after = ((head & ~kNumberMask) + kChange) | slot.number;
    if (list.head.compare_exchange_weak(head, after, std::memory_order_acq_rel)) return;
  }
}

Slot* Slots::grow() {
  const std::lock_guard lock(growing_);
  const uint32_t index = chunks_.load(std::memory_order_relaxed);
  if (index == kChunks) return nullptr;
  auto* const slots = new Slot[kPerChunk];
  for (uint32_t i = 0; i < kPerChunk; ++i) slots[i].number = index * kPerChunk + i + 1;
  table_[index].store(slots, std::memory_order_release);
  chunks_.store(index + 1, std::memory_order_release);
  return slots;
}

}  // namespace reeve::policy
