// The oracle for `when`: conditions and JSON values as plain structs, judged slowly and obviously.
//
// Written from the language's description alone; shares no code with policy/. Numbers become plain
// decimals of a fixed width and compare as text. Where the description leaves a case open the
// evaluation says so (`disputed`), and nothing is compared there.
#ifndef REEVE_TESTS_SUPPORT_REFERENCE_CONDITION_H_
#define REEVE_TESTS_SUPPORT_REFERENCE_CONDITION_H_

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace reeve::reference {

// In an order in which the least of several is what they come to together.
enum class Truth : uint8_t { kFalse, kDoubt, kTrue };

struct Member;

struct Value {
  enum class Type : uint8_t { kAbsent, kNull, kBool, kNumber, kText, kList, kObject };
  Type type = Type::kAbsent;
  bool truth = false;
  std::string text;         // of kText, and the digits of kNumber
  bool from_field = false;  // a query parameter or header: text that counts as a number too
  bool alone = false;   // the one value of its name, which `any` and `all` take as a list of one
  bool fanned = false;  // a list that `*` or a repeated parameter made
  std::vector<Value> items;
  std::vector<Member> members;
};

struct Member {
  std::string key;
  Value value;
};

struct Scalar {
  enum class Type : uint8_t { kText, kNumber, kBool };
  Type type = Type::kText;
  std::string text;
  bool truth = false;
  friend bool operator==(const Scalar&, const Scalar&) = default;
};

struct Op;
using Test = std::vector<Op>;  // all must hold

struct Op {
  std::string key;  // as the language writes it
  std::vector<Scalar> scalars;
  std::string text;
  bool present = false;
  Test nested;
  friend bool operator==(const Op&, const Op&) = default;
};

struct Part {
  std::string root;                // args | query | header | model | time
  std::vector<std::string> steps;  // of args; of query and header the one name
  Test test;                       // of all but time
  std::optional<Scalar> absent;    // `default`
  std::string days;                // of time; empty: every day
  std::string hours;               // of time; empty: all day
  friend bool operator==(const Part&, const Part&) = default;
};

using Condition = std::vector<Part>;

// ---- numbers

// A sign and 64 digits before and after the point: `-5`, `5.0` and `50e-1` are told apart by value
// alone. The generator stays far inside that width.
inline std::pair<bool, std::string> plain_decimal(std::string_view number) {
  const bool negative = number.starts_with('-');
  if (negative) number.remove_prefix(1);
  const size_t e = std::min(number.find_first_of("eE"), number.size());
  int exponent = e < number.size() ? std::atoi(std::string(number.substr(e + 1)).c_str()) : 0;
  std::string digits;
  bool after_point = false;
  for (const char c : number.substr(0, e)) {
    if (c == '.') {
      after_point = true;
    } else {
      digits += c;
      if (after_point) --exponent;
    }
  }
  constexpr int kWidth = 64;
  std::string wide(2 * kWidth, '0');
  for (size_t i = 0; i < digits.size(); ++i) {
    const int power = static_cast<int>(digits.size() - 1 - i) + exponent;
    wide[static_cast<size_t>(kWidth - 1 - power)] = digits[i];
  }
  const bool zero = wide.find_first_not_of('0') == std::string::npos;
  return {negative && !zero, wide};
}

inline int compare_decimals(std::string_view a, std::string_view b) {
  const auto [a_negative, a_digits] = plain_decimal(a);
  const auto [b_negative, b_digits] = plain_decimal(b);
  if (a_negative != b_negative) return a_negative ? -1 : 1;
  const int order = a_digits < b_digits ? -1 : a_digits > b_digits ? 1 : 0;
  return a_negative ? -order : order;
}

inline bool looks_like_number(std::string_view text) {
  size_t at = text.starts_with('-') ? 1 : 0;
  const auto digits = [&] {
    const size_t begin = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - begin;
  };
  const size_t first = at;
  const size_t whole = digits();
  if (whole == 0 || (whole > 1 && text[first] == '0')) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

// ---- judging

class Judge {
 public:
  bool disputed() const { return disputed_; }

  // `field` gives what is no argument; `time` judges what is no value.
  Truth all_of(const Condition& condition, const Value& args,
               const std::function<Value(const Part&)>& field,
               const std::function<Truth(const Part&)>& time) {
    Truth truth = Truth::kTrue;
    for (const Part& part : condition) {
      if (part.root == "time") {
        truth = std::min(truth, time(part));
        continue;
      }
      Value value = part.root == "args" ? reach(args, part.steps, 0) : field(part);
      truth = std::min(truth, judge_part(part, std::move(value)));
    }
    return truth;
  }

  // What the steps from `at` lead to.
  static Value reach(const Value& from, const std::vector<std::string>& steps, size_t at) {
    if (at == steps.size()) return from;
    const std::string& step = steps[at];
    if (step == "*") {
      if (from.type != Value::Type::kList) return {};
      Value all;
      all.type = Value::Type::kList;
      all.fanned = true;
      for (const Value& item : from.items) {
        const Value reached = reach(item, steps, at + 1);
        if (reached.fanned) {  // a list of lists by `*` is one list
          all.items.insert(all.items.end(), reached.items.begin(), reached.items.end());
        } else {
          all.items.push_back(reached);
        }
      }
      return all;
    }
    if (from.type == Value::Type::kObject) {
      for (const auto& [key, value] : from.members) {
        if (key == step) return reach(value, steps, at + 1);
      }
      return {};
    }
    if (from.type == Value::Type::kList && step.find_first_not_of("0123456789") == step.npos) {
      const size_t index = std::strtoul(step.c_str(), nullptr, 10);
      if (index < from.items.size()) return reach(from.items[index], steps, at + 1);
    }
    return {};
  }

 private:
  static Value to_value(const Scalar& scalar) {
    Value value;
    value.type = scalar.type == Scalar::Type::kText     ? Value::Type::kText
                 : scalar.type == Scalar::Type::kNumber ? Value::Type::kNumber
                                                        : Value::Type::kBool;
    value.text = scalar.text;
    value.truth = scalar.truth;
    return value;
  }

  Truth judge_part(const Part& part, Value value) {
    const bool fans = std::find(part.steps.begin(), part.steps.end(), "*") != part.steps.end();
    if (fans && !value.fanned) note_no_list(part);
    if (part.absent) {
      if (value.type == Value::Type::kAbsent) value = to_value(*part.absent);
      if (value.fanned) {
        for (Value& item : value.items) {
          if (item.type == Value::Type::kAbsent) item = to_value(*part.absent);
        }
      }
    }
    if (value.fanned || value.alone) note_open_cases(part, value);
    return judge(part.test, value);
  }

  // Nor does it say whether a `*` that meets no list gives an absent value or an absent item.
  void note_no_list(const Part& part) {
    for (const Op& op : part.test) {
      if (op.key == "any" || op.key == "all") disputed_ = true;
      if (op.key == "length" && part.absent) disputed_ = true;
    }
  }

  // What the description leaves open of the lists that `*` makes: whether one without items is an
  // empty list or an absent value, and whether what stands below `not` sees the list or its items.
  void note_open_cases(const Part& part, const Value& value) {
    for (const Op& op : part.test) {
      if (value.fanned && value.items.empty() &&
          (part.absent || !op.nested.empty() || op.key == "present")) {
        disputed_ = true;
      }
      if (op.key == "not" && below_not(op.nested)) disputed_ = true;
    }
  }

  static bool below_not(const Test& test) {
    return test.size() > 1 || std::any_of(test.begin(), test.end(), [](const Op& op) {
             return op.key == "any" || op.key == "all" || op.key == "length" ||
                    (op.key == "not" && below_not(op.nested));
           });
  }

  Truth judge(const Test& test, const Value& value) {
    Truth truth = Truth::kTrue;
    for (const Op& op : test) truth = std::min(truth, judge(op, value));
    return truth;
  }

  Truth judge(const Op& op, const Value& value) {
    using Type = Value::Type;
    if (op.key == "present" && !value.fanned)
      return of((value.type != Type::kAbsent) == op.present);
    if (op.key == "not") {
      const Truth inner = judge(op.nested, value);
      return inner == Truth::kDoubt ? inner : of(inner == Truth::kFalse);
    }
    if (value.type == Type::kAbsent || value.type == Type::kNull) return Truth::kDoubt;
    if (op.key == "length") return judge_length(op, value);
    if (op.key == "any" || op.key == "all") return judge_items(op, value);
    if (value.type != Type::kList) return judge_one(op, value);
    return plain(op, value);
  }

  Truth judge_length(const Op& op, const Value& value) {
    size_t length = value.items.size();
    if (value.type == Value::Type::kText) {
      length = static_cast<size_t>(std::count_if(value.text.begin(), value.text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
      }));
    } else if (value.type != Value::Type::kList) {
      return Truth::kDoubt;
    }
    // An item that is not there makes it unclear how many there are.
    for (const Value& item : value.items) {
      if (item.type == Value::Type::kAbsent) return Truth::kDoubt;
    }
    Value count;
    count.type = Value::Type::kNumber;
    count.text = std::to_string(length);
    return judge(op.nested, count);
  }

  Truth judge_items(const Op& op, const Value& value) {
    if (value.alone) {
      Value item = value;
      item.alone = false;
      return judge(op.nested, item);
    }
    if (value.type != Value::Type::kList || value.items.empty()) return Truth::kDoubt;
    Truth most = Truth::kFalse;
    Truth least = Truth::kTrue;
    for (const Value& item : value.items) {
      const Truth truth = judge(op.nested, item);
      most = std::max(most, truth);
      least = std::min(least, truth);
    }
    return op.key == "any" ? most : least;
  }

  Truth plain(const Op& op, const Value& list) {
    if (list.items.empty()) return Truth::kDoubt;
    const Truth first = judge(op, list.items.front());
    for (const Value& item : list.items) {
      if (judge(op, item) != first) return Truth::kDoubt;
    }
    return first;
  }

  static bool equals(const Scalar& scalar, const Value& value) {
    using Type = Value::Type;
    if (scalar.type == Scalar::Type::kBool) {
      return value.type == Type::kBool && value.truth == scalar.truth;
    }
    if (scalar.type == Scalar::Type::kText) {
      return value.type == Type::kText && value.text == scalar.text;
    }
    return counts_as_number(value) && compare_decimals(value.text, scalar.text) == 0;
  }

  static bool counts_as_number(const Value& value) {
    return value.type == Value::Type::kNumber ||
           (value.type == Value::Type::kText && value.from_field && looks_like_number(value.text));
  }

  static Truth of(bool holds) { return holds ? Truth::kTrue : Truth::kFalse; }

  // A value that is there, not null and no list.
  static Truth judge_one(const Op& op, const Value& value) {
    if (op.key == "is") {
      if (value.type == Value::Type::kObject) return Truth::kDoubt;
      return of(std::any_of(op.scalars.begin(), op.scalars.end(),
                            [&](const Scalar& s) { return equals(s, value); }));
    }
    if (op.key == "min" || op.key == "max" || op.key == "above" || op.key == "below") {
      if (!counts_as_number(value)) return Truth::kDoubt;
      const int order = compare_decimals(value.text, op.text);
      if (op.key == "min") return of(order >= 0);
      if (op.key == "max") return of(order <= 0);
      return of(op.key == "above" ? order > 0 : order < 0);
    }
    if (value.type != Value::Type::kText) return Truth::kDoubt;
    if (op.key == "glob") return of(match_glob(op.text, value.text));
    if (op.key == "prefix") return of(value.text.compare(0, op.text.size(), op.text) == 0);
    if (op.key == "matches") return of(matches(op.text, value.text));
    return under(op.text, value.text);
  }

  // `*` is any run, `?` one code point.
  static bool match_glob(std::string_view glob, std::string_view text) {
    if (glob.empty()) return text.empty();
    if (glob[0] == '*' && match_glob(glob.substr(1), text)) return true;
    if (text.empty()) return false;
    size_t first = 1;
    while (first < text.size() && (static_cast<unsigned char>(text[first]) & 0xC0) == 0x80) ++first;
    if (glob[0] == '*') return match_glob(glob, text.substr(first));
    if (glob[0] == '?') return match_glob(glob.substr(1), text.substr(first));
    return glob[0] == text[0] && match_glob(glob.substr(1), text.substr(1));
  }

  // The few expressions that the generator writes.
  static bool matches(const std::string& expression, const std::string& text) {
    if (expression == "[ab]+") {
      return !text.empty() && text.find_first_not_of("ab") == std::string::npos;
    }
    return text == "a" || text == "b" || text.starts_with("/d");  // a|b|/d.*
  }

  // The generator writes `/d` alone.
  static Truth under(const std::string& folder, const std::string& path) {
    if (!path.starts_with('/') || path.find("//") != std::string::npos) return Truth::kDoubt;
    if ((path + "/").find("/../") != std::string::npos) return Truth::kDoubt;
    return of((path + "/").starts_with(folder + "/"));
  }

  bool disputed_ = false;
};

}  // namespace reeve::reference

#endif  // REEVE_TESTS_SUPPORT_REFERENCE_CONDITION_H_
