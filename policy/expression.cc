// This and guard_program.cc are the files of the library that include RE2. Tested by
// tests/policy/expression_test.cc.
#include "policy/expression.h"

#include <re2/re2.h>

#include <algorithm>

namespace reeve::policy {

namespace {

constexpr size_t kNone = std::string_view::npos;

// What every match of `expression` begins with, as far as a glance tells: plain characters up to
// the first that means something. With a `|` anywhere it tells nothing.
std::string_view regex_prefix(std::string_view expression) {
  if (expression.find('|') != kNone) return {};
  constexpr std::string_view kMeta = "\\^$.[]()*+?{}";
  const size_t end = std::min(expression.find_first_of(kMeta), expression.size());
  std::string_view prefix = expression.substr(0, end);
  if (end < expression.size() && std::string_view("*+?{").find(expression[end]) != kNone) {
    // The quantifier is about the last character, which may be absent.
    size_t last = prefix.size();
    while (last > 0 && (static_cast<uint8_t>(prefix[last - 1]) & 0xC0) == 0x80) --last;
    prefix = prefix.substr(0, last > 0 ? last - 1 : 0);
  }
  return prefix;
}

}  // namespace

Expression::Expression() = default;
Expression::Expression(Expression&&) = default;
Expression::~Expression() = default;

Result<Expression> Expression::compile(std::string_view text) {
  Expression expression;
  expression.table_ = StateTable::compile(text);
  if (expression.table_) return expression;
  RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_max_mem(1 << 20);
  auto regex = std::make_unique<RE2>(re2::StringPiece(text.data(), text.size()), options);
  if (!regex->ok()) return Error{regex->error()};
  expression.prefix_ = regex_prefix(text);
  expression.regex_ = std::move(regex);
  return expression;
}

uint64_t Expression::state_count() const {
  return table_ ? 1 : static_cast<uint64_t>(regex_->ProgramSize());
}

bool Expression::matches_by_re2(std::string_view text) const {
  return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *regex_);
}

}  // namespace reeve::policy
