// See guard.h: the walk through a value, and the places on the way. A place is followed as a small
// machine: a state is a place and how many of its steps were taken. Recursion is as deep as the
// parser lets values be nested.
#include <fmt/format.h>

#include <algorithm>

#include "policy/guard.h"
#include "policy/guard_chars.h"

namespace reeve::policy {

namespace {

constexpr const char* kVariant = "a key that equals, but for case, one that a guard reads";
constexpr std::string_view kProtocolKeys[] = {"requestState",  "nextCursor", "taskId",
                                              "progressToken", "requestId",  "resultType"};
constexpr std::string_view kColumnKeys[] = {"columns", "headers",      "header",
                                            "fields",  "column_names", "columnNames"};

// Whether a member of an MCP result or of a notification's `params` is a token of the protocol.
bool is_protocol(std::string_view key, const json::Value& value) {
  return (value.is_string() || value.is_number()) &&
         std::find(std::begin(kProtocolKeys), std::end(kProtocolKeys), key) !=
             std::end(kProtocolKeys);
}

// Whether a row says the names of the columns again.
bool is_head(const json::Value& row, const std::vector<std::string>& columns) {
  if (!row.is_array() || row.size() != columns.size()) return false;
  size_t at = 0;
  for (const json::Value name : row.items()) {
    if (!name.is_string() || !name.equals(columns[at++])) return false;
  }
  return true;
}

}  // namespace

// Every place from its beginning, besides `states`; all of them lie on top of states_.
GuardExaminer::Range GuardExaminer::add_roots(Range states) {
  const size_t begin = states_.size();
  for (size_t i = states.begin; i < states.end; ++i) states_.push_back(State(states_[i]));
  for (size_t i = 0; i < places_.size(); ++i) states_.push_back({static_cast<uint16_t>(i), 0});
  return {begin, states_.size()};
}

// The states behind a step by this key, or to this item, or to a cell that has both.
GuardExaminer::Range GuardExaminer::advance(Range states, std::string_view key,
                                            const size_t* index) {
  const size_t begin = states_.size();
  for (size_t i = states.begin; i < states.end; ++i) {
    const State state = states_[i];
    const std::vector<Step>& steps = places_[state.place].ref->steps;
    if (state.step >= steps.size()) continue;
    const Step& step = steps[state.step];
    const bool goes = step.every || (index && step.index == *index) ||
                      ((!index || !key.empty()) && step.key == key);
    if (goes) states_.push_back({state.place, static_cast<uint16_t>(state.step + 1)});
  }
  return {begin, states_.size()};
}

bool GuardExaminer::has_variants(const json::Value& object, Range states) const {
  for (size_t i = states.begin; i < states.end; ++i) {
    const std::vector<Step>& steps = places_[states_[i].place].ref->steps;
    if (states_[i].step >= steps.size()) continue;
    const Step& step = steps[states_[i].step];
    if (!step.every && object.look_up(step.key, step.hash).has_variant) return true;
  }
  return false;
}

void GuardExaminer::visit(const json::Value& value, Range states, std::string_view label,
                          Document& document) {
  if (in_doubt()) return;
  if (document.also_root == value.offset()) states = add_roots(states);
  if (visit_place(value, states, label, document)) return;
  switch (value.type()) {
    case json::Type::kString:
      return visit_string(value, label, document);
    case json::Type::kNumber:
      return visit_number(value, label, document);
    case json::Type::kObject:
      return visit_object(value, states, document);
    case json::Type::kArray:
      return visit_array(value, states, label, document);
    default:
      return;
  }
}

// Whether a place ends here and its value goes. Null holds nothing.
bool GuardExaminer::visit_place(const json::Value& value, Range states, std::string_view label,
                                Document& document) {
  bool redact = false;
  for (size_t i = states.begin; i < states.end && !value.is_null(); ++i) {
    const Place& place = places_[states_[i].place];
    if (states_[i].step == place.ref->steps.size()) {
      redact = hit(*place.guard, place.ref->text) || redact;
    }
  }
  if (!redact) return false;
  // Others may deny or ask for what is in it: all of it is looked at, and then replaced.
  Document inside;
  inside.depth = document.depth;
  if (value.is_object()) {
    visit_object(value, states, inside);
  } else if (value.is_array()) {
    visit_array(value, states, label, inside);
  } else {
    visit(value, {0, 0}, label, inside);
  }
  std::string mark;
  json::append_string(mark, redaction_mark("field"));
  const size_t begin = value.offset() - document.base;
  document.edits.push_back({begin, begin + value.raw().size(), std::move(mark)});
  return true;
}

void GuardExaminer::visit_object(const json::Value& value, Range states, Document& document) {
  if (has_variants(value, states)) return doubt(kVariant);
  const bool mcp_result = document.mcp_result;
  document.mcp_result = false;
  std::vector<std::string> columns;
  if (!places_.empty()) find_columns(value, columns);
  std::string scratch;
  for (const json::Member member : value.members()) {
    if (in_doubt()) return;
    const std::string_view key = member.key.text(scratch);
    if (mcp_result && is_protocol(key, member.value)) continue;
    const size_t mark = states_.size();
    Range next = advance(states, key, nullptr);
    if (mcp_result && key == "structuredContent") next = add_roots(next);
    if (!columns.empty() && member.value.is_array()) {
      if (!visit_place(member.value, next, key, document)) {
        visit_rows(member.value, columns, next, document);
      }
    } else {
      visit(member.value, next, key, document);
    }
    states_.resize(mark);
    visit_key(member.key, document);
  }
}

void GuardExaminer::visit_array(const json::Value& value, Range states, std::string_view label,
                                Document& document) {
  // Rows under a first row of names.
  if (!places_.empty() && value.size() > 1) {
    const json::Value first = *value.items().begin();
    std::vector<std::string> columns;
    bool is_head = first.is_array();
    bool named = false;
    if (is_head) {
      for (const json::Value name : first.items()) {
        std::string scratch;
        is_head = is_head && name.is_string();
        if (!is_head) break;
        columns.emplace_back(name.text(scratch));
        named = names_place(columns.back()) || named;
      }
    }
    if (is_head && named && !in_doubt()) return visit_rows(value, columns, states, document);
  }
  size_t index = 0;
  for (const json::Value item : value.items()) {
    if (in_doubt()) return;
    const size_t mark = states_.size();
    visit(item, advance(states, {}, &index), label, document);
    states_.resize(mark);
    ++index;
  }
}

// The items of `rows` that are lists have their items by column; the places begin here anew.
void GuardExaminer::visit_rows(const json::Value& rows, const std::vector<std::string>& columns,
                               Range states, Document& document) {
  const size_t mark = states_.size();
  const Range rooted = add_roots(states);
  size_t index = 0;
  for (const json::Value row : rows.items()) {
    if (in_doubt()) return;
    const size_t row_mark = states_.size();
    const Range in_row = advance(rooted, {}, &index);
    if (index == 0 && is_head(row, columns)) {
      visit(row, {row_mark, row_mark}, {}, document);
    } else if (!row.is_array()) {
      visit(row, in_row, {}, document);
    } else if (!visit_place(row, in_row, {}, document)) {
      visit_cells(row, columns, in_row, document);
    }
    states_.resize(row_mark);
    ++index;
  }
  states_.resize(mark);
}

void GuardExaminer::visit_cells(const json::Value& row, const std::vector<std::string>& columns,
                                Range states, Document& document) {
  size_t cell = 0;
  for (const json::Value item : row.items()) {
    const size_t mark = states_.size();
    const std::string_view name =
        cell < columns.size() ? std::string_view(columns[cell]) : std::string_view();
    visit(item, advance(states, name, &cell), name, document);
    states_.resize(mark);
    ++cell;
  }
}

// Whether a column is the last step of a place; in doubt where it only nearly is.
bool GuardExaminer::names_place(std::string_view column) {
  bool exact = false;
  for (const Place& place : places_) {
    const Step& last = place.ref->steps.back();
    if (last.every) continue;
    if (last.key == column) exact = true;
    if (last.key != column && json::equals_folded(last.key, column)) doubt(kVariant);
  }
  return exact;
}

bool GuardExaminer::find_columns(const json::Value& object, std::vector<std::string>& columns) {
  for (const std::string_view key : kColumnKeys) {
    const auto list = object.find(key);
    if (!list || !list->is_array()) continue;
    columns.clear();
    bool named = false;
    for (const json::Value item : list->items()) {
      std::optional<json::Value> name;
      if (item.is_string()) name = item;
      if (item.is_object()) name = item.find("name");
      std::string scratch;
      columns.emplace_back(name && name->is_string() ? name->text(scratch) : std::string_view());
      named = names_place(columns.back()) || named;
    }
    if (named) return true;
  }
  columns.clear();
  return false;
}

void GuardExaminer::visit_string(const json::Value& value, std::string_view label,
                                 Document& document) {
  std::string scratch;
  std::vector<Edit> edits;
  find_in_text(value.text(scratch), label, document.depth, edits);
  if (!in_doubt()) edit_string(value, edits, document);
}

// A number is looked at as it is written, and a text takes its place.
void GuardExaminer::visit_number(const json::Value& value, std::string_view label,
                                 Document& document) {
  scan(value.raw(), label, kinds_);
  if (in_doubt() || spans_.empty()) return;
  std::string mark;
  json::append_string(mark, redaction_mark(spans_.front().what));
  const size_t begin = value.offset() - document.base;
  document.edits.push_back({begin, begin + value.raw().size(), std::move(mark)});
}

// Marks of keys are counted, so that no two become one.
void GuardExaminer::visit_key(const json::Value& key, Document& document) {
  if (in_doubt()) return;
  std::string scratch;
  scan(key.text(scratch), {}, kinds_);
  std::vector<Edit> edits;
  for (const Span& span : spans_) {
    const std::string what = fmt::format("{} #{}", span.what, ++key_marks_);
    edits.push_back({span.begin, span.end, redaction_mark(what)});
  }
  if (!in_doubt()) edit_string(key, edits, document);
}

}  // namespace reeve::policy
