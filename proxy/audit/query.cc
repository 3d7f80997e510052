// Lines that cannot match are passed over by looking for one text in a whole block; only what is
// left is parsed. Tested by tests/proxy/audit_query_test.cc.
#include "proxy/audit/query.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "proxy/audit/backward.h"
#include "proxy/audit/files.h"
#include "proxy/audit/index.h"
#include "proxy/audit/read_range.h"
#include "proxy/audit/scan.h"
#include "proxy/clock.h"

namespace reeve::audit {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  json::append_string(out, text);
  return out.substr(1, out.size() - 2);
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::optional<std::string> read_bound(std::string_view text, policy::Time now) {
  uint64_t number = 0;
  Scan ago(text);
  ago.number(number);
  if (ago.ok() && ago.rest().size() == 1 && number < 1'000'000) {
    static constexpr std::string_view kUnits = "smhd";
    static constexpr int64_t kSeconds[] = {1, 60, 3600, 86'400};
    const size_t unit = kUnits.find(ago.rest()[0]);
    if (unit == std::string_view::npos) return std::nullopt;
    std::string out;
    append_time(out, now - std::chrono::seconds(static_cast<int64_t>(number) * kSeconds[unit]));
    return out;
  }
  std::string whole(text);
  constexpr std::string_view kForm = "2026-11-22T00:00:00.000000Z";
  if (whole.size() == 10) whole += kForm.substr(10);
  if (whole.size() == 17 && whole.back() == 'Z') whole.replace(16, 1, kForm.substr(16));
  if (whole.size() == 20 && whole.back() == 'Z') whole.replace(19, 1, kForm.substr(19));
  // A fraction of fewer digits.
  if (whole.size() > 20 && whole.size() < 27 && whole.back() == 'Z' && whole[19] == '.') {
    whole.insert(whole.size() - 1, 27 - whole.size(), '0');
  }
  if (!read_time(whole)) return std::nullopt;
  return whole;
}

Searcher::Searcher(Query query) : query_(std::move(query)) {
  for (const Wanted& wanted : query_.wanted) {
    if (wanted.name == "agent") {
      for (const std::string& value : wanted.values) agents_.push_back(escaped(value));
    }
    // The first member that is told exactly, but the kind, which half of all lines have.
    if (!needles_.empty() || wanted.name == "target" || wanted.name == "kind") continue;
    for (const std::string& value : wanted.values) {
      needles_.push_back("\"" + wanted.name + "\":\"" + escaped(value) + "\"");
    }
  }
  if (needles_.empty() && !query_.text.empty()) needles_.push_back(query_.text);
}

bool Searcher::may_match(const Index::Block& block) const {
  const std::string first(block.first.data(), 27), last(block.last.data(), 27);
  if (!query_.since.empty() && last < query_.since) return false;
  if (!query_.until.empty() && first >= query_.until) return false;
  return agents_.empty() ||
         std::any_of(agents_.begin(), agents_.end(),
                     [&](const std::string& agent) { return may_hold(block, agent); });
}

bool Searcher::search(const std::string& path, const Sink& sink, uint64_t* end) {
  const RegularFile file(path);
  if (!file.is_open()) return true;
  const Index index(path);
  std::string text;
  for (const Index::Block& block : index.blocks()) {
    if (!may_match(block) || !file.read(block.begin, block.end, text)) continue;
    if (!search_block(text, sink)) return false;
  }
  LineReader rest;
  uint64_t looked_at = index.covered();
  if (rest.open(path, index.covered())) {
    for (std::string_view line; rest.next(line, false);) {
      if (!look_at(line, sink)) return false;
      looked_at = rest.end_offset();
    }
  }
  if (end != nullptr) *end = looked_at;
  return true;
}

// Whole lines. With needles, from one to the next.
bool Searcher::search_block(std::string_view text, const Sink& sink) {
  while (!text.empty()) {
    size_t begin = 0;
    if (needles_.size() == 1) {
      const void* found =
          ::memmem(text.data(), text.size(), needles_[0].data(), needles_[0].size());
      if (found == nullptr) return true;
      const auto at = static_cast<size_t>(static_cast<const char*>(found) - text.data());
      const size_t newline = text.rfind('\n', at);
      begin = newline == std::string_view::npos ? 0 : newline + 1;
    }
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (!look_at(text.substr(begin, end - begin), sink)) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

bool Searcher::search_block_backward(std::string_view text, const Sink& sink) {
  const bool may = needles_.size() != 1 ||
                   ::memmem(text.data(), text.size(), needles_[0].data(), needles_[0].size());
  return !may ||
         each_line_backward(text, [&](std::string_view line) { return look_at(line, sink); });
}

bool Searcher::look_at(std::string_view text, const Sink& sink) {
  const auto line = read_line(text);
  if (!line) return true;
  if (!query_.since.empty() && line->time < query_.since) return true;
  if (!query_.until.empty() && line->time >= query_.until) return true;
  if (!query_.text.empty() && text.find(query_.text) == std::string_view::npos) return true;
  if (!needles_.empty() &&
      std::none_of(needles_.begin(), needles_.end(), [&](const std::string& needle) {
        return text.find(needle) != std::string_view::npos;
      })) {
    return true;
  }
  const auto members = parser_.parse(text);
  if (!members || !members->is_object() || !wants(*members)) return true;
  return sink({text, *line, *members});
}

bool Searcher::wants(const json::Value& members) {
  for (const Wanted& wanted : query_.wanted) {
    const auto value = members.find(wanted.name);
    if (!value || !value->is_string()) return false;
    const std::string_view text = value->text(scratch_);
    const bool globs = wanted.name == "target";
    const bool any = std::any_of(
        wanted.values.begin(), wanted.values.end(),
        [&](const std::string& one) { return globs ? glob_matches(one, text) : one == text; });
    if (!any) return false;
  }
  return true;
}

}  // namespace reeve::audit
