// See guard.h: texts, and what is written in place of what was found. guard_walk.cc walks through
// values and places.
#include "policy/guard.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/guard_chars.h"
#include "policy/guard_table.h"
#include "policy/json_tape.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

constexpr const char* kTooMuch = "more text than guards may look at for one call";
constexpr const char* kNotUtf8 = "a text that is not UTF-8";
constexpr const char* kTooDeep = "JSON within strings of JSON, more levels than are read";
constexpr const char* kLooseJson =
    "a text that names a guarded field, and is neither strict JSON nor a table";
constexpr const char* kMerged = "an object of which two keys are one once they are redacted";
constexpr std::string_view kField = "field";
constexpr uint32_t kFirstCustom = static_cast<uint32_t>(kGuardKindNames.size());

bool looks_at(const GuardInfo& guard, GuardExaminer::Side side) {
  return guard.on == GuardInfo::On::kBoth ||
         (guard.on == GuardInfo::On::kArguments) == (side == GuardExaminer::Side::kArguments);
}

// Whether a text can be a JSON object or array.
bool may_be_json(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != kNone && (text[first] == '{' || text[first] == '[');
}

// Whether `text` has `key` as JSON and its looser kin write it: `"key":`, `'key' :`, `key=`.
bool names_key(std::string_view text, std::string_view key) {
  for (size_t i = 0; key.size() <= text.size() && i <= text.size() - key.size(); ++i) {
    if (lower(text[i]) != lower(key[0]) || !equals_ignoring_case(text.substr(i, key.size()), key)) {
      continue;
    }
    if (i > 0 && (is_alnum(text[i - 1]) || text[i - 1] == '_')) continue;
    size_t next = i + key.size();
    while (next < text.size() &&
           (text[next] == '"' || text[next] == '\'' || text[next] == '\\' || text[next] == ' ')) {
      ++next;
    }
    if (next < text.size() && (text[next] == ':' || text[next] == '=')) return true;
  }
  return false;
}

}  // namespace

std::string redaction_mark(std::string_view what) { return fmt::format("[redacted: {}]", what); }

GuardExaminer::GuardExaminer() = default;
GuardExaminer::~GuardExaminer() = default;

void GuardExaminer::use(std::span<const GuardInfo* const> guards, Side side) {
  guards_.clear();
  customs_.clear();
  places_.clear();
  kinds_ = 0;
  for (const GuardInfo* guard : guards) {
    if (!looks_at(*guard, side)) continue;
    guards_.push_back(guard);
    kinds_ |= guard->program->kinds;
    for (const auto& expression : guard->program->expressions) {
      customs_.push_back({guard, expression.get()});
    }
    for (const ValueRef& place : guard->program->places) places_.push_back({guard, &place});
  }
}

void GuardExaminer::begin() {
  report_ = {};
  work_ = 0;
  key_marks_ = 0;
  states_.clear();
}

void GuardExaminer::doubt(const char* why) {
  if (!in_doubt()) report_.doubt = why;
}

GuardReport GuardExaminer::finish() {
  using Outcome = GuardReport::Outcome;
  const auto outcome_of = [](const GuardInfo& guard) {
    return guard.then == GuardInfo::Then::kDeny  ? Outcome::kDeny
           : guard.then == GuardInfo::Then::kAsk ? Outcome::kAsk
                                                 : Outcome::kRedact;
  };
  for (const GuardInfo* guard : guards_) {  // in the policy's order
    const bool found = std::any_of(report_.hits.begin(), report_.hits.end(),
                                   [&](const GuardHit& hit) { return hit.guard == guard; });
    if (!found) continue;
    const Outcome outcome = outcome_of(*guard);
    if (outcome == Outcome::kAsk) report_.asks.push_back(guard);
    if (outcome > report_.outcome) {
      report_.outcome = outcome;
      report_.guard = guard;
    }
  }
  if (in_doubt()) {
    report_.outcome = Outcome::kDoubt;
    report_.redacted = false;
  }
  return std::move(report_);
}

bool GuardExaminer::hit(const GuardInfo& guard, std::string_view what) {
  const auto known =
      std::find_if(report_.hits.begin(), report_.hits.end(),
                   [&](const GuardHit& hit) { return hit.guard == &guard && hit.what == what; });
  if (known == report_.hits.end()) {
    report_.hits.push_back({&guard, what, 1});
  } else {
    ++known->count;
  }
  return guard.then == GuardInfo::Then::kRedact;
}

