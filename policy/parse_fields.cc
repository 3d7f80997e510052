// Fields and scalars of the policy language, with the messages that people see most.
//
// The table of names that are known but have no effect yet stands here, alone: a feature goes live
// by losing its line. Tested by tests/policy/parse_test.cc and the files of
// tests/data/policies/bad.
#include "policy/parse_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "policy/text.h"

namespace reeve::policy {

namespace {

struct NotYet {
  std::string_view what;  // the mapping it would stand in
  std::string_view key;
};

constexpr NotYet kNotYet[] = {
    {"policy", "approvers"},   {"policy", "guards"},
    {"policy", "servers"},     {"policy", "unknown_model"},
    {"agent", "probation"},    {"agent", "review"},
    {"identity", "spiffe"},    {"identity", "jwt"},
    {"identity", "unix_uid"},  {"role", "ask"},
    {"role", "limits"},        {"role", "guards"},
    {"rule", "mode"},          {"rule", "guards"},
    {"rule", "audit"},         {"rule", "connect"},
    {"rule", "models"},        {"rule", "approvers"},
    {"rule", "within"},        {"budget", "warn"},
    {"budget", "models"},      {"budget", "connect"},
    {"budget", "when"},        {"budget", "approvers"},
    {"budget", "within"},      {"price", "models"},
    {"price", "connect"},      {"price", "when"},
    {"price", "since"},        {"price", "context"},
    {"price", "max_output"},   {"price", "input"},
    {"price", "cached_input"}, {"price", "cache_write"},
    {"price", "output"},
};

bool is_not_yet(std::string_view what, std::string_view key) {
  return std::any_of(std::begin(kNotYet), std::end(kNotYet),
                     [&](const NotYet& entry) { return entry.what == what && entry.key == key; });
}

}  // namespace

void FileReader::error(const yaml::Mark& mark, std::string message) {
  diagnostics.error(yaml.place(mark), std::move(message));
}

void FileReader::warning(const yaml::Mark& mark, std::string message) {
  diagnostics.warning(yaml.place(mark), std::move(message));
}

void report_not_yet(FileReader& reader, const yaml::Mark& mark, std::string_view feature) {
  reader.error(mark, fmt::format("`{}` is not yet supported by this version; remove it", feature));
}

Fields::Fields(FileReader& reader, const yaml::Node& node, std::string_view what,
               std::initializer_list<std::string_view> keys)
    : reader_(reader), node_(node), valid_(node.is_mapping()) {
  if (!valid_) {
    reader.error(node.mark, fmt::format("{} must be a mapping of `key: value`", what));
    return;
  }
  for (const yaml::Node::Member& member : node.members) {
    if (is_not_yet(what, member.key)) {
      report_not_yet(reader, member.key_mark, member.key);
      complete_ = false;
    } else if (std::find(keys.begin(), keys.end(), member.key) != keys.end()) {
      known_.push_back(&member);
    } else {
      std::vector<std::string> candidates(keys.begin(), keys.end());
      for (const NotYet& entry : kNotYet) {
        if (entry.what == what) candidates.emplace_back(entry.key);
      }
      const std::string suggestion = nearest(member.key, candidates);
      reader.error(member.key_mark, suggestion.empty()
                                        ? fmt::format("unknown key `{}` in this {}; it takes {}",
                                                      shown(member.key), what, listed(keys))
                                        : fmt::format("unknown key `{}`; did you mean `{}`?",
                                                      shown(member.key), suggestion));
    }
  }
}

const yaml::Node* Fields::find(std::string_view key) const {
  for (const yaml::Node::Member* member : known_) {
    if (member->key == key) return &member->value;
  }
  return nullptr;
}

Text Fields::text(std::string_view key) const {
  const yaml::Node* node = find(key);
  return node ? read_text(reader_, *node, key) : Text{};
}

bool Fields::boolean(std::string_view key) const {
  const yaml::Node* node = find(key);
  if (!node) return false;
  if (node->is_scalar() && !node->quoted && (node->text == "true" || node->text == "false")) {
    return node->text == "true";
  }
  reader_.error(node->mark, fmt::format("`{}` must be `true` or `false`", key));
  return false;
}

Text read_text(FileReader& reader, const yaml::Node& node, std::string_view what) {
  const At at = reader.at(node.mark);
  if (!node.is_scalar() || node.text.empty()) {
    reader.error(node.mark, fmt::format("`{}` must be text; write a value", what));
    return {{}, at};
  }
  if (const char* fault = hidden_character(node.text)) {
    reader.error(node.mark, fmt::format("`{}` holds {}; remove it", what, fault));
    return {{}, at};
  }
  return {node.text, at};
}

std::vector<Text> read_texts(FileReader& reader, const yaml::Node& node, std::string_view what) {
  std::vector<Text> texts;
  if (!node.is_sequence()) {
    Text text = read_text(reader, node, what);
    if (!text.empty()) texts.push_back(std::move(text));
    return texts;
  }
  if (node.items.empty()) {
    reader.error(node.mark,
                 fmt::format("empty list of `{}`; name at least one, or remove the key", what));
  }
  for (const yaml::Node& item : node.items) {
    Text text = read_text(reader, item, what);
    if (!text.empty()) texts.push_back(std::move(text));
  }
  return texts;
}

std::string read_word(FileReader& reader, const Text& text, std::string_view what,
                      std::initializer_list<std::string_view> words) {
  if (std::find(words.begin(), words.end(), text.value) != words.end()) return text.value;
  const std::string suggestion = nearest(text.value, {words.begin(), words.end()});
  reader.error({text.at.line, text.at.column},
               suggestion.empty() ? fmt::format("unknown {} `{}`; it is one of {}", what,
                                                shown(text.value), listed(words))
                                  : fmt::format("unknown {} `{}`; did you mean `{}`?", what,
                                                shown(text.value), suggestion));
  return {};
}

std::optional<Time> read_day_end(FileReader& reader, const Text& text) {
  const std::string& day = text.value;
  const auto digits = [&](size_t at, size_t count) -> std::optional<int> {
    int value = 0;
    for (size_t i = at; i < at + count; ++i) {
      if (day[i] < '0' || day[i] > '9') return std::nullopt;
      value = value * 10 + (day[i] - '0');
    }
    return value;
  };
  if (day.size() == 10 && day[4] == '-' && day[7] == '-') {
    const auto y = digits(0, 4), m = digits(5, 2), d = digits(8, 2);
    if (y && m && d) {
      const std::chrono::year_month_day date{std::chrono::year(*y),
                                             std::chrono::month(static_cast<unsigned>(*m)),
                                             std::chrono::day(static_cast<unsigned>(*d))};
      if (date.ok()) return Time(std::chrono::sys_days(date) + std::chrono::days(1));
    }
  }
  reader.error({text.at.line, text.at.column},
               fmt::format("`{}` is no day; write it as `2027-03-31`", shown(day)));
  return std::nullopt;
}

namespace {

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const size_t begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    const size_t end = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

bool is_currency(std::string_view word) {
  return word.size() == 3 &&
         std::all_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// A decimal amount, with a message for each way to get it wrong.
std::optional<Micros> read_decimal(FileReader& reader, const Text& text, std::string_view word) {
  const yaml::Mark mark{text.at.line, text.at.column};
  if (word.starts_with('-')) {
    reader.error(mark, fmt::format("negative amount `{}`; write 0 or more", shown(text.value)));
    return std::nullopt;
  }
  const size_t point = word.find('.');
  const bool is_number = !word.empty() && word.find_first_not_of("0123456789.") == word.npos;
  if (is_number && point != word.npos && word.size() - point - 1 > 6) {
    reader.error(mark, fmt::format("`{}` has more than six decimals; round it", shown(text.value)));
    return std::nullopt;
  }
  const std::optional<Micros> amount = parse_decimal(word);
  constexpr size_t kMostDigits = 12;
  if (!amount && is_number && std::min(point, word.size()) > kMostDigits) {
    reader.error(mark, fmt::format("`{}` is too large; write at most 9223372036854", shown(word)));
  } else if (!amount) {
    reader.error(mark, fmt::format("`{}` is no amount; write it as `20` or `0.005`", shown(word)));
  }
  return amount;
}

std::optional<Period> to_period(std::string_view word) {
  for (int i = 0; i <= static_cast<int>(Period::kTotal); ++i) {
    if (to_string(static_cast<Period>(i)) == word) return static_cast<Period>(i);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Amount> read_money(FileReader& reader, const Text& text) {
  const yaml::Mark mark{text.at.line, text.at.column};
  const auto words = words_of(text.value);
  if (words.size() == 1) {
    reader.error(mark, fmt::format("amount `{}` without a unit; write it as `0.005 USD`",
                                   shown(text.value)));
    return std::nullopt;
  }
  if (words.size() != 2 || !is_currency(words[1])) {
    reader.error(mark, fmt::format("`{}` is no amount of money; write it as `0.005 USD`",
                                   shown(text.value)));
    return std::nullopt;
  }
  const std::optional<Micros> amount = read_decimal(reader, text, words[0]);
  if (!amount) return std::nullopt;
  return Amount{*amount, std::string(words[1])};
}

std::optional<Limit> read_limit(FileReader& reader, const Text& text) {
  const yaml::Mark mark{text.at.line, text.at.column};
  const auto words = words_of(text.value);
  const auto malformed = [&](std::string_view why) {
    reader.error(mark, fmt::format("`{}` {}; write it as `20 USD per day` or `100 calls per hour`",
                                   shown(text.value), why));
    return std::nullopt;
  };
  if (words.empty()) return malformed("is no limit");
  if (words.size() == 1 || words[1] == "per") return malformed("is an amount without a unit");
  const bool total = words.size() == 3 && words[2] == "total";
  if (!total && (words.size() != 4 || words[2] != "per")) return malformed("is no limit");
  Limit limit;
  limit.at = text.at;
  const std::optional<Period> period = to_period(words.back());
  if (!period) {
    std::vector<std::string> periods;
    for (int i = 0; i <= static_cast<int>(Period::kTotal); ++i) {
      periods.emplace_back(to_string(static_cast<Period>(i)));
    }
    const std::string suggestion = nearest(words.back(), periods);
    reader.error(mark, suggestion.empty()
                           ? fmt::format("unknown period `{}`; it is one of minute, hour, day, "
                                         "week, month, quarter, year, total",
                                         shown(words.back()))
                           : fmt::format("unknown period `{}`; did you mean `{}`?",
                                         shown(words.back()), suggestion));
    return std::nullopt;
  }
  limit.period = *period;
  if (words[1] == "tokens" || words[1] == "token") {
    report_not_yet(reader, mark, "tokens");
    return std::nullopt;
  }
  const bool calls = words[1] == "calls" || words[1] == "call";
  if (!calls && !is_currency(words[1])) return malformed("has no unit that is known");
  const std::optional<Micros> amount = read_decimal(reader, text, words[0]);
  if (!amount) return std::nullopt;
  if (calls && *amount % kMicrosPerUnit != 0) return malformed("is a part of a call");
  limit.amount = *amount;
  limit.unit = calls ? Unit::kCalls : Unit::kMoney;
  if (!calls) limit.currency = std::string(words[1]);
  return limit;
}

}  // namespace reeve::policy
