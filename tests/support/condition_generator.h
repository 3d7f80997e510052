// Conditions and JSON values of reference_condition.h as text, for the real evaluator, and by seed.
//
// Few keys, few values and the same ones in policies and arguments, so that tests meet what they
// ask for; numbers in several spellings of one value.
#ifndef REEVE_TESTS_SUPPORT_CONDITION_GENERATOR_H_
#define REEVE_TESTS_SUPPORT_CONDITION_GENERATOR_H_

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/reference_condition.h"

namespace reeve::reference {

// ---- writing

inline std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text)
    out += (c == '"' || c == '\\') ? std::string("\\") + c : std::string(1, c);
  return out + "\"";
}

inline std::string write_json(const Value& value) {
  std::string out;
  switch (value.type) {
    case Value::Type::kAbsent:
    case Value::Type::kNull:
      return "null";
    case Value::Type::kBool:
      return value.truth ? "true" : "false";
    case Value::Type::kNumber:
      return value.text;
    case Value::Type::kText:
      return quoted(value.text);
    case Value::Type::kList:
      for (const Value& item : value.items) out += (out.empty() ? "" : ",") + write_json(item);
      return "[" + out + "]";
    case Value::Type::kObject:
      for (const auto& [key, member] : value.members) {
        out += (out.empty() ? "" : ", ") + quoted(key) + ": " + write_json(member);
      }
      return "{" + out + "}";
  }
  return out;
}

inline std::string write_scalar(const Scalar& scalar) {
  if (scalar.type == Scalar::Type::kBool) return scalar.truth ? "true" : "false";
  return scalar.type == Scalar::Type::kNumber ? scalar.text : quoted(scalar.text);
}

inline std::string write_test(const Test& test, const std::optional<Scalar>& absent = {}) {
  std::string out;
  for (const Op& op : test) {
    out += (out.empty() ? "" : ", ") + op.key + ": ";
    if (op.key == "is") {
      std::string list;
      for (const Scalar& s : op.scalars) list += (list.empty() ? "" : ", ") + write_scalar(s);
      out += op.scalars.size() == 1 ? list : "[" + list + "]";
    } else if (op.key == "present") {
      out += op.present ? "true" : "false";
    } else if (!op.nested.empty()) {
      out += write_test(op.nested);
    } else {
      out += looks_like_number(op.text) ? op.text : quoted(op.text);
    }
  }
  if (absent) out += ", default: " + write_scalar(*absent);
  return "{" + out + "}";
}

inline std::string write_condition(const Condition& condition) {
  std::string out;
  for (const Part& part : condition) {
    std::string value = part.root;
    for (const std::string& step : part.steps) value += "." + step;
    if (part.root == "time") {
      const std::string days = part.days.empty() ? "mon-sun" : part.days;
      out += (out.empty() ? "" : ", ") + value + ": {days: " + days +
             (part.hours.empty() ? "" : ", hours: \"" + part.hours + "\"") + "}";
      continue;
    }
    // A test on its own is written without braces now and then: the short forms.
    const bool bare = part.test.size() == 1 && part.test[0].key == "is" && !part.absent;
    const std::string test = write_test(part.test, part.absent);
    out +=
        (out.empty() ? "" : ", ") + value + ": " + (bare ? test.substr(5, test.size() - 6) : test);
  }
  return "{" + out + "}";
}

// ---- generating

class ConditionGenerator {
 public:
  explicit ConditionGenerator(unsigned seed) : random_(seed) {}

  // Without `present` and `default`, which alone tell absent from present, all is in doubt about
  // what is absent.
  void leave_out_presence() { with_presence_ = false; }

  // `kind`: the selector of the rule, which says what values it can have.
  Condition condition(const std::string& kind) {
    Condition result;
    const size_t parts = 1 + next(2);
    std::vector<std::string> used;
    for (size_t i = 0; i < parts; ++i) {
      Part part = this->part(kind);
      std::string name = part.root;
      for (const std::string& step : part.steps) name += "." + step;
      if (std::find(used.begin(), used.end(), name) != used.end()) continue;
      used.push_back(name);
      result.push_back(std::move(part));
    }
    return result;
  }

  Value arguments() { return object(3); }

  std::string field_value() {
    return one({"a", "b", "5", "5.0", "50e-1", "05", "-1", "", "ab", "true", "100", "+5"});
  }

  size_t next(size_t below) { return random_() % below; }
  std::string one(std::initializer_list<const char*> of) { return *(of.begin() + next(of.size())); }

