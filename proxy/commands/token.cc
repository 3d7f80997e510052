// 256 random bits from the kernel: a guess is hopeless, and so is finding the token from its hash.
#include "proxy/commands/token.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <cstdint>

#include "proxy/commands/arguments.h"
#include "proxy/config.h"
#include "proxy/ids.h"

namespace reeve::commands {

namespace {
constexpr Option kOptions[] = {{"--json", "", "one JSON object"}};
constexpr Synopsis kSynopsis = {
    "token", "[--json]",
    "Prints a new token and its SHA-256. The token goes to the agent, the hash into the policy:\n"
    "identity: [{token_sha256: HASH}]",
    kOptions};
}  // namespace

int token(std::vector<std::string> args) {
  int exit_code = 0;
  const auto arguments = Arguments::parse(kSynopsis, args, exit_code);
  if (!arguments) return exit_code;
  const bool json = arguments->has("--json");
  uint8_t bytes[32];
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
    fmt::print(stderr, "reeve token: the kernel gave no random bytes\n");
    return 1;
  }
  std::string secret = "rv_";
  append_hex(secret, bytes, sizeof bytes);
  const policy::Sha256 hash = sha256(secret);
  std::string hex;
  append_hex(hex, hash.data(), hash.size());
  if (json) {
    fmt::print("{{\"token\":\"{}\",\"token_sha256\":\"{}\"}}\n", secret, hex);
  } else {
    fmt::print("token:        {}\ntoken_sha256: {}\n", secret, hex);
  }
  return 0;
}

}  // namespace reeve::commands
