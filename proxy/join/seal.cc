// Tested by tests/proxy/join_seal_test.cc.
#include "proxy/join/seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <algorithm>
#include <stdexcept>

#include "proxy/ids.h"

namespace reeve::join {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void append_base64url(std::string& out, std::string_view bytes) {
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - at);
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (i < n ? static_cast<uint8_t>(bytes[at + i]) : 0u);
    }
    for (size_t i = 0; i <= n; ++i) out += kAlphabet[bits >> (18 - 6 * i) & 63];
  }
}

// One text for each value: no padding, no stray bits.
std::optional<std::string> decode_base64url(std::string_view text) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<uint32_t>(value)) & 0xffffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>(bits >> held & 0xff);
  }
  if ((bits & ((1u << held) - 1)) != 0) return std::nullopt;
  return out;
}

bool random_bytes(uint8_t* to, size_t size) {
  return ::getrandom(to, size, 0) == static_cast<ssize_t>(size);
}

}  // namespace

Seal::Seal() {
  if (!random_bytes(key_.data(), key_.size())) throw std::runtime_error("no random bytes");
}

std::array<uint8_t, Seal::kMacBytes> Seal::mac(Purpose purpose, std::string_view holder,
                                               std::string_view content) const {
  // The length says where the holder ends.
  std::string text(1, static_cast<char>(purpose));
  text.append(std::to_string(holder.size())).append(1, ':').append(holder).append(content);
  std::array<uint8_t, EVP_MAX_MD_SIZE> whole{};
  unsigned size = 0;
  if (::HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
             reinterpret_cast<const uint8_t*>(text.data()), text.size(), whole.data(),
             &size) == nullptr) {
    throw std::runtime_error("HMAC failed");
  }
  std::array<uint8_t, kMacBytes> cut{};
  std::copy_n(whole.begin(), kMacBytes, cut.begin());
  return cut;
}

std::string Seal::close(Purpose purpose, std::string_view holder, std::string_view content) const {
  const auto tag = mac(purpose, holder, content);
  std::string bytes(tag.begin(), tag.end());
  bytes.append(content);
  std::string out;
  append_base64url(out, bytes);
  return out;
}

std::optional<std::string> Seal::open(Purpose purpose, std::string_view holder,
                                      std::string_view sealed) const {
  const auto bytes = decode_base64url(sealed);
  if (!bytes || bytes->size() < kMacBytes) return std::nullopt;
  std::string content = bytes->substr(kMacBytes);
  const auto wanted = mac(purpose, holder, content);
  if (CRYPTO_memcmp(bytes->data(), wanted.data(), kMacBytes) != 0) return std::nullopt;
  return content;
}

std::string random_id() {
  std::array<uint8_t, 16> bytes{};
  std::string id;
  if (random_bytes(bytes.data(), bytes.size())) append_hex(id, bytes.data(), bytes.size());
  return id;
}

}  // namespace reeve::join
