// See svid.h. Tested by tests/e2e/client_certificate_test.mjs and tests/fuzz/spiffe_fuzz.cc.
#include "proxy/tls/svid.h"

#include <openssl/x509v3.h>

#include <memory>
#include <string_view>

#include "policy/spiffe_id.h"

namespace reeve::tls {
namespace {

struct FreeNames {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

// Null when there is exactly one URI, which is then in `uri`; else why not.
const char* only_uri(X509* certificate, std::string_view& uri,
                     std::unique_ptr<GENERAL_NAMES, FreeNames>& names) {
  int critical = 0;
  names.reset(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, nullptr)));
  // -1 is an absent extension, -2 one that is there twice, and any other value one that is broken.
  if (!names && critical != -1) return "the client certificate's alternative names are malformed";
  size_t uris = 0;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    ++uris;
    const ASN1_IA5STRING* text = name->d.uniformResourceIdentifier;
    uri = {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
           static_cast<size_t>(ASN1_STRING_length(text))};
  }
  if (uris == 0) return "the client certificate has no URI among its alternative names";
  if (uris > 1) return "the client certificate has more than one URI among its alternative names";
  return nullptr;
}

const char* leaf_fault(X509* certificate) {
  const uint32_t flags = X509_get_extension_flags(certificate);
  if (flags & EXFLAG_INVALID) return "the client certificate has a malformed extension";
  if (flags & EXFLAG_CA) return "the client certificate is a CA's";
  if (!(flags & EXFLAG_KUSAGE)) return "the client certificate has no key usage";
  const uint32_t usage = X509_get_key_usage(certificate);
  if (usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) {
    return "the client certificate's key may sign certificates or revocation lists";
  }
  if (!(usage & KU_DIGITAL_SIGNATURE)) {
    return "the client certificate's key usage lacks digitalSignature";
  }
  return nullptr;
}

}  // namespace

Svid read_svid(x509_st* certificate) {
  Svid svid;
  tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1) {
    svid.not_after = std::chrono::system_clock::from_time_t(::timegm(&end));
  }
  std::unique_ptr<GENERAL_NAMES, FreeNames> names;
  std::string_view uri;
  const char* fault = leaf_fault(certificate);
  if (!fault) fault = only_uri(certificate, uri, names);
  if (!fault && !policy::is_spiffe_id(uri)) {
    fault = "the URI of the client certificate is no SPIFFE ID of a workload";
  }
  if (fault) {
    svid.fault = fault;
  } else {
    svid.id = uri;
  }
  return svid;
}

}  // namespace reeve::tls
