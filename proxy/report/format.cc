// Tested by tests/proxy/report_test.cc.
#include "proxy/report/format.h"

#include <fmt/format.h>

#include <cmath>

#include "policy/text.h"

namespace reeve::report {

std::string count(uint64_t number) {
  std::string digits = fmt::format("{}", number);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string percent(double part) {
  if (part > 0 && part < 0.0005) return "<0.1 %";
  if (part < 1 && part >= 0.9995) return ">99.9 %";
  return part >= 10 ? fmt::format("{:.0f} %", part * 100) : fmt::format("{:.1f} %", part * 100);
}

std::string span(uint64_t micros) {
  const auto value = static_cast<double>(micros);
  if (micros < 1000) return fmt::format("{} µs", micros);
  if (micros < 10'000) return fmt::format("{:.1f} ms", value / 1e3);
  if (micros < 1'000'000) return fmt::format("{:.0f} ms", value / 1e3);
  if (value < 60e6) return fmt::format("{:.1f} s", value / 1e6);
  if (value < 3600e6) return fmt::format("{:.0f} min", value / 60e6);
  if (value < 86'400e6) return fmt::format("{:.1f} h", value / 3600e6);
  return fmt::format("{:.1f} d", value / 86'400e6);
}

std::string money(policy::Micros amount, std::string_view currency) {
  const std::string before = currency.empty() ? "" : fmt::format("{} ", currency);
  if (amount > 0 && amount < 10'000) return before + policy::format_decimal(amount);
  const auto cents = static_cast<uint64_t>(amount < 0 ? 0 : amount + 5'000) / 10'000;
  return fmt::format("{}{}.{:02}", before, count(cents / 100), cents % 100);
}

std::string amount(policy::Micros amount, std::string_view unit) {
  if (unit != "calls" && unit != "tokens") return money(amount, unit);
  return several(static_cast<uint64_t>(amount / policy::kMicrosPerUnit),
                 unit.substr(0, unit.size() - 1));
}

std::string change(double now, double before) {
  if (before == 0) return now == 0 ? "" : "new";
  const double change = (now - before) / before;
  if (std::abs(change) < 0.005) return "±0 %";
  if (change > 9.99) return fmt::format("×{:.0f}", now / before);
  return fmt::format("{:+.0f} %", change * 100);
}

std::string several(uint64_t number, std::string_view one) {
  return fmt::format("{} {}{}", count(number), one, number == 1 ? "" : "s");
}

std::string html(std::string_view text, size_t most) {
  std::string out;
  for (const char c : policy::visible(text, most)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace reeve::report
