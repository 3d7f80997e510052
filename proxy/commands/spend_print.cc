// See spend_print.h. Tested by tests/proxy/spend_command_test.cc.
#include "proxy/commands/spend_print.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/number.h"
#include "proxy/audit/line.h"
#include "proxy/commands/audit.h"

namespace reeve::commands {
namespace {

using policy::Micros;

constexpr size_t kBar = 20;
constexpr int kWarnPercent = 80;  // of a budget that says nothing of it
constexpr size_t kCell = 64;

std::string text_of(const json::Value& object, std::string_view name) {
  const auto value = object.find(name);
  std::string scratch;
  return value && value->is_string() ? std::string(value->text(scratch)) : std::string();
}

std::optional<Micros> amount_of(const json::Value& object, std::string_view name) {
  return policy::parse_decimal(text_of(object, name));
}

std::optional<BudgetRow> read_row(const json::Value& object) {
  BudgetRow row;
  row.budget = text_of(object, "budget");
  row.scope = text_of(object, "scope");
  row.unit = text_of(object, "unit");
  if (row.unit == "money") row.unit = text_of(object, "currency");
  row.period = text_of(object, "period");
  const auto limit = amount_of(object, "limit"), used = amount_of(object, "used"),
             reserved = amount_of(object, "reserved");
  if (!limit || !used || !reserved) return std::nullopt;
  row.limit = *limit;
  row.used = *used;
  row.reserved = *reserved;
  row.approved = amount_of(object, "approved_over_limit").value_or(0);
  if (const auto warn = object.find("warn"); warn && warn->is_number()) {
    row.warn_percent =
        static_cast<int>(policy::parse_decimal(warn->raw()).value_or(0) / policy::kMicrosPerUnit);
  }
  // To the second, without the microseconds that lines of the record have.
  std::string resets = text_of(object, "resets");
  if (resets.ends_with('Z')) {
    resets.pop_back();
    row.resets = audit::read_time(resets + ".000000Z");
    if (!row.resets) return std::nullopt;
  }
  return row;
}

// `part` of `whole` in `steps`, rounded down; of nothing everything is used.
size_t share(Micros part, Micros whole, size_t steps) {
  if (whole <= 0 || part >= whole) return steps;
  return static_cast<size_t>(static_cast<__int128>(part) * static_cast<__int128>(steps) / whole);
}

// `#` used, `+` held for calls that are under way, `-` free.
std::string bar_of(const BudgetRow& row) {
  const size_t used = share(row.used, row.limit, kBar);
  const size_t taken = share(row.taken(), row.limit, kBar);
  return fmt::format("[{}{}{}]", std::string(used, '#'), std::string(taken - used, '+'),
                     std::string(kBar - taken, '-'));
}

std::string_view colour_of(const BudgetRow& row, size_t percent) {
  const auto warn = static_cast<size_t>(row.warn_percent > 0 ? row.warn_percent : kWarnPercent);
  if (percent >= 100) return "\x1b[31m";
  return percent >= warn ? "\x1b[33m" : "\x1b[32m";
}

// Lines up columns; the last one is left as long as it is.
class Table {
 public:
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // Columns from `first_number` on, but the last of all, stand to the right.
  std::string text(size_t first_number) const {
    std::vector<size_t> widths;
    for (const auto& row : rows_) {
      widths.resize(std::max(widths.size(), row.size()));
      for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
    }
    std::string out;
    for (const auto& row : rows_) {
      std::string line;
      for (size_t i = 0; i < row.size(); ++i) {
        const std::string blanks(widths[i] - width(row[i]), ' ');
        if (i > 0) line += "  ";
        const bool last = i + 1 == row.size();
        line += i >= first_number ? blanks + row[i] : last ? row[i] : row[i] + blanks;
      }
      out += line + "\n";
    }
    return out;
  }

