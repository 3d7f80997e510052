// Rows and columns in a text: values apart by commas, tabs, semicolons or bars under a line of
// names (RFC 4180; Markdown's tables). Internal to guards.
#ifndef REEVE_POLICY_GUARD_TABLE_H_
#define REEVE_POLICY_GUARD_TABLE_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace reeve::policy {

class TextTable {
 public:
  // Nothing when `text`, which must outlive this, has no line of two names or more and one below.
  static std::optional<TextTable> read(std::string_view text);

  // The column of this name, whatever its case; the first of several.
  std::optional<size_t> column(std::string_view name) const;
  // Calls `cell` with begin and end of each value of the column below the names, in order: without
  // the space around it, with its quotes. Empty ones and rules (`---`) are left out.
  void visit(size_t column, const std::function<void(size_t begin, size_t end)>& cell) const;

 private:
  struct Cell {
    size_t begin;
    size_t end;
  };
  // The cells of the row at `at`; where the next begins.
  size_t row(size_t at, std::vector<Cell>& cells) const;
  std::string_view shown(const Cell& cell) const;

  std::string_view text_;
  char separator_ = ',';
  std::vector<Cell> names_;
  size_t body_ = 0;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_GUARD_TABLE_H_
