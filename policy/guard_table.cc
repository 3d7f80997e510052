// See guard_table.h. Tested by tests/policy/guard_test.cc.
#include "policy/guard_table.h"

#include "policy/text.h"

namespace reeve::policy {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

}  // namespace

std::optional<TextTable> TextTable::read(std::string_view text) {
  TextTable table;
  table.text_ = text;
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return std::nullopt;
  const std::string_view line = text.substr(first, text.find('\n', first) - first);
  for (const char separator : {'\t', ';', '|', ','}) {
    if (line.find(separator) == line.npos) continue;
    table.separator_ = separator;
    table.body_ = table.row(first, table.names_);
    if (table.names_.size() > 1 && table.body_ < text.size()) return table;
  }
  return std::nullopt;
}

size_t TextTable::row(size_t at, std::vector<Cell>& cells) const {
  cells.clear();
  for (;;) {
    while (at < text_.size() && is_blank(text_[at]) && text_[at] != separator_) ++at;
    size_t end = at;
    if (end < text_.size() && text_[end] == '"') {
      ++end;
      while (end < text_.size() && (text_[end] != '"' || text_.substr(end + 1, 1) == "\"")) {
        end += text_[end] == '"' ? 2 : 1;
      }
    }
    while (end < text_.size() && text_[end] != separator_ && text_[end] != '\n') ++end;
    Cell cell{at, end < text_.size() ? end : text_.size()};
    while (cell.end > cell.begin && is_blank(text_[cell.end - 1])) --cell.end;
    cells.push_back(cell);
    if (end >= text_.size()) return text_.size();
    at = end + 1;
    if (text_[end] == '\n') return at;
  }
}

std::string_view TextTable::shown(const Cell& cell) const {
  std::string_view text = text_.substr(cell.begin, cell.end - cell.begin);
  if (text.size() > 1 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  return text;
}

std::optional<size_t> TextTable::column(std::string_view name) const {
  for (size_t i = 0; i < names_.size(); ++i) {
    if (equals_ignoring_case(shown(names_[i]), name)) return i;
  }
  return std::nullopt;
}

void TextTable::visit(size_t column,
                      const std::function<void(size_t begin, size_t end)>& cell) const {
  std::vector<Cell> cells;
  for (size_t at = body_; at < text_.size();) {
    at = row(at, cells);
    if (column >= cells.size()) continue;
    const Cell& found = cells[column];
    const std::string_view text = text_.substr(found.begin, found.end - found.begin);
    if (text.find_first_not_of("-:") != text.npos) cell(found.begin, found.end);
  }
}

}  // namespace reeve::policy
