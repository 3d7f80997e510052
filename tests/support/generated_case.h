// What generated tests share: the seed, how many rounds, and the oracle's calls as the real
// evaluator sees them.
#ifndef REEVE_TESTS_SUPPORT_GENERATED_CASE_H_
#define REEVE_TESTS_SUPPORT_GENERATED_CASE_H_

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/call.h"
#include "policy/json.h"
#include "policy/written_call.h"
#include "tests/support/policy_generator.h"
#include "tests/support/policy_writer.h"

namespace reeve::testing {

// REEVE_SEED, or what every run starts from.
inline unsigned first_seed() {
  const char* given = std::getenv("REEVE_SEED");
  return given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : 20'261'122;
}

inline bool is_long() {
  const char* given = std::getenv("REEVE_TEST_LONG");
  return given && std::string_view(given) == "1";
}

// REEVE_ROUNDS; else `large` with REEVE_TEST_LONG=1 and `small` without.
inline size_t rounds(size_t small, size_t large) {
  if (const char* given = std::getenv("REEVE_ROUNDS")) return std::strtoul(given, nullptr, 10);
  return is_long() ? large : small;
}

inline policy::Kind to_kind(std::string_view kind) {
  return kind == "tools"       ? policy::Kind::kTool
         : kind == "http"      ? policy::Kind::kHttp
         : kind == "resources" ? policy::Kind::kResource
         : kind == "prompts"   ? policy::Kind::kPrompt
         : kind == "connect"   ? policy::Kind::kConnect
         : kind == "models"    ? policy::Kind::kModel
                               : policy::Kind::kMethod;
}

inline policy::Time time_of(const reference::Call& call) {
  using namespace std::chrono;
  const sys_days first{year(2026) / January / 1};
  const policy::Time day = policy::Time(first + days(call.day - 1));
  using Moment = reference::Call::Moment;
  return call.moment == Moment::kFirst  ? day
         : call.moment == Moment::kNoon ? day + hours(12)
                                        : day + hours(24) - microseconds(1);
}

inline std::string query_of(const reference::Call& call) {
  std::string text;
  for (const auto& [name, value] : call.query) {
    text += (text.empty() ? "" : "&") + name + "=";
    for (const char c : value) text += c == '+' ? std::string("%2B") : std::string(1, c);
  }
  return text;
}

inline std::string shown(const reference::Call& call) {
  std::string text = reference::write_day(call.day) + " " +
                     std::to_string(static_cast<int>(call.moment)) + " " + call.upstream + " " +
                     call.kind + " " + call.method + " " + call.target + "?" + query_of(call);
  for (const auto& [name, value] : call.headers) text += " " + name + ": " + value;
  return text + " " + (call.args ? reference::write_json(*call.args) : "(no arguments)");
}

// The Call of the oracle's, and what it looks at.
class RealCall {
 public:
  explicit RealCall(const reference::Call& from) : from_(from), query_(query_of(from)) {
    call_.upstream = from_.upstream;
    call_.kind = to_kind(from_.kind);
    call_.action = from_.kind == "http"      ? std::string_view(from_.method)
                   : from_.kind == "methods" ? std::string_view(from_.target)
                                             : "x";
    if (call_.kind != policy::Kind::kMethod) call_.target = from_.target;
    if (call_.kind == policy::Kind::kModel) call_.model = from_.target;
    call_.time = time_of(from_);
    call_.query = query_;
    for (const auto& [name, value] : from_.headers) fields_.push_back({name, value});
    call_.headers = fields_;
    if (from_.args) {
      text_ = reference::write_json(*from_.args);
      args_ = parser_.parse(text_);
      if (args_) call_.args = &*args_;
    }
  }
  RealCall(const RealCall&) = delete;
  RealCall& operator=(const RealCall&) = delete;

  // Whether the arguments were taken as JSON.
  bool parsed() const { return args_.has_value() == from_.args.has_value(); }
  const policy::Call& call() const { return call_; }

 private:
  reference::Call from_;
  std::string query_;
  std::string text_;
  std::vector<policy::Field> fields_;
  json::Parser parser_;
  std::optional<json::Value> args_;
  policy::Call call_;
};

// The same as a person would write it down.
inline policy::CallSpec to_spec(const reference::Call& call) {
  policy::CallSpec spec;
  spec.upstream = call.upstream;
  spec.headers = call.headers;
  spec.at = time_of(call);
  const bool body = call.kind == "http" || call.kind == "models";
  if (call.kind == "http") {
    const std::string query = query_of(call);
    spec.kind = policy::Kind::kHttp;
    spec.action = call.method;
    spec.target = call.target + (query.empty() ? "" : "?" + query);
  } else {
    spec.set_target(to_kind(call.kind), call.target);
  }
  if (!call.args) return spec;
  if (body) {
    spec.headers.emplace_back("Content-Type", "application/json");
    spec.body = reference::write_json(*call.args);
  } else {
    spec.args = reference::write_json(*call.args);
  }
  return spec;
}

}  // namespace reeve::testing

#endif  // REEVE_TESTS_SUPPORT_GENERATED_CASE_H_