bool GuardExaminer::hit_kind(GuardKind kind) {
  bool redact = false;
  for (const GuardInfo* guard : guards_) {
    if (guard->program->kinds & bit(kind)) redact = hit(*guard, to_string(kind)) || redact;
  }
  return redact;
}

GuardReport GuardExaminer::examine(const json::Value& value, Root root, std::string& out,
                                   std::optional<size_t> also_root) {
  begin();
  Document document;
  document.base = value.offset();
  document.mcp_result = root == Root::kMcpResult;
  document.also_root = also_root;
  visit(value, add_roots({0, 0}), {}, document);
  if (!in_doubt() && !document.edits.empty()) {
    merge(document.edits);
    out.clear();
    apply(value.raw(), document.edits, out);
    report_.redacted = true;
    // What is sent is read again: two keys may have become one.
    if (!again_.parse(out)) doubt(kMerged);
  }
  return finish();
}

GuardReport GuardExaminer::examine_text(std::string_view text, std::string_view label,
                                        std::string& out) {
  begin();
  std::vector<Edit> edits;
  find_in_text(text, label, 0, edits);
  if (!in_doubt() && !edits.empty()) {
    out.clear();
    apply(text, edits, out);
    report_.redacted = true;
  }
  return finish();
}

// What is to be replaced in a text: where it is JSON within it, where it is a table in its columns,
// and wherever something is found. Ascending and apart.
void GuardExaminer::find_in_text(std::string_view text, std::string_view label, unsigned depth,
                                 std::vector<Edit>& edits) {
  const bool is_json = find_in_json(text, label, depth, edits);
  if (in_doubt()) return;
  if (!is_json && !places_.empty()) find_in_table(text, edits);
  if (in_doubt()) return;
  // What is in the strings of JSON has been found there; only an expression reaches across them.
  scan(text, label, is_json ? GuardKinds{0} : kinds_);
  for (const Span& span : spans_)
    edits.push_back({span.begin, span.end, redaction_mark(span.what)});
  merge(edits);
}

bool GuardExaminer::find_in_json(std::string_view text, std::string_view label, unsigned depth,
                                 std::vector<Edit>& edits) {
  if (!may_be_json(text)) return false;
  while (parsers_.size() <= depth) parsers_.push_back(std::make_unique<json::Parser>());
  work_ += text.size();
  if (work_ > kWorkMost) return doubt(kTooMuch), false;
  const auto root = parsers_[depth]->parse(text);
  if (!root) return false;
  if (depth >= kNestedMost) return doubt(kTooDeep), false;
  Document document;
  document.depth = depth + 1;
  const size_t mark = states_.size();
  visit(*root, add_roots({mark, mark}), label, document);
  states_.resize(mark);
  edits = std::move(document.edits);
  return true;
}

// Columns of rows that a place leads to: `*.birth_date`, or `birth_date`, of a text with a line of
// names on top. A text that only names such a field is in doubt.
void GuardExaminer::find_in_table(std::string_view text, std::vector<Edit>& edits) {
  const std::optional<TextTable> table = TextTable::read(text);
  for (const Place& place : places_) {
    const std::vector<Step>& steps = place.ref->steps;
    const Step& last = steps.back();
    if (last.every || last.index || last.key.empty()) continue;
    std::optional<size_t> column;
    if (table) column = table->column(place.ref->text);
    const bool of_rows = steps.size() == 1 || (steps.size() == 2 && steps[0].every);
    if (table && !column && of_rows) column = table->column(last.key);
    if (column) {
      table->visit(*column, [&](size_t begin, size_t end) {
        if (!hit(*place.guard, place.ref->text)) return;
        edits.push_back({begin, end, redaction_mark(kField)});
      });
      continue;
    }
    work_ += text.size();
    if (work_ > kWorkMost) return doubt(kTooMuch);
    if (names_key(text, last.key)) return doubt(kLooseJson);
  }
}

void GuardExaminer::scan(std::string_view text, std::string_view label, GuardKinds kinds) {
  spans_.clear();
  if (!find_matches(text, label, kinds)) return;
  for (const TextMatch& match : matches_) record(match);
  merge_spans();
}

