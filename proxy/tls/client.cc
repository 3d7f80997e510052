// See client.h. Tested end to end by tests/e2e/tls_upstream_test.mjs.
#include "proxy/tls/client.h"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/ip/address.hpp>
#include <new>

namespace reeve::tls {
namespace {

constexpr size_t kSessionsMax = 8;

int sessions_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

bool is_address(const std::string& name) {
  boost::system::error_code bad;
  boost::asio::ip::make_address(name, bad);
  return !bad;
}

}  // namespace

void Sessions::FreeSession::operator()(ssl_session_st* session) const { SSL_SESSION_free(session); }

void Sessions::enable(ssl_ctx_st* context) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) {
    auto* sessions = static_cast<Sessions*>(SSL_get_ex_data(ssl, sessions_index()));
    if (!sessions || sessions->context_ != SSL_get_SSL_CTX(ssl)) return 0;
    sessions->keep(Session(session));
    return 1;
  });
}

void Sessions::keep(Session session) {
  if (sessions_.size() >= kSessionsMax) sessions_.erase(sessions_.begin());
  sessions_.push_back(std::move(session));
}

void Sessions::offer(ssl_st* ssl) {
  if (context_ != SSL_get_SSL_CTX(ssl)) {
    sessions_.clear();
    context_ = SSL_get_SSL_CTX(ssl);
  }
  SSL_set_ex_data(ssl, sessions_index(), this);
  while (!sessions_.empty()) {
    const Session newest = std::move(sessions_.back());
    sessions_.pop_back();
    const auto until = SSL_SESSION_get_time(newest.get()) + SSL_SESSION_get_timeout(newest.get());
    if (until <= ::time(nullptr) || !SSL_SESSION_is_resumable(newest.get())) continue;
    SSL_set_session(ssl, newest.get());
    // A ticket of TLS 1.3 is for one use (RFC 8446, C.4); sessions of 1.2 are for many.
    if (SSL_SESSION_get_protocol_version(newest.get()) == TLS1_3_VERSION) return;
    SSL_SESSION_up_ref(newest.get());
    return keep(Session(newest.get()));
  }
}

Ssl Client::start() {
  context_ = credentials_.context();
  Ssl ssl(SSL_new(context_.get()));
  if (!ssl) throw std::bad_alloc();
  SSL_set_connect_state(ssl.get());
  X509_VERIFY_PARAM* expect = SSL_get0_param(ssl.get());
  bool set = false;
  if (is_address(name_)) {
    set = X509_VERIFY_PARAM_set1_ip_asc(expect, name_.c_str()) == 1;
  } else {
    X509_VERIFY_PARAM_set_hostflags(
        expect, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    set = X509_VERIFY_PARAM_set1_host(expect, name_.data(), name_.size()) == 1 &&
          SSL_set_tlsext_host_name(ssl.get(), name_.c_str()) == 1;
  }
  if (!set) throw std::bad_alloc();  // without it any name would do
  sessions_.offer(ssl.get());
  return ssl;
}

Ssl start_server(const Context& context) {
  Ssl ssl(SSL_new(context.get()));
  if (!ssl) throw std::bad_alloc();
  SSL_set_accept_state(ssl.get());
  return ssl;
}

std::string handshake_failure(const ssl_st* ssl, std::string error, const std::string& name) {
  const long verified = SSL_get_verify_result(ssl);
  if (verified == X509_V_OK) return fmt::format("the TLS handshake failed: {}", error);
  const char* whose = name.empty() ? "the client's" : "its";
  const std::string why = X509_verify_cert_error_string(verified);
  switch (verified) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("{} certificate has expired; renew it", whose);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format(
          "its certificate is not for `{}`; correct the URL, or name the host that it is "
          "for with `tls: {{server_name: NAME}}`",
          name);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return fmt::format("{} certificate is of a CA that is not trusted ({}); {}", whose, why,
                         name.empty() ? "name its CA with `tls: {client_ca: PATH}`"
                                      : "name its CA with `tls: {ca: PATH}`, or let it send its "
                                        "intermediate certificates");
    case X509_V_ERR_APPLICATION_VERIFICATION:
      return "the client's certificate is of another trust domain than its CA; name the CA of each "
             "domain with `tls: {client_ca: {DOMAIN: PATH}}`";
    default:
      return fmt::format("{} certificate does not verify: {}", whose, why);
  }
}

}  // namespace reeve::tls
