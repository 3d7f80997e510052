// See parse_amounts.h. Amounts are decimals, kept as integer millionths. Tested by
// tests/policy/parse_test.cc and the files of tests/data/policies/bad.
#include "policy/parse_amounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "policy/text.h"

namespace reeve::policy {

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
  const yaml::Mark mark = mark_of(text);
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
  const yaml::Mark mark = mark_of(text);
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
  const yaml::Mark mark = mark_of(text);
  const auto words = words_of(text.value);
  const auto malformed = [&](std::string_view why) {
    reader.error(mark, fmt::format("`{}` {}; write it as `20 USD per day`, `100 calls per hour` or "
                                   "`9000 tokens per day`",
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
  const bool calls = words[1] == "calls" || words[1] == "call";
  const bool tokens = words[1] == "tokens" || words[1] == "token";
  if (!calls && !tokens && !is_currency(words[1])) return malformed("has no unit that is known");
  const std::optional<Micros> amount = read_decimal(reader, text, words[0]);
  if (!amount) return std::nullopt;
  if (calls && *amount % kMicrosPerUnit != 0) return malformed("is a part of a call");
  if (tokens && *amount % kMicrosPerUnit != 0) return malformed("is a part of a token");
  if (tokens) reader.uses("tokens", mark);
  limit.amount = *amount;
  limit.unit = calls ? Unit::kCalls : tokens ? Unit::kTokens : Unit::kMoney;
  if (limit.unit == Unit::kMoney) limit.currency = std::string(words[1]);
  return limit;
}

std::optional<Amount> read_token_price(FileReader& reader, const Text& text) {
  const auto words = words_of(text.value);
  const bool per_million = words.size() == 5 && words[3] == "1M";
  const bool per_thousand = words.size() == 5 && words[3] == "1K";
  if (words.size() != 5 || !is_currency(words[1]) || words[2] != "per" || words[4] != "tokens" ||
      !(per_million || per_thousand)) {
    reader.error(mark_of(text), fmt::format("`{}` is no price of tokens; write it as `2.50 USD per "
                                            "1M tokens`",
                                            shown(text.value)));
    return std::nullopt;
  }
  std::optional<Micros> amount = read_decimal(reader, text, words[0]);
  if (amount && per_thousand) {
    amount = checked_multiply(*amount, 1000);
    if (!amount) {
      reader.error(mark_of(text), fmt::format("`{}` is too large; write at most 9223372036 per 1K",
                                              shown(text.value)));
    }
  }
  if (!amount) return std::nullopt;
  return Amount{*amount, std::string(words[1])};
}

namespace {

// `15m` in seconds; nothing when it is not of the form or out of bounds.
std::optional<std::chrono::seconds> to_duration(std::string_view word) {
  constexpr int64_t kMostSeconds = int64_t{3650} * 24 * 3600;
  int64_t count = 0;
  const char* const end = word.data() + word.size();
  const auto [unit, code] = std::from_chars(word.data(), end, count);
  if (code != std::errc() || unit + 1 != end || word.starts_with('-')) return std::nullopt;
  int64_t seconds = 0;
  switch (*unit) {
    case 's':
      seconds = 1;
      break;
    case 'm':
      seconds = 60;
      break;
    case 'h':
      seconds = 3600;
      break;
    case 'd':
      seconds = 24 * 3600;
      break;
    case 'w':
      seconds = 7 * 24 * 3600;
      break;
    default:
      return std::nullopt;
  }
  if (count < 1 || count > kMostSeconds / seconds) return std::nullopt;
  return std::chrono::seconds(count * seconds);
}

// The window of a limit: a duration, or a unit of time by its name.
std::optional<std::chrono::seconds> to_window(std::string_view word) {
  for (const auto& [name, duration] : {std::pair{"second", "1s"},
                                       {"minute", "1m"},
                                       {"hour", "1h"},
                                       {"day", "1d"},
                                       {"week", "1w"}}) {
    if (word == name) return to_duration(duration);
  }
  return to_duration(word);
}

// Singular or plural.
bool is_word(std::string_view word, std::string_view plural) {
  return word == plural || word == plural.substr(0, plural.size() - 1);
}

}  // namespace

std::optional<RateLimit> read_rate_limit(FileReader& reader, const Text& text) {
  const auto fail = [&](std::string_view why) {
    reader.error(mark_of(text),
                 fmt::format("`{}` {}; write `60 calls per minute`, `4 concurrent`, `3 repeats per "
                             "10m` or `50 steps per session`",
                             shown(text.value), why));
    return std::nullopt;
  };
  const auto words = words_of(text.value);
  if (words.empty()) return fail("is no limit");
  if (words[0].starts_with('-')) return fail("is negative");
  RateLimit limit;
  limit.text = text.value;
  const char* const end = words[0].data() + words[0].size();
  const auto [stop, code] = std::from_chars(words[0].data(), end, limit.count);
  if (code == std::errc::result_out_of_range) return fail("is above 4294967295");
  if (code != std::errc() || stop != end) return fail("does not begin with a whole number");
  if (words.size() == 1) return fail("is a number without what it counts");
  if (words.size() == 2 && words[1] == "concurrent") {
    limit.kind = RateLimit::Kind::kConcurrent;
    return limit;
  }
  if (words.size() == 2) return fail("does not say per what time");
  if (words.size() != 4 || words[2] != "per") return fail("is no limit");
  if (is_word(words[1], "steps")) {
    if (words[3] != "session") return fail("counts steps by something else than the session");
    limit.kind = RateLimit::Kind::kSteps;
    return limit;
  }
  if (!is_word(words[1], "calls") && !is_word(words[1], "repeats")) {
    return fail("counts nothing that is known");
  }
  limit.kind = is_word(words[1], "calls") ? RateLimit::Kind::kCalls : RateLimit::Kind::kRepeats;
  const auto window = to_window(words[3]);
  if (!window) return fail("is per no time that is known (second to week, or as `10m`)");
  limit.window = *window;
  return limit;
}

std::optional<std::chrono::seconds> read_duration(FileReader& reader, const Text& text) {
  const auto duration = to_duration(text.value);
  if (!duration) {
    reader.error(mark_of(text), fmt::format("`{}` is no duration from `1s` to `3650d`; write it as "
                                            "`30s`, `15m`, `2h`, `90d` or `2w`",
                                            shown(text.value)));
  }
  return duration;
}

std::optional<int> read_percent(FileReader& reader, const Text& text) {
  int percent = 0;
  const std::string_view all = text.value;
  const char* const end = all.data() + all.size();
  const auto [stop, code] = std::from_chars(all.data(), end, percent);
  if (code == std::errc() && stop + 1 == end && *stop == '%' && percent >= 1 && percent <= 100) {
    return percent;
  }
  reader.error(mark_of(text),
               fmt::format("`{}` is no share from 1 to 100; write it as `80%`", shown(all)));
  return std::nullopt;
}

}  // namespace reeve::policy