// All matches of all finders in `text`, in its own coordinates, into matches_.
bool GuardExaminer::find_matches(std::string_view text, std::string_view label, GuardKinds kinds) {
  matches_.clear();
  work_ += text.size() * (1 + customs_.size());
  if (work_ > kWorkMost || text.size() > UINT32_MAX) return doubt(kTooMuch), false;
  if (!folded_.fold(text)) return doubt(kNotUtf8), false;
  scanner_.find(folded_.text(), label, kinds, matches_);
  for (uint32_t i = 0; i < customs_.size(); ++i) find_custom(folded_.text(), i);
  for (TextMatch& match : matches_) {
    match.begin = static_cast<uint32_t>(folded_.source_begin(match.begin));
    match.end = static_cast<uint32_t>(folded_.source_end(match.end));
  }
  if (!folded_.changed()) return true;
  for (uint32_t i = 0; i < customs_.size(); ++i) find_custom(text, i);  // as it stands, too
  return true;
}

void GuardExaminer::find_custom(std::string_view text, uint32_t index) {
  size_t begin = 0;
  for (size_t end = 0; customs_[index].expression->find(text, end, begin, end);) {
    matches_.push_back(
        {static_cast<uint32_t>(begin), static_cast<uint32_t>(end), kFirstCustom + index});
  }
}

// Counts a match for the guards that look for it, and notes what is to be redacted.
void GuardExaminer::record(const TextMatch& match) {
  if (match.finder < kFirstCustom) {
    const auto kind = static_cast<GuardKind>(match.finder);
    if (hit_kind(kind)) spans_.push_back({match.begin, match.end, to_string(kind)});
    return;
  }
  const Custom& custom = customs_[match.finder - kFirstCustom];
  if (hit(*custom.guard, custom.expression->name())) {
    spans_.push_back({match.begin, match.end, custom.expression->name()});
  }
}

// Whoever begins first goes on to the end of all that overlap it.
void GuardExaminer::merge_spans() {
  std::sort(spans_.begin(), spans_.end(), [](const Span& a, const Span& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  size_t kept = 0;
  for (const Span& span : spans_) {
    if (kept > 0 && span.begin < spans_[kept - 1].end) {
      spans_[kept - 1].end = std::max(spans_[kept - 1].end, span.end);
    } else {
      spans_[kept++] = span;
    }
  }
  spans_.resize(kept);
}

// The same of edits.
void GuardExaminer::merge(std::vector<Edit>& edits) {
  std::sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  size_t kept = 0;
  for (size_t i = 0; i < edits.size(); ++i) {
    if (kept > 0 && edits[i].begin < edits[kept - 1].end) {
      edits[kept - 1].end = std::max(edits[kept - 1].end, edits[i].end);
    } else if (kept != i) {
      edits[kept++] = std::move(edits[i]);
    } else {
      ++kept;
    }
  }
  edits.resize(kept);
}

void GuardExaminer::apply(std::string_view source, const std::vector<Edit>& edits,
                          std::string& out) {
  size_t done = 0;
  for (const Edit& edit : edits) {
    out.append(source.substr(done, edit.begin - done));
    out.append(edit.text);
    done = edit.end;
  }
  out.append(source.substr(done));
}

// Edits of a string's text become edits of the source: where the text has escapes, from the
// beginning of the first to the end of the last that an edit touches.
void GuardExaminer::edit_string(const json::Value& value, const std::vector<Edit>& edits,
                                Document& document) {
  const std::string_view raw = value.raw().substr(1, value.raw().size() - 2);
  const size_t base = value.offset() + 1 - document.base;
  size_t at = 0;           // in the raw text
  size_t place = 0;        // in the text
  const auto step = [&] {  // over one byte or escape
    std::string_view unit = raw.substr(at, 1);
    size_t length = 1;
    if (unit[0] == '\\') {
      const bool is_code = raw[at + 1] == 'u';
      const bool is_pair = is_code && json::is_high_surrogate(json::hex4(raw.data() + at + 2));
      unit = raw.substr(at, is_pair ? 12 : is_code ? 6 : 2);
      length = 0;
      json::unescape(unit, [&](std::string_view piece) {
        length += piece.size();
        return true;
      });
    }
    at += unit.size();
    place += length;
  };
  for (const Edit& edit : edits) {
    size_t begin = at;
    while (place < edit.end) {
      if (place <= edit.begin) begin = at;
      step();
    }
    std::string quoted;
    json::append_string(quoted, edit.text);
    document.edits.push_back({base + begin, base + at, quoted.substr(1, quoted.size() - 2)});
  }
}

}  // namespace reeve::policy
