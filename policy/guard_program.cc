// See guard_program.h. Tested by tests/policy/guard_test.cc.
#include "policy/guard_program.h"

#include <re2/re2.h>

#include "policy/parse_condition.h"

namespace reeve::policy {

GuardExpression::GuardExpression(std::string name, const std::string& regex)
    : name_(std::move(name)) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_max_mem(1 << 20);
  regex_ = std::make_unique<RE2>(regex, options);
}

GuardExpression::~GuardExpression() = default;

bool GuardExpression::find(std::string_view text, size_t from, size_t& begin, size_t& end) const {
  const re2::StringPiece whole(text.data(), text.size());
  while (from <= text.size()) {
    re2::StringPiece found;
    if (!regex_->Match(whole, from, text.size(), RE2::UNANCHORED, &found, 1)) return false;
    begin = static_cast<size_t>(found.data() - text.data());
    end = begin + found.size();
    if (end > begin) return true;
    from = begin + 1;  // an empty match finds nothing
  }
  return false;
}

std::shared_ptr<const GuardProgram> compile_guard(const GuardInfo& guard) {
  auto program = std::make_shared<GuardProgram>();
  for (const GuardInfo::Finder& finder : guard.finders) {
    if (finder.regex.empty()) {
      if (const auto kind = guard_kind(finder.name)) program->kinds |= bit(*kind);
    } else {
      program->expressions.push_back(
          std::make_unique<const GuardExpression>(finder.name, finder.regex));
    }
  }
  for (const std::string& field : guard.fields) {
    ValueRef place;
    place.text = field;
    if (read_steps(field, place)) program->places.push_back(std::move(place));
  }
  return program;
}

namespace {

// Recursion is as deep as the place is long.
bool place_meets_variant(const json::Value& value, const Step* step, const Step* end,
                         uint64_t& steps) {
  if (step == end || steps == 0) return false;
  --steps;
  if (value.is_object()) {
    if (step->every) {
      for (const json::Member member : value.members()) {
        if (place_meets_variant(member.value, step + 1, end, steps)) return true;
      }
      return false;
    }
    const json::Value::Lookup found = value.look_up(step->key, step->hash);
    return found.has_variant ||
           (found.value && place_meets_variant(*found.value, step + 1, end, steps));
  }
  if (!value.is_array()) return false;
  size_t index = 0;
  for (const json::Value item : value.items()) {
    if (steps == 0) return false;
    if ((step->every || step->index == index) && place_meets_variant(item, step + 1, end, steps)) {
      return true;
    }
    ++index;
  }
  return false;
}

}  // namespace

bool meets_case_variant(const std::vector<ValueRef>& places, const json::Value& value,
                        uint64_t& steps) {
  for (const ValueRef& place : places) {
    const Step* const first = place.steps.data();
    if (place_meets_variant(value, first, first + place.steps.size(), steps)) return true;
  }
  return false;
}

}  // namespace reeve::policy
