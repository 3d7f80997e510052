// See written_call.h. Tested by tests/policy/policy_test_test.cc and explain_test.cc.
#include "policy/written_call.h"

#include <algorithm>
#include <chrono>

#include "policy/json_body.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

// Digits of a fixed width at the front of `text`, which loses them.
std::optional<int> take_number(std::string_view& text, size_t width) {
  if (text.size() < width) return std::nullopt;
  int value = 0;
  for (size_t i = 0; i < width; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return value;
}

// Of letters, either case.
bool take(std::string_view& text, char c) {
  const bool is_letter = c >= 'a' && c <= 'z';
  if (text.empty() || (text[0] != c && !(is_letter && text[0] == c - ('a' - 'A')))) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::chrono::microseconds> take_time_of_day(std::string_view& text) {
  const auto hour = take_number(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || *minute > 59 || !take(text, ':')) return std::nullopt;
  const auto second = take_number(text, 2);
  if (!second || *second > 59) return std::nullopt;
  int64_t micros = 0;
  if (take(text, '.')) {
    int64_t unit = 100'000;
    if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
      micros += (text[0] - '0') * unit;
      unit /= 10;
      text.remove_prefix(1);
    }
  }
  return std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second) +
         std::chrono::microseconds(micros);
}

std::optional<std::chrono::minutes> parse_offset(std::string_view text) {
  if (text == "Z" || text == "z") return std::chrono::minutes(0);
  const bool behind = text.starts_with('-');
  if (!behind && !text.starts_with('+')) return std::nullopt;
  text.remove_prefix(1);
  const auto hours = take_number(text, 2);
  if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
  const auto minutes = take_number(text, 2);
  if (!minutes || *minutes > 59 || !text.empty()) return std::nullopt;
  const std::chrono::minutes offset(*hours * 60 + *minutes);
  return behind ? -offset : offset;
}

}  // namespace

std::optional<Time> parse_time(std::string_view text) {
  const auto year = take_number(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_number(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_number(text, 2);
  if (!day || !(take(text, 't') || take(text, ' '))) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  const auto of_day = take_time_of_day(text);
  if (!of_day) return std::nullopt;
  const auto offset = parse_offset(text);
  if (!offset) return std::nullopt;
  return Time(std::chrono::sys_days(date)) + *of_day - *offset;
}

void CallSpec::set_target(Kind of, std::string name) {
  kind = of;
  target = std::move(name);
  switch (of) {
    case Kind::kTool:
      action = "tools/call";
      break;
    case Kind::kResource:
      action = "resources/read";
      break;
    case Kind::kPrompt:
      action = "prompts/get";
      break;
    case Kind::kConnect:
      action = "CONNECT";
      break;
    case Kind::kModel:
      action = "POST";
      break;
    case Kind::kMethod:
      action = std::move(target);
      target.clear();
      break;
    case Kind::kHttp:
      break;
  }
}

bool CallSpec::set_http(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == text.npos || space == 0 || space + 1 == text.size()) return false;
  kind = Kind::kHttp;
  action = std::string(text.substr(0, space));
  target = std::string(text.substr(text.find_first_not_of(' ', space)));
  return !target.empty();
}

WrittenCall::WrittenCall(CallSpec spec, bool reads_body, Time now) : spec_(std::move(spec)) {
  call_.upstream = spec_.upstream;
  call_.kind = spec_.kind;
  call_.action = spec_.action;
  call_.target = spec_.target;
  call_.time = spec_.at.value_or(now);
  if (spec_.kind == Kind::kModel) call_.model = spec_.target;
  if (spec_.kind == Kind::kConnect) {
    call_.upstream = {};
    std::transform(spec_.target.begin(), spec_.target.end(), spec_.target.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  }
  for (const auto& [name, value] : spec_.headers) fields_.push_back({name, value});
  call_.headers = fields_;
  if (spec_.kind == Kind::kHttp) read_path();
  if (!fault_.empty()) return;
  if (spec_.kind == Kind::kTool && spec_.args) read_args(*spec_.args, true);
  const bool has_body = spec_.kind == Kind::kHttp || spec_.kind == Kind::kModel;
  if (has_body && reads_body && spec_.body && !spec_.body->empty()) read_body();
}

void WrittenCall::read_path() {
  std::string_view raw = spec_.target;
  if (!raw.starts_with('/')) {
    fault_ = "the path does not begin with a slash";
    return;
  }
  if (raw.find('#') != raw.npos) {
    fault_ = "a fragment in the target";
    return;
  }
  const size_t mark = raw.find('?');
  if (mark != raw.npos) call_.query = raw.substr(mark + 1);
  if (const char* fault = normalise_path(raw.substr(0, mark), spec_.path_parameters, path_)) {
    fault_ = fault;
  }
  call_.target = path_.match;
}

void WrittenCall::read_body() {
  const BodyForm form = body_form(fields_);
  switch (form.kind) {
    case BodyForm::Kind::kJson:
      return read_args(*spec_.body, false);
    case BodyForm::Kind::kOther:
      call_.args_unread = true;
      return;
    case BodyForm::Kind::kRefused:
      fault_ = form.fault;
      return;
  }
}

void WrittenCall::read_args(const std::string& text, bool must_be_object) {
  args_ = parser_.parse(text);
  if (!args_) {
    fault_ = std::string(must_be_object ? "the arguments are" : "the body is") +
             " no strict JSON: " + parser_.error().what;
  } else if (must_be_object && !args_->is_object()) {
    fault_ = "the arguments are no object";
  } else {
    call_.args = &*args_;
  }
}

}  // namespace reeve::policy
