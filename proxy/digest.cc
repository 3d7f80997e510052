// A context for each thread, made once with its algorithm: a fetch, a context and the look-up of an
// engine each cost more than hashing a token. Tested by tests/proxy/journal_test.cc.
#include "proxy/digest.h"

#include <openssl/evp.h>

#include <memory>
#include <new>

namespace reeve {
namespace {

struct Free {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

EVP_MD_CTX* make_context() {
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  if (!EVP_DigestInit_ex2(context, algorithm, nullptr)) throw std::bad_alloc();
  return context;
}

}  // namespace

policy::Sha256 sha256(std::string_view text) {
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> context(make_context());
  policy::Sha256 hash{};
  unsigned size = hash.size();
  // Without an algorithm the context begins anew with the one that it has.
  if (!EVP_DigestInit_ex2(context.get(), nullptr, nullptr) ||
      !EVP_DigestUpdate(context.get(), text.data(), text.size()) ||
      !EVP_DigestFinal_ex(context.get(), hash.data(), &size)) {
    throw std::bad_alloc();  // the library has no other reason to fail
  }
  return hash;
}

}  // namespace reeve
