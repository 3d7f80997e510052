// Tested by tests/proxy/audit_seal_test.cc.
#include "proxy/audit/sealing_key.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "proxy/audit/line.h"
#include "proxy/audit/scan.h"
#include "proxy/ids.h"
#include "proxy/journal_file.h"

namespace reeve::audit {
namespace {

constexpr std::string_view kBegin = "reeve-audit-key 1\nepoch ";

SealingKey::Seed derive(const SealingKey::Seed& seed, std::string_view purpose) {
  SealingKey::Seed out;
  unsigned size = out.size();
  const std::string info = std::string(purpose) + '\x01';
  HMAC(EVP_sha256(), seed.data(), seed.size(), reinterpret_cast<const uint8_t*>(info.data()),
       info.size(), out.data(), &size);
  return out;
}

std::string hex(const uint8_t* bytes, size_t size) {
  std::string out;
  append_hex(out, bytes, size);
  return out;
}

const uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

struct Closing {
  int fd;
  ~Closing() {
    if (fd >= 0) ::close(fd);
  }
};

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return ::fsync(fd) == 0;
}

Error cannot(const std::string& path, const char* what) {
  return Error{
      fmt::format("the sealing key `{}` cannot be {}: {}", path, what, std::strerror(errno))};
}

}  // namespace

SealingKey::SealingKey(uint64_t epoch, policy::Time since, const Seed& seed)
    : epoch_(epoch), since_(since), seed_(seed) {
  Seed secret = derive(seed_, "reeve audit sign");
  private_ = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret.data(), secret.size());
  OPENSSL_cleanse(secret.data(), secret.size());
  uint8_t open[32];
  size_t size = sizeof open;
  EVP_PKEY_get_raw_public_key(private_, open, &size);
  public_ = hex(open, size);
}

SealingKey::SealingKey(SealingKey&& other) noexcept
    : epoch_(other.epoch_),
      since_(other.since_),
      seed_(other.seed_),
      private_(std::exchange(other.private_, nullptr)),
      public_(std::move(other.public_)) {
  OPENSSL_cleanse(other.seed_.data(), other.seed_.size());
}

SealingKey& SealingKey::operator=(SealingKey&& other) noexcept {
  std::swap(epoch_, other.epoch_);
  std::swap(since_, other.since_);
  std::swap(seed_, other.seed_);
  std::swap(private_, other.private_);
  std::swap(public_, other.public_);
  return *this;
}

SealingKey::~SealingKey() {
  OPENSSL_cleanse(seed_.data(), seed_.size());
  EVP_PKEY_free(private_);
}

Result<SealingKey> SealingKey::create(policy::Time now) {
  Seed seed;
  if (::getrandom(seed.data(), seed.size(), 0) != static_cast<ssize_t>(seed.size())) {
    return Error{"the kernel gave no random bytes for the sealing key"};
  }
  return SealingKey(0, now, seed);
}

SealingKey SealingKey::next(policy::Time now) const {
  return SealingKey(epoch_ + 1, now, derive(seed_, "reeve audit next"));
}

Result<std::optional<SealingKey>> SealingKey::load(const std::string& path) {
  const Closing file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (file.fd < 0 && errno == ENOENT) return std::optional<SealingKey>();
  char text[256];
  const ssize_t size = file.fd < 0 ? -1 : ::read(file.fd, text, sizeof text);
  if (size < 0) return cannot(path, "read");
  uint64_t epoch = 0, since = 0;
  std::string_view digits;
  Scan scan({text, static_cast<size_t>(size)});
  scan.literal(kBegin).number(epoch).literal("\nsince ").number(since);
  scan.literal("\nseed ").take(64, digits).literal("\n");
  std::string raw = from_hex(digits);
  OPENSSL_cleanse(text, sizeof text);
  if (!scan.ok() || !scan.rest().empty() || raw.size() != 32) {
    return Error{
        fmt::format("`{}` is damaged or no sealing key; restore it, or move it away, "
                    "which begins a new key that `reeve audit verify` must be told of",
                    path)};
  }
  Seed seed;
  std::memcpy(seed.data(), raw.data(), seed.size());
  OPENSSL_cleanse(raw.data(), raw.size());
  std::optional<SealingKey> key;
  key.emplace(epoch, policy::Time(std::chrono::microseconds(since)), seed);
  OPENSSL_cleanse(seed.data(), seed.size());
  return key;
}

Result<bool> SealingKey::save(const std::string& path) const {
  const std::string fresh = path + ".new";
  std::string text = fmt::format("{}{}\nsince {}\nseed {}\n", kBegin, epoch_,
                                 since_.time_since_epoch().count(), hex(seed_.data(), 32));
  const Closing old{::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW)};
  const Closing file{
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  const bool written = file.fd >= 0 && write_all(file.fd, text);
  OPENSSL_cleanse(text.data(), text.size());
  if (!written || ::rename(fresh.c_str(), path.c_str()) != 0) {
    const Error error = cannot(path, "written");
    ::unlink(fresh.c_str());
    return error;
  }
  if (!sync_folder_of(path)) return cannot(path, "put on the disk");
  // The new one is there for good: now what the old one held may go.
  if (old.fd >= 0) write_all(old.fd, std::string(256, '\0'));
  return true;
}

std::string SealingKey::sign(std::string_view text) const {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  uint8_t sig[64];
  size_t size = sizeof sig;
  EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, private_);
  EVP_DigestSign(context.get(), sig, &size, bytes_of(text), text.size());
  return hex(sig, size);
}

bool verify_signature(std::string_view public_key, std::string_view text, std::string_view sig) {
  const std::string key = from_hex(public_key);
  const std::string raw = from_hex(sig);
  if (key.size() != 32 || raw.size() != 64) return false;
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> open(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(key), key.size()),
      &EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  return open && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, open.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(raw), raw.size(), bytes_of(text), text.size()) ==
             1;
}

}  // namespace reeve::audit
