// Keys are compared by hashes first: look-ups and duplicates, where keys share a hash because they
// differ only in case, are long, escaped, or folded from beyond ASCII; against a plain walk.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "policy/json.h"

namespace reeve::json {
namespace {

// `key` as a string of JSON, each character escaped by chance.
std::string written(std::string_view key, std::mt19937& random) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : key) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x80 && random() % 4 == 0) {
      out += std::string("\\u00") + kDigits[byte >> 4] + kDigits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string random_key(std::mt19937& random) {
  static const std::vector<std::string> parts = {"a", "A",  "k", "K", "\u212a", "s", "S",
                                                 "ſ", "_",  "@", "`", "é",      "É", "\x7f",
                                                 "1", "aB", "T", "t", "\u212b", "Å", "long-part-"};
  std::string key;
  const size_t length = random() % 5 == 0 ? random() % 20 : random() % 3;
  for (size_t i = 0; i < length; ++i) key += parts[random() % parts.size()];
  return key;
}

TEST_CASE("look-ups find what a walk over the unescaped keys finds") {
  std::mt19937 random(20261122);
  size_t found_values = 0, found_variants = 0;
  Parser parser;
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> keys;
    std::string text = "{";
    for (size_t i = random() % (round % 8 == 0 ? 100 : 12); i > 0; --i) {
      const std::string key = random_key(random);
      if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
      text += (keys.empty() ? "" : ",") + written(key, random) + ":" + std::to_string(keys.size());
      keys.push_back(key);
    }
    text += '}';
    const auto object = parser.parse(text);
    CAPTURE(text);
    REQUIRE(object);
    for (int i = 0; i < 20; ++i) {
      const bool known = !keys.empty() && random() % 2 == 0;
      const std::string key = known ? keys[random() % keys.size()] : random_key(random);
      std::string key_scratch, other_scratch;
      const std::string_view folded = fold(key, key_scratch);
      bool variant = false;
      for (const std::string& other : keys) {
        if (fold(other, other_scratch) != folded) continue;
        CHECK(key_hash(other) == key_hash(key));
        variant = variant || other != key;
      }
      const auto at = std::find(keys.begin(), keys.end(), key);
      const Value::Lookup found = object->look_up(key, key_hash(key));
      CAPTURE(key);
      REQUIRE(found.has_variant == variant);
      REQUIRE(object->has_case_variant(key) == variant);
      REQUIRE(found.value.has_value() == (at != keys.end()));
      if (found.value) CHECK(found.value->raw() == std::to_string(at - keys.begin()));
      CHECK(object->find(key).has_value() == found.value.has_value());
      found_values += found.value.has_value();
      found_variants += variant;
    }
  }
  CHECK(found_values > 1000);
  CHECK(found_variants > 1000);
}

// The `index`th of the ways to write 17 letters in upper and lower case.
std::string in_case(uint32_t index) {
  std::string key = "abcdefghijklmnopq";
  for (size_t i = 0; i < key.size(); ++i) {
    if (index >> i & 1) key[i] = static_cast<char>(key[i] - 32);
  }
  return key;
}

TEST_CASE("keys that differ only in case are legal, and cheap however many they are") {
  Parser parser;
  for (const uint32_t count : {2u, 16u, 17u, 100'000u}) {
    std::string text = "{";
    for (uint32_t i = 0; i < count; ++i) text += '"' + in_case(i) + "\":" + std::to_string(i) + ",";
    CAPTURE(count);
    const auto begin = std::chrono::steady_clock::now();
    const std::string whole = text + "\"last\":0}";
    const auto object = parser.parse(whole);
    REQUIRE(object);
    CHECK(object->find(in_case(1))->raw() == "1");
    CHECK(object->find(in_case(count - 1))->raw() == std::to_string(count - 1));
    CHECK(object->has_case_variant(in_case(0)));
    CHECK_FALSE(object->has_case_variant("last"));
    CHECK_FALSE(parser.parse(text + '"' + in_case(count / 2) + "\":0}"));
    CHECK(parser.error().what == std::string("duplicate key"));
    CHECK(parser.error().offset == text.size());
    // Far from what comparing all pairs would take.
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
  }
}

}  // namespace
}  // namespace reeve::json
