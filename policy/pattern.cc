// Patterns: compiled once, matched often. See pattern.h for what they mean.
//
// A glob is a list of tokens; on a mismatch the scan goes back to the last star only, which is
// enough because an earlier star can take nothing that the last one cannot. Paths do the same one
// level up, with segments for tokens and `**` for the star.
//
// Tested by tests/policy/matcher_test.cc.
#include "policy/pattern.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/expression.h"
#include "policy/text.h"
#include "policy/words.h"

namespace reeve::policy {

namespace {

constexpr size_t kLongestPattern = 4096;
constexpr std::string_view kRegexMark = "re:";
constexpr size_t kNone = std::string_view::npos;

bool is_special(char c) { return std::string_view("*?[]{}\\").find(c) != kNone; }

}  // namespace

// Reads the characters of a glob, escapes resolved, and appends tokens.
class Pattern::Scanner {
 public:
  Scanner(Pattern& pattern, std::string_view whole) : pattern_(pattern), whole_(whole) {}

  // Adds the tokens of `part`; empty on success, else what is wrong.
  std::string scan(std::string_view part) {
    bool literal_open = false;
    for (size_t at = 0; at < part.size(); ++at) {
      const char c = part[at];
      if (c == '*') {
        add({Op::kRun, 0, 0});
        literal_open = false;
      } else if (c == '?') {
        add({Op::kOne, 0, 0});
        literal_open = false;
      } else if (c == '[' || c == ']' || c == '{' || c == '}') {
        return fmt::format(
            "`{}` in the glob `{}` has no meaning; write `\\{}` for the character, "
            "or an expression with `re:`",
            c, shown(whole_), c);
      } else {
        if (c == '\\' && (++at == part.size() || !is_special(part[at]))) {
          return fmt::format(
              "`\\` in the glob `{}` is before no special character; write `\\\\` "
              "for a backslash",
              shown(whole_));
        }
        if (!literal_open) {
          pattern_.tokens_.push_back(
              {Op::kLiteral, static_cast<uint32_t>(pattern_.literals_.size()), 0});
        }
        literal_open = true;
        pattern_.literals_ += part[at];
        ++pattern_.tokens_.back().size;
      }
    }
    return {};
  }

 private:
  void add(Token token) {
    const bool repeats = token.op == Op::kRun && !pattern_.tokens_.empty() &&
                         pattern_.tokens_.back().op == Op::kRun && pattern_.segments_.empty();
    if (!repeats) pattern_.tokens_.push_back(token);
  }

