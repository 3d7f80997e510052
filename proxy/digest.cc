// OpenSSL's own functions for SHA-256. The interface for any algorithm (EVP) makes and clears a
// context and looks for an engine at each digest, which costs twice what hashing a token does. They
// have been marked as superseded since 3.0, hence the macro. Tested by tests/proxy/digest_test.cc.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "proxy/digest.h"

#include <openssl/sha.h>

#include <new>

namespace reeve {

policy::Sha256 sha256(std::string_view text, std::string_view rest) {
  SHA256_CTX context;
  policy::Sha256 hash{};
  if (!SHA256_Init(&context) || !SHA256_Update(&context, text.data(), text.size()) ||
      !SHA256_Update(&context, rest.data(), rest.size()) || !SHA256_Final(hash.data(), &context)) {
    throw std::bad_alloc();  // the library has no other reason to fail
  }
  return hash;
}

}  // namespace reeve
