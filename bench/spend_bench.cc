// What one call's reservation and settlement cost in memory: p50 and p99 on one and on three
// budgets, allocations, and how many threads together do on one budget. bench/spend runs it.
//
// A pair is timed by the CPU's counter in batches of 16, so that the counter's own cost is small;
// a percentile is over batches, divided. The store is a thread that answers every write at once, as
// one does that keeps ahead. Output: one JSON object.
#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <thread>
#include <vector>

#include "policy/ledger.h"

namespace {
thread_local uint64_t allocations = 0;
}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* at = std::malloc(size)) return at;
  throw std::bad_alloc();
}
void* operator new(size_t size, std::align_val_t align) {
  ++allocations;
  if (void* at = std::aligned_alloc(static_cast<size_t>(align), size)) return at;
  throw std::bad_alloc();
}
void operator delete(void* at) noexcept { std::free(at); }
void operator delete(void* at, size_t) noexcept { std::free(at); }
void operator delete(void* at, std::align_val_t) noexcept { std::free(at); }
void operator delete(void* at, size_t, std::align_val_t) noexcept { std::free(at); }

namespace reeve::policy {
namespace {

using Clock = std::chrono::steady_clock;
constexpr Micros kCost = 2'500;  // a quarter of a cent
constexpr int kBatch = 16;

class Bench {
 public:
  explicit Bench(uint32_t budgets) : ledger_({}) {
    for (uint32_t i = 0; i < budgets; ++i) {
      AccountSpec spec;
      spec.budget = fmt::format("b{}", i);
      spec.scope = "everyone";
      spec.currency = "USD";
      spec.limit = Micros{1} << 60;
      specs_.push_back(std::move(spec));
      draws_.push_back({i, kCost});
    }
    binding_ = ledger_.bind(specs_, Time{});
    store_ = std::thread([this] {
      while (!ended_) {
        answer();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
    // Slices grow from nothing: what is measured is a budget in use.
    for (int i = 0; i < 200'000; ++i) pair();
  }
  ~Bench() {
    ended_ = true;
    store_.join();
  }

  void pair() {
    Attempt attempt = ledger_.reserve(draws_, binding_, Time{});
    while (attempt.outcome != Attempt::Outcome::kReserved) {
      if (attempt.outcome != Attempt::Outcome::kNeedsMark) std::abort();
      answer();
      attempt = ledger_.reserve(draws_, binding_, Time{});
    }
    attempt.reservation.mark_sent();
    attempt.reservation.settle({.money = kCost - 500, .calls = {}, .tokens = {}});
  }

  // Nanoseconds of a pair, by percentile, and allocations of all.
  struct Times {
    double p50, p99;
    uint64_t allocations;
  };
  Times times(int batches) {
    std::vector<double> all(static_cast<size_t>(batches));
    const uint64_t before = allocations;
    for (double& one : all) {
      const auto start = Clock::now();
      for (int i = 0; i < kBatch; ++i) pair();
      one = std::chrono::duration<double, std::nano>(Clock::now() - start).count() / kBatch;
    }
    const uint64_t allocated = allocations - before;
    std::sort(all.begin(), all.end());
    return {all[all.size() / 2], all[all.size() * 99 / 100], allocated};
  }

  // Pairs a second of `count` threads together.
  double throughput(int count, std::chrono::milliseconds time) {
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> pairs{0};
    std::vector<std::thread> threads;
    const auto start = Clock::now();
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([this, &stop, &pairs] {
        uint64_t mine = 0;
        for (; !stop.load(std::memory_order_relaxed); ++mine) pair();
        pairs += mine;
      });
    }
    std::this_thread::sleep_for(time);
    stop = true;
    for (std::thread& thread : threads) thread.join();
    return static_cast<double>(pairs) / std::chrono::duration<double>(Clock::now() - start).count();
  }

 private:
  void answer() {
    const std::lock_guard lock(answering_);
    std::vector<MarkWrite> writes;
    ledger_.take_writes(writes);
    for (const MarkWrite& write : writes) ledger_.written(write);
  }

  std::vector<AccountSpec> specs_;
  std::vector<Draw> draws_;
  Ledger ledger_;
  std::vector<Account*> binding_;
  std::mutex answering_;
  std::atomic<bool> ended_{false};
  std::thread store_;
};

}  // namespace
}  // namespace reeve::policy

int main(int count, char**) {
  using reeve::policy::Bench;
  const bool quick = count > 1;
  const int batches = quick ? 20'000 : 200'000;
  const std::chrono::milliseconds time(quick ? 300 : 2000);
  Bench one(1);
  Bench three(3);
  const auto of_one = one.times(batches);
  const auto of_three = three.times(batches);
  // Interleaved, the best of each: what disturbs disturbs both.
  double alone = 0;
  double together = 0;
  for (int round = 0; round < 5; ++round) {
    alone = std::max(alone, one.throughput(1, time / 5));
    together = std::max(together, one.throughput(16, time / 5));
  }
  fmt::print(
      "{{\"one_p50\":{:.1f},\"one_p99\":{:.1f},\"three_p50\":{:.1f},\"three_p99\":{:.1f},"
      "\"allocations\":{},\"threads_1\":{:.0f},\"threads_16\":{:.0f}}}\n",
      of_one.p50, of_one.p99, of_three.p50, of_three.p99, of_one.allocations + of_three.allocations,
      alone, together);
}
