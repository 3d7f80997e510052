// Contexts are the same in all but what the peer must show. Both sides: TLS 1.2 or newer, forward
// secrecy and authenticated ciphers alone, no renegotiation, no compression, keys of 112 bits or
// more and no SHA-1 in signatures (OpenSSL's security level 2). Tested end
// to end by tests/e2e/tls_*_test.mjs and client_certificate_test.mjs.
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>

#include "policy/spiffe_id.h"
#include "proxy/tls/client.h"
#include "proxy/tls/credentials.h"
#include "proxy/tls/svid.h"

namespace reeve::tls {
namespace {

constexpr int kDepth = 8;
constexpr long kSessionSeconds = 3600;
constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

// Whose CA each root is. Lives as long as its context.
struct Trust {
  std::vector<std::pair<std::string, Certificate>> roots;

  bool vouches(std::string_view domain, X509* root) const {
    return std::any_of(roots.begin(), roots.end(), [&](const auto& known) {
      return known.first == domain && X509_cmp(known.second.get(), root) == 0;
    });
  }
};

int trust_index() {
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr, [](void*, void* trust, CRYPTO_EX_DATA*, int, long, void*) {
        delete static_cast<Trust*>(trust);
      });
  return index;
}

Context new_context(const SSL_METHOD* method) {
  Context context = adopt(SSL_CTX_new(method));
  if (!context) throw std::bad_alloc();
  SSL_CTX* c = context.get();
  SSL_CTX_set_security_level(c, 2);
  SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20");  // of TLS 1.2
  SSL_CTX_set_options(
      c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                          SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(c, 1);
  SSL_CTX_set_verify_depth(c, kDepth);
  SSL_CTX_set_timeout(c, kSessionSeconds);
  return context;
}

// The own certificate with its intermediates, and the key that belongs to it.
void use_certificate(SSL_CTX* context, const FileName& cert, const FileName& key,
                     Diagnostics& diagnostics) {
  const std::vector<Certificate> chain = read_certificates(cert, diagnostics);
  const Key secret = read_key(key, diagnostics);
  if (chain.empty() || !secret) return;
  check_time(cert, chain.front().get(), diagnostics);
  ERR_clear_error();
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
    diagnostics.error(cert.at, fmt::format("the certificate in `{}` cannot be used: {}; make one "
                                           "with a stronger key or signature",
                                           cert.path, take_error()));
    return;
  }
  if (X509_check_private_key(chain.front().get(), secret.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, secret.get()) != 1) {
    ERR_clear_error();
    diagnostics.error(key.at, fmt::format("the key in `{}` is not that of the certificate in "
                                          "`{}`; name a pair",
                                          key.path, cert.path));
    return;
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1) continue;
    diagnostics.error(cert.at, fmt::format("an intermediate certificate in `{}` cannot be used: "
                                           "{}; make one with a stronger key or signature",
                                           cert.path, take_error()));
  }
}

// HTTP/1.1 or nothing: a client that offers other protocols only is told so by an alert. RFC 7301.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned int size, void*) {
  for (unsigned at = 0; at + 1 + offered[at] <= size; at += 1 + offered[at]) {
    if (offered[at] == kHttp11[0] && std::memcmp(offered + at, kHttp11, sizeof kHttp11) == 0) {
      *out = offered + at + 1;
      *out_size = offered[at];
      return SSL_TLSEXT_ERR_OK;
    }
    if (at + 1 + offered[at] == size) break;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// The chain by OpenSSL's rules, then SPIFFE's: the root must be of the leaf's own trust domain.
// What else is wrong with a leaf is said with a 401, which a client can read.
int verify_client(X509_STORE_CTX* store, void*) {
  const int verified = X509_verify_cert(store);
  if (verified != 1) return verified;
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const auto* trust = static_cast<Trust*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), trust_index()));
  if (!trust) return 1;
  const Svid svid = read_svid(X509_STORE_CTX_get0_cert(store));
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(store);
  X509* root = sk_X509_value(chain, sk_X509_num(chain) - 1);
  if (svid.id.empty() || trust->vouches(policy::trust_domain(svid.id), root)) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

// An issuer without a list is let pass where it is not the leaf's: most root CAs publish none.
int on_chain_error(int good, X509_STORE_CTX* store) {
  if (!good && X509_STORE_CTX_get_error(store) == X509_V_ERR_UNABLE_TO_GET_CRL &&
      X509_STORE_CTX_get_error_depth(store) > 0) {
    return 1;
  }
  return good;
}

void ask_clients(SSL_CTX* context, const ServerFiles& files, Diagnostics& diagnostics) {
  if (files.client_ca.empty()) return;
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  auto trust = std::make_unique<Trust>();
  for (const Bundle& bundle : files.client_ca) {
    for (Certificate& ca : read_certificates(bundle.file, diagnostics)) {
      X509_STORE_add_cert(store, ca.get());
      SSL_CTX_add_client_CA(context, ca.get());
      if (!bundle.trust_domain.empty()) {
        trust->roots.emplace_back(bundle.trust_domain, std::move(ca));
      }
    }
  }
  if (!trust->roots.empty()) SSL_CTX_set_ex_data(context, trust_index(), trust.release());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_chain_error);
  SSL_CTX_set_cert_verify_callback(context, verify_client, nullptr);
  if (files.client_crl.empty()) return;
  for (const RevocationList& list : read_revocation_lists(files.client_crl, diagnostics)) {
    X509_STORE_add_crl(store, list.get());
  }
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

}  // namespace

Context make_context(const ServerFiles& files, Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.error_count();
  Context context = new_context(TLS_server_method());
  SSL_CTX* c = context.get();
  use_certificate(c, files.cert, files.key, diagnostics);
  ask_clients(c, files, diagnostics);
  SSL_CTX_set_alpn_select_cb(c, choose_protocol, nullptr);
  // Sessions travel in tickets, sealed with keys of this context alone: a new certificate, CA or
  // revocation list makes every client shake hands in full again.
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  constexpr unsigned char kId[] = "reeve";
  SSL_CTX_set_session_id_context(c, kId, sizeof kId - 1);
  return diagnostics.error_count() == errors_before ? context : nullptr;
}

Context make_context(const ClientFiles& files, Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.error_count();
  Context context = new_context(TLS_client_method());
  SSL_CTX* c = context.get();
  if (files.ca.empty()) {
    SSL_CTX_set_default_verify_paths(c);
  } else {
    for (const Certificate& ca : read_certificates(files.ca, diagnostics)) {
      X509_STORE_add_cert(SSL_CTX_get_cert_store(c), ca.get());
    }
  }
  ERR_clear_error();
  if (!files.cert.empty()) use_certificate(c, files.cert, files.key, diagnostics);
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_alpn_protos(c, kHttp11, sizeof kHttp11);
  Sessions::enable(c);
  return diagnostics.error_count() == errors_before ? context : nullptr;
}

}  // namespace reeve::tls