 private:
  Part part(const std::string& kind) {
    Part part;
    const bool any = kind.empty() || kind == "http" || kind == "models";
    const size_t pick = next(20);
    if (kind == "connect" || pick == 0) return time();
    part.root = (any || kind == "tools") && pick > 6 ? "args"
                : any && pick > 3                    ? "query"
                : any && pick > 2                    ? "model"
                                                     : "header";
    if (part.root == "args") {
      const size_t steps = 1 + next(3);
      part.steps.push_back(one({"a", "b", "c"}));
      for (size_t i = 1; i < steps; ++i) part.steps.push_back(one({"a", "b", "0", "1", "*", "*"}));
    } else if (part.root != "model") {
      part.steps.push_back(one({"a", "b"}));
    }
    is_text_ = part.root != "args";
    part.test = test(2, true);
    if (next(5) == 0 && with_presence_) part.absent = scalar();
    return part;
  }

  Part time() {
    Part part;
    part.root = "time";
    if (next(2) == 0) part.days = "mon-fri";
    if (part.days.empty() || next(2) == 0) part.hours = one({"00:00-12:00", "06:00-24:00"});
    return part;
  }

  Test test(int depth, bool several) {
    Test result;
    const size_t ops = several && next(3) == 0 ? 2 : 1;
    for (size_t i = 0; i < ops; ++i) {
      Op op = this->op(depth);
      const bool twice = !result.empty() && result[0].key == op.key;
      if (!twice) result.push_back(std::move(op));
    }
    return result;
  }

  Op op(int depth) {
    Op op;
    op.key = depth > 0 ? one({"is", "is", "min", "max", "above", "below", "matches", "glob",
                              "prefix", "under", "present", "not", "not", "length", "any", "all"})
                       : one({"is", "is", "min", "max", "above", "below", "glob", "present"});
    if (op.key == "present" && !with_presence_) op.key = "is";
    if (op.key == "is") {
      const size_t count = 1 + next(2);
      for (size_t i = 0; i < count; ++i) op.scalars.push_back(scalar());
    } else if (op.key == "min" || op.key == "max" || op.key == "above" || op.key == "below") {
      op.text = number();
    } else if (op.key == "matches") {
      op.text = one({"[ab]+", "a|b|/d.*"});
    } else if (op.key == "glob") {
      op.text = one({"*", "a*", "?", "/d/*"});
    } else if (op.key == "prefix") {
      op.text = one({"a", "/d", "ab"});
    } else if (op.key == "under") {
      op.text = "/d";
    } else if (op.key == "present") {
      op.present = next(2) == 0;
    } else if (op.key == "length") {
      Op bound;
      bound.key = one({"min", "max", "above", "below"});
      bound.text = one({"0", "1", "2"});
      op.nested.push_back(std::move(bound));
    } else {
      op.nested = test(depth - 1, op.key != "not");
    }
    return op;
  }

  Scalar scalar() {
    Scalar result;
    const size_t pick = next(is_text_ ? 5 : 6);
    if (pick < 3) {
      result.text = one({"a", "b", "5", "ab", "true", "\u00e4"});
    } else if (pick < 5) {
      result.type = Scalar::Type::kNumber;
      result.text = number();
    } else {
      result.type = Scalar::Type::kBool;
      result.truth = next(2) == 0;
    }
    return result;
  }

  std::string number() {
    return one({"5", "5.0", "50e-1", "0", "-0", "-1", "1", "100", "1E2", "5.000000000000000000001",
                "9007199254740992", "9007199254740993", "0.1", "0.10", "1e-1", "-5"});
  }

  Value object(int depth) {
    Value result;
    result.type = Value::Type::kObject;
    for (const char* key : {"a", "b", "c"}) {
      if (next(4) == 0) continue;
      // Now and then in another case, instead or as well.
      const bool variant = next(60) == 0;
      if (variant) {
        result.members.push_back({std::string(1, static_cast<char>(key[0] - 32)), value(0)});
      }
      if (!variant || next(2) == 0) result.members.push_back({key, value(depth - 1)});
    }
    if (next(5) == 0) result.members.push_back({one({"0", "1"}), value(0)});
    return result;
  }

  Value value(int depth) {
    Value result;
    const size_t pick = next(depth > 0 ? 13 : 8);
    if (pick == 0) {
      result.type = Value::Type::kNull;
    } else if (pick == 1) {
      result.type = Value::Type::kBool;
      result.truth = next(2) == 0;
    } else if (pick < 5) {
      result.type = Value::Type::kNumber;
      result.text = number();
    } else if (pick < 8) {
      result.type = Value::Type::kText;
      result.text = one({"a", "b", "ab", "5", "true", "", "\u00e4", "/d", "/d/x", "/data",
                         "/d/../x", "/d//x", "d"});
    } else if (pick < 11) {
      result.type = Value::Type::kList;
      const size_t count = next(4);
      for (size_t i = 0; i < count; ++i) result.items.push_back(value(depth - 1));
    } else {
      result = object(depth);
    }
    return result;
  }

  std::mt19937 random_;
  bool is_text_ = false;  // the value is a query parameter, header or model
  bool with_presence_ = true;
};

}  // namespace reeve::reference

#endif  // REEVE_TESTS_SUPPORT_CONDITION_GENERATOR_H_
