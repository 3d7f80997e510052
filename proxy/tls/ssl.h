// OpenSSL's objects with their owners, and what went wrong in its words.
#ifndef REEVE_PROXY_TLS_SSL_H_
#define REEVE_PROXY_TLS_SSL_H_

#include <memory>
#include <string>

// Of openssl/ssl.h and openssl/x509.h, which only the files that work on them include.
struct ssl_st;
struct ssl_ctx_st;
struct x509_st;
struct X509_crl_st;
struct evp_pkey_st;

namespace reeve::tls {

struct Free {
  void operator()(ssl_st* ssl) const;
  void operator()(x509_st* certificate) const;
  void operator()(X509_crl_st* list) const;
  void operator()(evp_pkey_st* key) const;
};

using Ssl = std::unique_ptr<ssl_st, Free>;
using Certificate = std::unique_ptr<x509_st, Free>;
using RevocationList = std::unique_ptr<X509_crl_st, Free>;
using Key = std::unique_ptr<evp_pkey_st, Free>;
using Context = std::shared_ptr<ssl_ctx_st>;  // thread-safe: many connections are made from one

Context adopt(ssl_ctx_st* context);

// The oldest error of this thread's queue, which is emptied; `an unknown error` when it is empty.
// Reasons name no secrets.
std::string take_error();

}  // namespace reeve::tls

#endif  // REEVE_PROXY_TLS_SSL_H_
