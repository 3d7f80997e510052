// Fields and scalars of the policy language, with the messages that people see most.
// Tested by tests/policy/parse_test.cc and the files of
// tests/data/policies/bad.
#include "policy/parse_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "policy/text.h"

namespace reeve::policy {

void FileReader::error(const yaml::Mark& mark, std::string message) {
  diagnostics.error(yaml.place(mark), std::move(message));
}

void FileReader::uses(std::string_view feature, const yaml::Mark& mark) {
  document.features.push_back({feature, at(mark)});
}

Fields::Fields(FileReader& reader, const yaml::Node& node, std::string_view what,
               std::initializer_list<std::string_view> keys)
    : reader_(reader), node_(node), valid_(node.is_mapping()) {
  if (!valid_) {
    reader.error(node.mark, fmt::format("{} must be a mapping of `key: value`", what));
    return;
  }
  for (const yaml::Node::Member& member : node.members) {
    if (std::find(keys.begin(), keys.end(), member.key) != keys.end()) {
      known_.push_back(&member);
    } else {
      const std::vector<std::string> candidates(keys.begin(), keys.end());
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

std::optional<uint64_t> Fields::whole_number(std::string_view key, uint64_t least) const {
  const Text text = this->text(key);
  if (text.empty()) return std::nullopt;
  uint64_t number = 0;
  const char* const end = text.value.data() + text.value.size();
  const auto [stop, code] = std::from_chars(text.value.data(), end, number);
  constexpr uint64_t kMost = 1'000'000'000'000;
  if (code == std::errc() && stop == end && number >= least && number <= kMost) return number;
  reader_.error(mark_of(text), fmt::format("`{}` must be a whole number from {}, not `{}`", key,
                                           least, shown(text.value)));
  return std::nullopt;
}

yaml::Mark mark_of(const Text& text) { return {text.at.line, text.at.column}; }

Text read_text(FileReader& reader, const yaml::Node& node, std::string_view what) {
  const At at = reader.at(node.mark);
  if (!node.is_scalar() || node.text.empty()) {
    const char* form = node.is_sequence() ? ", not a list" : node.is_mapping() ? ", not a map" : "";
    reader.error(node.mark, fmt::format("`{}` must be text{}; write one value", what, form));
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
  reader.error(mark_of(text), suggestion.empty()
                                  ? fmt::format("unknown {} `{}`; it is one of {}", what,
                                                shown(text.value), listed(words))
                                  : fmt::format("unknown {} `{}`; did you mean `{}`?", what,
                                                shown(text.value), suggestion));
  return {};
}

std::optional<Time> read_day_end(FileReader& reader, const Text& text) {
  const std::optional<Time> day = read_day(reader, text);
  if (!day) return std::nullopt;
  return *day + std::chrono::days(1);
}

std::optional<Time> read_day(FileReader& reader, const Text& text) {
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
      if (date.ok()) return Time(std::chrono::sys_days(date));
    }
  }
  reader.error(mark_of(text), fmt::format("`{}` is no day; write it as `2027-03-31`", shown(day)));
  return std::nullopt;
}

}  // namespace reeve::policy
