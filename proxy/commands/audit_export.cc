// `reeve audit export`: calls as rows, a decision with its outcome, for spreadsheets and programs.
#include <fmt/format.h>

#include <deque>
#include <unordered_map>
#include <utility>

#include "policy/json.h"
#include "proxy/audit/files.h"
#include "proxy/audit/query.h"
#include "proxy/clock.h"
#include "proxy/commands/audit.h"
#include "proxy/commands/audit_filter.h"

namespace reeve::commands {
namespace {

constexpr size_t kMostOpen = 200'000;  // calls whose outcome is still looked for
constexpr std::string_view kColumns[] = {
    "call",     "time",          "agent",    "owner",      "team",   "roles",       "session",
    "listener", "upstream",      "protocol", "action",     "target", "args_sha256", "args",
    "args_cut", "args_left_out", "decision", "reason",     "rule",   "at",          "because",
    "mode",     "budget",        "policy",   "reserved",   "status", "error",       "cost",
    "bytes_in", "bytes_out",     "ms",       "upstream_ms"};
constexpr size_t kCount = std::size(kColumns);

struct Row {
  std::string cells[kCount];  // as JSON has them: quoted texts, numbers; empty: not there
};

void fill(Row& row, const json::Value& members) {
  for (size_t i = 0; i < kCount; ++i) {
    const auto value = members.find(kColumns[i]);
    if (value && row.cells[i].empty()) row.cells[i] = std::string(value->raw());
  }
}

std::string call_of(const json::Value& members) {
  const auto value = members.find("call");
  return value ? std::string(value->raw()) : std::string();
}

class Writer {
 public:
  Writer(bool json, uint64_t limit) : json_(json), limit_(limit) {
    if (!json_) fmt::print("{}\r\n", fmt::join(kColumns, ","));
  }
  // False when no more are wanted.
  bool write(const Row& row) {
    std::string out;
    for (size_t i = 0; i < kCount; ++i) {
      if (json_) {
        if (row.cells[i].empty()) continue;
        out += out.empty() ? "{\"" : ",\"";
        out += kColumns[i];
        out += "\":";
        out += row.cells[i];
      } else {
        if (i > 0) out += ',';
        append_csv(out, row.cells[i]);
      }
    }
    fmt::print("{}{}", out, json_ ? "}\n" : "\r\n");
    return ++written_ < limit_ && std::ferror(stdout) == 0;
  }

 private:
  // RFC 4180, hidden characters escaped. A text that a spreadsheet would take for a formula is led
  // by an apostrophe.
  void append_csv(std::string& out, const std::string& cell) {
    const auto value = parser_.parse(cell);
    const bool text_or_tree =
        value && (value->is_string() || value->is_object() || value->is_array());
    if (!text_or_tree) {
      out += cell;
      return;
    }
    const std::string text =
        for_terminal(value->is_string() ? value->text(scratch_) : value->raw(), SIZE_MAX);
    out += '"';
    constexpr std::string_view kFormula = "=+-@\t\r";
    if (!text.empty() && kFormula.find(text[0]) != std::string_view::npos) out += '\'';
    for (const char c : text) {
      if (c == '"') out += '"';
      out += c;
    }
    out += '"';
  }

  const bool json_;
  const uint64_t limit_;
  uint64_t written_ = 0;
  json::Parser parser_;
  std::string scratch_;
};

// Decisions that match wait for their outcome; outcomes of others are passed over.
class Joiner {
 public:
  Joiner(audit::Query query, Writer& writer) : wanted_(std::move(query)), writer_(writer) {}

  bool take(const audit::Match& match) {
    const std::string call = call_of(match.members);
    if (match.line.kind == "decision") {
      bool matched = false;
      wanted_.look_at(match.text, [&](const audit::Match&) { return matched = true; });
      if (!matched || call.empty()) return true;
      fill(open_[call], match.members);
      order_.push_back(call);
      return order_.size() <= kMostOpen || close_oldest();
    }
    const auto found = open_.find(call);
    if (match.line.kind != "outcome" || found == open_.end()) return true;
    fill(found->second, match.members);
    const bool more = writer_.write(found->second);
    open_.erase(found);
    return more;
  }
  // Those whose outcome is not there: under way, or the sidecar died.
  void finish() {
    while (!order_.empty() && close_oldest()) {
    }
  }

 private:
  bool close_oldest() {
    const auto found = open_.find(order_.front());
    order_.pop_front();
    if (found == open_.end()) return true;
    const bool more = writer_.write(found->second);
    open_.erase(found);
    return more;
  }

  audit::Searcher wanted_;
  Writer& writer_;
  std::unordered_map<std::string, Row> open_;
  std::deque<std::string> order_;
};

// What both lines of a call have; an outcome may come a day after `until`.
audit::Query coarse(const audit::Query& query) {
  audit::Query both;
  for (const audit::Wanted& wanted : query.wanted) {
    if (wanted.name != "decision" && wanted.name != "reason" && wanted.name != "rule") {
      both.wanted.push_back(wanted);
    }
  }
  both.since = query.since;
  if (const auto until = audit::read_time(query.until)) {
    append_time(both.until, *until + std::chrono::hours(24));
  }
  return both;
}

}  // namespace

int audit_export(std::vector<std::string> args) {
  const auto options =
      with_filters({{"--csv", "", "CSV (RFC 4180) with a head; so it is without --json"}});
  const Synopsis synopsis = {
      "audit export", "[--csv | --json] [--agent A] [--since TIME] … [-c reeve.yaml | FILE…]",
      "Calls, a row each: the decision with its outcome, in the order in which they ended.",
      options, true};
  int exit_code = 0;
  const auto arguments = Arguments::parse(synopsis, args, exit_code);
  if (!arguments) return exit_code;
  if (arguments->has("--csv") && arguments->has("--json")) {
    return usage_error("audit export", "`--csv` and `--json` exclude each other");
  }
  const auto query = read_filters("audit export", *arguments);
  const auto limit = read_limit("audit export", *arguments);
  if (!query || !limit) return 2;
  const auto source = find_record("audit export", *arguments);
  if (!source) return 2;
  Writer writer(arguments->has("--json"), *limit);
  Joiner joiner(*query, writer);
  audit::Searcher searcher(coarse(*query));
  for (const std::string& file : source->files) {
    if (!searcher.search(file, [&](const audit::Match& match) { return joiner.take(match); })) {
      return 0;
    }
  }
  joiner.finish();
  return 0;
}

}  // namespace reeve::commands
