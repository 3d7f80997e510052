// Reads a text of one fixed form from left to right; the first thing that is not as it must be
// makes it not ok(), and all further steps do nothing.
#ifndef REEVE_PROXY_AUDIT_SCAN_H_
#define REEVE_PROXY_AUDIT_SCAN_H_

#include <charconv>
#include <cstdint>
#include <string_view>

namespace reeve::audit {

class Scan {
 public:
  explicit Scan(std::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }
  std::string_view rest() const { return rest_; }
  bool at(std::string_view text) const { return ok_ && rest_.starts_with(text); }

  Scan& literal(std::string_view text) {
    if (at(text)) {
      rest_.remove_prefix(text.size());
    } else {
      ok_ = false;
    }
    return *this;
  }
  // A decimal number of 64 bits without sign or leading zero.
  Scan& number(uint64_t& value) {
    const auto [end, ec] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    const auto size = static_cast<size_t>(end - rest_.data());
    ok_ = ok_ && ec == std::errc{} && size > 0 && (size == 1 || rest_[0] != '0');
    if (ok_) rest_.remove_prefix(size);
    return *this;
  }
  // Exactly so many digits.
  Scan& digits(size_t count, uint64_t& value) {
    std::string_view text;
    take(count, text);
    value = 0;
    for (const char c : text) {
      ok_ = ok_ && c >= '0' && c <= '9';
      value = value * 10 + static_cast<uint64_t>(c - '0');
    }
    return *this;
  }
  Scan& take(size_t count, std::string_view& value) {
    ok_ = ok_ && rest_.size() >= count;
    if (!ok_) return *this;
    value = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return *this;
  }
  Scan& until(char end, std::string_view& value) {
    const size_t size = rest_.find(end);
    ok_ = ok_ && size != std::string_view::npos;
    return ok_ ? take(size, value) : *this;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_SCAN_H_
