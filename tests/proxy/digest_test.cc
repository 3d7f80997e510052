// SHA-256 against the examples of FIPS 180-4 and OpenSSL's interface for any algorithm.
#include "proxy/digest.h"

#include <openssl/evp.h>

#include <catch2/catch.hpp>
#include <string>

#include "proxy/ids.h"

namespace reeve {
namespace {

TEST_CASE("digest: known answers, and every length across the blocks") {
  const auto hex = [](std::string_view text) {
    const policy::Sha256 hash = sha256(text);
    std::string out;
    append_hex(out, hash.data(), hash.size());
    return out;
  };
  CHECK(hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  for (size_t size = 0; size < 300; ++size) {
    const std::string text(size, static_cast<char>('a' + size % 26));
    policy::Sha256 expected{};
    size_t written = 0;
    REQUIRE(EVP_Q_digest(nullptr, "SHA256", nullptr, text.data(), text.size(), expected.data(),
                         &written) == 1);
    CHECK(sha256(text) == expected);
  }
}

}  // namespace
}  // namespace reeve
