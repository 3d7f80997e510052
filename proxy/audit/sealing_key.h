// The key that signs checkpoints, and how it evolves: each epoch has a seed, from which its Ed25519
// key and the next seed are derived one way (HMAC-SHA-256, as HKDF's expansion, RFC 5869). The seed
// of an epoch that ended is erased, so that whoever takes the file finds no way back.
#ifndef REEVE_PROXY_AUDIT_SEALING_KEY_H_
#define REEVE_PROXY_AUDIT_SEALING_KEY_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/call.h"
#include "policy/result.h"

struct evp_pkey_st;

namespace reeve::audit {

class SealingKey {
 public:
  using Seed = std::array<uint8_t, 32>;

  SealingKey(uint64_t epoch, policy::Time since, const Seed& seed);
  SealingKey(SealingKey&& other) noexcept;
  SealingKey& operator=(SealingKey&& other) noexcept;
  ~SealingKey();  // wipes the seed

  // Of epoch 0, from the kernel's random bytes.
  static Result<SealingKey> create(policy::Time now);
  // Nothing when there is no such file; an error when it cannot be read or is no key.
  static Result<std::optional<SealingKey>> load(const std::string& path);
  // Replaces the file (0600) in one step, and overwrites what the old one held. True when the new
  // one is on the disk.
  Result<bool> save(const std::string& path) const;

  uint64_t epoch() const { return epoch_; }
  policy::Time since() const { return since_; }
  const std::string& public_key() const { return public_; }  // 64 hexadecimal digits
  std::string sign(std::string_view text) const;             // 128 hexadecimal digits
  SealingKey next(policy::Time now) const;

 private:
  uint64_t epoch_;
  policy::Time since_;
  Seed seed_;
  evp_pkey_st* private_ = nullptr;
  std::string public_;
};

// False also for a key or signature that is none.
bool verify_signature(std::string_view public_key, std::string_view text, std::string_view sig);

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_SEALING_KEY_H_
