// The strict parser on any bytes, with Boost.JSON as a second opinion: both accept the same texts,
// but for what only reeve refuses (duplicate keys, limits). Then every look-up on what was
// accepted.
#include <boost/json.hpp>
#include <cstdlib>
#include <cstring>

#include "policy/json.h"

namespace {

using reeve::json::Member;
using reeve::json::Parser;
using reeve::json::Value;

void require(bool condition) {
  if (!condition) std::abort();
}

// What the other parser says: 1 valid, 0 invalid, -1 no opinion (numbers beyond its range).
int second_opinion(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = 4096;
  boost::json::error_code error;
  boost::json::parser parser({}, options);
  parser.write({text.data(), text.size()}, error);
  if (error == boost::json::error::exponent_overflow) return -1;
  return error ? 0 : 1;
}

bool refused_by_reeve_alone(const char* what) {
  return std::strcmp(what, "duplicate key") == 0 || std::strcmp(what, "nested too deeply") == 0;
}

void walk(const Value& value) {
  std::string scratch;
  if (value.is_string()) {
    require(value.equals(value.text(scratch)));
    std::string quoted;
    reeve::json::append_string(quoted, value.text(scratch));
    Parser parser;
    require(parser.parse(quoted) && parser.parse(quoted)->equals(value.text(scratch)));
  }
  size_t seen = 0;
  for (const Member member : value.members()) {
    ++seen;
    std::string key;
    if (value.size() <= 64) {
      require(value.find(member.key.text(key))->offset() == member.value.offset());
      value.has_case_variant(member.key.text(key));
    }
    walk(member.value);
  }
  for (const Value item : value.items()) {
    ++seen;
    walk(item);
  }
  require(seen == value.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string replaced;
  reeve::json::append_string(replaced, text);
  Parser parser, again;
  require(again.parse(replaced).has_value());

  const auto value = parser.parse(text);
  const int opinion = second_opinion(text);
  if (!value) {
    require(opinion != 1 || refused_by_reeve_alone(parser.error().what));
    require(parser.error().offset <= size);
    return 0;
  }
  require(opinion != 0);
  walk(*value);
  std::string canonical, twice;
  append_canonical(canonical, *value);
  const auto reparsed = again.parse(canonical);
  require(reparsed.has_value());
  append_canonical(twice, *reparsed);
  require(canonical == twice);
  return 0;
}
