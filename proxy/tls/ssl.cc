// See ssl.h.
#include "proxy/tls/ssl.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cstring>

namespace reeve::tls {

void Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }
void Free::operator()(x509_st* certificate) const { X509_free(certificate); }
void Free::operator()(X509_crl_st* list) const { X509_CRL_free(list); }
void Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Context adopt(ssl_ctx_st* context) { return Context(context, SSL_CTX_free); }

std::string take_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "an unknown error";
  if (ERR_SYSTEM_ERROR(code)) return std::strerror(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  return reason ? reason : "an unknown error";
}

}  // namespace reeve::tls