 private:
  // Colours take no room.
  static size_t width(std::string_view cell) {
    size_t count = 0;
    for (size_t i = 0; i < cell.size(); ++i) {
      if (cell[i] == '\x1b') {
        i = cell.find('m', i);
      } else if ((static_cast<unsigned char>(cell[i]) & 0xc0) != 0x80) {
        ++count;
      }
    }
    return count;
  }
  std::vector<std::vector<std::string>> rows_;
};

std::string shown(std::string_view text) { return for_terminal(text, kCell); }

void append_sums(std::string& out, std::string_view title, const SpendSums::By& by,
                 std::string_view currency) {
  Table table;
  table.add({std::string(title), "CALLS", "COST", "UNDER WAY", "TOKENS IN", "TOKENS OUT"});
  const auto money = [&](Micros amount) {
    return fmt::format("{} {}", policy::format_decimal(amount), currency);
  };
  std::vector<std::pair<std::string_view, const Spent*>> rows;
  for (const auto& [name, spent] : by) rows.emplace_back(name, &spent);
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return std::pair(b.second->total(), a.first) < std::pair(a.second->total(), b.first);
  });
  for (const auto& [name, spent] : rows) {
    table.add({shown(name), fmt::to_string(spent->calls), money(spent->cost),
               money(spent->reserved), fmt::to_string(spent->tokens_in),
               fmt::to_string(spent->tokens_out)});
  }
  out += "\n" + table.text(1);
}

}  // namespace

std::optional<std::vector<BudgetRow>> read_budgets(std::string_view json) {
  json::Parser parser;
  const auto root = parser.parse(json);
  const auto list = root && root->is_object() ? root->find("budgets") : std::nullopt;
  if (!list || !list->is_array()) return std::nullopt;
  std::vector<BudgetRow> rows;
  for (const json::Value item : list->items()) {
    auto row = item.is_object() ? read_row(item) : std::nullopt;
    if (!row) return std::nullopt;
    rows.push_back(std::move(*row));
  }
  return rows;
}

std::string time_until(policy::Time then, policy::Time now) {
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(then - now).count();
  if (left <= 0) return "now";
  const auto two = [](int64_t large, const char* of, int64_t small, const char* rest) {
    return small == 0 ? fmt::format("in {} {}", large, of)
                      : fmt::format("in {} {} {} {}", large, of, small, rest);
  };
  if (left < 60) return fmt::format("in {} s", left);
  if (left < 3600) return two(left / 60, "min", left % 60, "s");
  if (left < 86'400) return two(left / 3600, "h", left % 3600 / 60, "min");
  return two(left / 86'400, "d", left % 86'400 / 3600, "h");
}

std::string budget_table(std::span<const BudgetRow> rows, policy::Time now, Look look) {
  if (rows.empty()) return "no budget is meant\n";
  Table table;
  std::vector<std::string> head = {"BUDGET", "OF"};
  if (look.bars) head.emplace_back("");
  for (const char* name : {"USED", "SPENT", "UNDER WAY", "LIMIT", "BEGINS ANEW"}) {
    head.emplace_back(name);
  }
  const bool approved =
      std::any_of(rows.begin(), rows.end(), [](const BudgetRow& row) { return row.approved > 0; });
  if (approved) head.insert(head.end() - 1, "APPROVED OVER IT");
  table.add(head);
  for (const BudgetRow& row : rows) {
    const size_t percent =
        row.limit <= 0 ? 100
                       : static_cast<size_t>(static_cast<__int128>(row.taken()) * 100 / row.limit);
    const std::string_view colour = look.colour ? colour_of(row, percent) : "";
    const std::string_view plain = look.colour ? "\x1b[0m" : "";
    std::vector<std::string> cells = {shown(row.budget), shown(row.scope)};
    if (look.bars) cells.push_back(fmt::format("{}{}{}", colour, bar_of(row), plain));
    cells.push_back(fmt::format("{}{} %{}", colour, percent, plain));
    cells.push_back(policy::format_decimal(row.used));
    cells.push_back(policy::format_decimal(row.reserved));
    cells.push_back(fmt::format(
        "{} {}{}", policy::format_decimal(row.limit), shown(row.unit),
        row.period == "total" ? " in total" : fmt::format(" per {}", shown(row.period))));
    if (approved) cells.push_back(policy::format_decimal(row.approved));
    cells.push_back(row.resets ? time_until(*row.resets, now) : "never");
    table.add(std::move(cells));
  }
  return table.text(look.bars ? 3 : 2);
}

std::string spent_tables(const SpendSums& sums, std::string_view currency) {
  if (sums.agents.empty()) return "\nthe record has no such call that went out\n";
  std::string out;
  append_sums(out, "AGENT", sums.agents, currency);
  append_sums(out, "TEAM", sums.teams, currency);
  append_sums(out, "UPSTREAM", sums.upstreams, currency);
  return out;
}

}  // namespace reeve::commands
