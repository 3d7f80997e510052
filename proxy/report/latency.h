// Quantiles of how long calls took, in a fixed amount of memory: counts by buckets of which each is
// 1/32 of an octave. Below 64 µs a quantile is exact, above it is within 1/64 of the true one.
#ifndef REEVE_PROXY_REPORT_LATENCY_H_
#define REEVE_PROXY_REPORT_LATENCY_H_

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace reeve::report {

class Latency {
 public:
  void add(uint64_t micros, uint64_t times = 1) {
    const size_t bucket = bucket_of(micros);
    if (counts_.empty()) first_ = bucket;
    if (bucket < first_) {
      counts_.insert(counts_.begin(), first_ - bucket, 0);
      first_ = bucket;
    }
    if (bucket - first_ >= counts_.size()) counts_.resize(bucket - first_ + 1);
    counts_[bucket - first_] += times;
    count_ += times;
  }
  void add(const Latency& other) {
    for (size_t i = 0; i < other.counts_.size(); ++i) {
      if (other.counts_[i] > 0) add(middle_of(other.first_ + i), other.counts_[i]);
    }
  }

  uint64_t count() const { return count_; }
  // Of which at least this part took no longer: 0.5 is the median. In microseconds; 0 of nothing.
  uint64_t quantile(double part) const {
    const auto wanted =
        std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(part * static_cast<double>(count_))));
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen >= wanted) return middle_of(first_ + i);
    }
    return 0;
  }

 private:
  static constexpr size_t kExact = 64, kParts = 32;

  static size_t bucket_of(uint64_t micros) {
    if (micros < kExact) return micros;
    const auto shift = static_cast<size_t>(std::bit_width(micros)) - 6;
    return kExact + (shift - 1) * kParts + ((micros >> shift) - kParts);
  }
  static uint64_t middle_of(size_t bucket) {
    if (bucket < kExact) return bucket;
    const size_t shift = (bucket - kExact) / kParts + 1;
    const uint64_t low = (kParts + (bucket - kExact) % kParts) << shift;
    return low + (uint64_t{1} << (shift - 1));
  }

  std::vector<uint64_t> counts_;  // from bucket first_ on
  size_t first_ = 0;
  uint64_t count_ = 0;
};

}  // namespace reeve::report

#endif  // REEVE_PROXY_REPORT_LATENCY_H_
