// Texts compared, hashed and scanned by the word, against the same byte by byte.
#include "policy/words.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "policy/name_index.h"
#include "policy/text.h"

namespace reeve::policy {
namespace {

TEST_CASE(
    "texts of every length, and with every byte changed, compare by the word as by the byte") {
  std::mt19937 random(20261122);
  for (size_t size = 0; size < 70; ++size) {
    std::string text;
    for (size_t i = 0; i < size; ++i) text += static_cast<char>(random());
    const std::string copy = text;
    CAPTURE(size);
    CHECK(same_text(text, copy));
    CHECK(hash_words(text) == hash_words(copy));
    for (size_t at = 0; at < size; ++at) {
      std::string other = text;
      other[at] = static_cast<char>(other[at] ^ (1 << random() % 8));
      CHECK_FALSE(same_text(text, other));
      CHECK(hash_words(text) != hash_words(other));
      CHECK(begins_with(text, std::string_view(text).substr(0, at)));
      CHECK(ends_with(text, std::string_view(text).substr(at)));
      CHECK_FALSE(begins_with(text, std::string_view(other).substr(0, at + 1)));
      CHECK_FALSE(ends_with(text, std::string_view(other).substr(at)));
      CHECK_FALSE(begins_with(std::string_view(text).substr(0, at), text));
      CHECK_FALSE(same_text(std::string_view(text).substr(0, at), text));
    }
  }
}

TEST_CASE("a byte that is no printable ASCII is seen wherever it stands") {
  for (size_t size = 0; size < 40; ++size) {
    std::string text(size, '~');
    CAPTURE(size);
    CHECK(is_printable_ascii(text));
    CHECK(is_printable_ascii(std::string(size, ' ')));
    for (size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        text[at] = static_cast<char>(byte);
        if (is_printable_ascii(text) != (byte >= 0x20 && byte < 0x7F)) {
          CAPTURE(at, byte);
          REQUIRE(is_printable_ascii(text) == (byte >= 0x20 && byte < 0x7F));
        }
      }
      text[at] = ' ';
    }
  }
}

TEST_CASE("names are found among many, and others are not") {
  NameIndex index;
  CHECK_FALSE(index.find(""));
  for (uint32_t i = 0; i < 1000; ++i) index.add("name-" + std::to_string(i * i), i);
  index.add("", 1000);
  for (uint32_t i = 0; i < 1000; ++i) CHECK(index.find("name-" + std::to_string(i * i)) == i);
  CHECK(index.find("") == 1000u);
  for (const char* other : {"name-", "name-2", "Name-1", "name-1 ", "name-998002"}) {
    CHECK_FALSE(index.find(other));
  }
}

}  // namespace
}  // namespace reeve::policy