  Pattern& pattern_;
  std::string_view whole_;
};

Result<Pattern> Pattern::compile(std::string_view text, Syntax syntax) {
  Pattern pattern;
  if (text.empty()) return Error{"an empty pattern; write a name or `*`"};
  if (text.size() > kLongestPattern) {
    return Error{fmt::format("pattern `{}` is longer than {} bytes; shorten it", shown(text),
                             kLongestPattern)};
  }
  Result<bool> compiled = text.starts_with(kRegexMark)
                              ? pattern.compile_regex(text.substr(kRegexMark.size()))
                          : syntax == Syntax::kText ? pattern.compile_glob(text)
                                                    : pattern.compile_path(text);
  if (!compiled) return std::move(compiled.error());
  pattern.trim();
  return pattern;
}

// A policy holds tens of thousands of patterns, most of them without a wildcard in the middle.
void Pattern::trim() {
  if (shape_ != Shape::kGlob && shape_ != Shape::kPath) {
    tokens_.clear();
    segments_.clear();
  }
  literals_.shrink_to_fit();
  tokens_.shrink_to_fit();
  segments_.shrink_to_fit();
}

Result<bool> Pattern::compile_regex(std::string_view text) {
  Result<Expression> expression = Expression::compile(text);
  if (!expression) {
    return Error{fmt::format("`{}` is not a valid RE2 expression ({}); correct it", shown(text),
                             shown(expression.error().message))};
  }
  shape_ = Shape::kRegex;
  literals_ = expression->prefix();
  prefix_size_ = static_cast<uint32_t>(literals_.size());
  expression_ = std::make_shared<const Expression>(std::move(*expression));
  return true;
}

Result<bool> Pattern::compile_glob(std::string_view text) {
  Scanner scanner(*this, text);
  if (std::string fault = scanner.scan(text); !fault.empty()) return Error{std::move(fault)};
  if (tokens_.front().op == Op::kLiteral) prefix_size_ = tokens_.front().size;
  if (tokens_.size() == 1 && tokens_.front().op == Op::kLiteral) {
    shape_ = Shape::kExact;
  } else if (tokens_.back().op == Op::kRun &&
             (tokens_.size() == 1 || (tokens_.size() == 2 && prefix_size_ > 0))) {
    shape_ = Shape::kPrefix;
  } else {
    shape_ = Shape::kGlob;
    if (tokens_.back().op == Op::kLiteral) suffix_size_ = tokens_.back().size;
    one_run_ = has_one_run();
  }
  return true;
}

Result<bool> Pattern::compile_path(std::string_view text) {
  if (text.front() != '/') {
    return Error{fmt::format("path `{}` must begin with `/`", shown(text))};
  }
  const std::string_view whole = text;
  const auto never = [&](std::string_view why) {
    return Error{fmt::format("path `{}` can never match: {}; remove it", shown(whole), why)};
  };
  if (text.ends_with("//")) return never("an empty segment is malformed");
  if (text.size() > 1 && text.back() == '/') text.remove_suffix(1);
  while (text.ends_with("/**/**")) text.remove_suffix(3);
  Scanner scanner(*this, whole);
  bool is_literal = true;      // so far
  uint32_t last_wild_end = 0;  // in literals_: the suffix begins here
  while (text.size() > 1) {
    const size_t end = std::min(text.find('/', 1), text.size());
    const std::string_view part = text.substr(1, end - 1);
    text.remove_prefix(end);
    if (part.empty()) return never("an empty segment is malformed");
    if (part == "." || part == "..") return never("a dot segment is malformed");
    if (part == "**") {
      if (!segments_.empty() && segments_.back().any) continue;
      // What follows begins with a slash; so does the prefix, unless nothing follows.
      if (is_literal && !text.empty()) literals_ += '/';
      if (is_literal) prefix_size_ = static_cast<uint32_t>(literals_.size());
      is_literal = false;
      segments_.push_back({true, 0, 0});
      last_wild_end = static_cast<uint32_t>(literals_.size());
      continue;
    }
    if (part.find("**") != kNone && part.find("\\") == kNone) {
      return Error{
          fmt::format("`**` in the path `{}` stands for whole segments; write `*` within "
                      "one",
                      shown(whole))};
    }
    literals_ += '/';
    const auto segment_at = static_cast<uint32_t>(literals_.size());
    Segment segment{false, static_cast<uint32_t>(tokens_.size()), 0};
    if (std::string fault = scanner.scan(part); !fault.empty()) return Error{std::move(fault)};
    segment.end = static_cast<uint32_t>(tokens_.size());
    segments_.push_back(segment);
    uint32_t position = segment_at;
    for (const Token& token : tokens_of(segment)) {
      if (token.op == Op::kLiteral) {
        position = token.begin + token.size;
        continue;
      }
      if (is_literal) prefix_size_ = position;
      is_literal = false;
      last_wild_end = position;
    }
  }
  if (is_literal) {
    if (literals_.empty()) literals_ = "/";
    shape_ = Shape::kExact;
    prefix_size_ = static_cast<uint32_t>(literals_.size());
    return true;
  }
  const bool ends_in_any = segments_.back().any;
  const bool tree = ends_in_any && literals_.size() == prefix_size_ &&
                    std::count_if(segments_.begin(), segments_.end(),
                                  [](const Segment& s) { return s.any; }) == 1 &&
                    std::all_of(tokens_.begin(), tokens_.end(),
                                [](const Token& t) { return t.op == Op::kLiteral; });
  shape_ = tree ? Shape::kTree : Shape::kPath;
  if (!tree) suffix_size_ = static_cast<uint32_t>(literals_.size()) - last_wild_end;
  one_run_ = has_one_run() && std::none_of(segments_.begin(), segments_.end(),
                                           [](const Segment& s) { return s.any; });
  return true;
}

bool Pattern::has_one_run() const {
  const auto is_wild = [](const Token& token) { return token.op != Op::kLiteral; };
  const auto wild = std::find_if(tokens_.begin(), tokens_.end(), is_wild);
  return wild != tokens_.end() && wild->op == Op::kRun &&
         std::none_of(wild + 1, tokens_.end(), is_wild);
}

std::span<const Pattern::Token> Pattern::tokens_of(const Segment& segment) const {
  return std::span(tokens_).subspan(segment.begin, segment.end - segment.begin);
}

bool Pattern::matches(std::string_view text) const {
  return begins_with(text, prefix()) && matches_rest(text);
}

bool Pattern::matches_rest(std::string_view text) const {
  switch (shape_) {
    case Shape::kExact:
      return text.size() == prefix_size_;
    case Shape::kPrefix:
      return true;
    case Shape::kTree:
      return text.size() == prefix_size_ || text[prefix_size_] == '/';
    case Shape::kGlob:
      if (!ends_with(text, suffix())) return false;
      return one_run_ ? text.size() >= prefix_size_ + suffix_size_ : match_tokens(tokens_, text);
    case Shape::kPath:
      if (!ends_with(text, suffix())) return false;
      return one_run_ ? match_segment_run(text) : match_path(text);
    case Shape::kRegex:
      return expression_->matches_rest(text);
  }
  return false;
}

// `/a/*/b`: what the star takes has no slash. The root has no segment at all.
bool Pattern::match_segment_run(std::string_view path) const {
  const size_t around = prefix_size_ + suffix_size_;
  return path.size() >= around && path.size() > 1 &&
         path.substr(prefix_size_, path.size() - around).find('/') == kNone;
}

uint64_t Pattern::cost(size_t size) const {
  const bool is_plain =
      shape_ == Shape::kExact || shape_ == Shape::kPrefix || shape_ == Shape::kTree || one_run_;
  if (is_plain) return 1;
  const uint64_t states = expression_ ? expression_->state_count()
                                      : tokens_.size() + segments_.size() + literals_.size();
  return (states + 1) * (size + 1) / 4;
}

bool Pattern::match_tokens(std::span<const Token> tokens, std::string_view text) const {
  size_t token = 0;
  size_t at = 0;
  size_t star = kNone;  // the last kRun seen, and where its run ends so far
  size_t star_at = 0;
  while (true) {
    if (token < tokens.size() && tokens[token].op == Op::kRun) {
      star = token++;
      star_at = at;
      if (token == tokens.size()) return true;
      continue;
    }
    if (token == tokens.size()) {
      if (at == text.size()) return true;
    } else if (tokens[token].op == Op::kOne) {
      if (at < text.size()) {
        at = std::min(at + utf8_length(text[at]), text.size());
        ++token;
        continue;
      }
    } else {
      const std::string_view literal(literals_.data() + tokens[token].begin, tokens[token].size);
      if (text.substr(at).starts_with(literal)) {
        at += literal.size();
        ++token;
        continue;
      }
    }
    if (star == kNone || star_at >= text.size()) return false;
    star_at += utf8_length(text[star_at]);
    at = std::min(star_at, text.size());
    token = star + 1;
  }
}

bool Pattern::match_path(std::string_view path) const {
  const auto segment_end = [&](size_t at) { return std::min(path.find('/', at + 1), path.size()); };
  size_t segment = 0;
  size_t at = path == "/" ? path.size() : 0;  // before the slash of the next segment, or the end
  size_t star = kNone;
  size_t star_at = 0;
  while (true) {
    if (segment < segments_.size() && segments_[segment].any) {
      star = segment++;
      star_at = at;
      continue;
    }
    if (segment == segments_.size()) {
      if (at == path.size() || segments_.back().any) return true;
    } else if (at < path.size()) {
      const size_t end = segment_end(at);
      if (match_tokens(tokens_of(segments_[segment]), path.substr(at + 1, end - at - 1))) {
        at = end;
        ++segment;
        continue;
      }
    }
    if (star == kNone || star_at >= path.size()) return false;
    star_at = segment_end(star_at);
    at = star_at;
    segment = star + 1;
  }
}

}  // namespace reeve::policy
