// Certificates and SPIFFE IDs of hostile clients: whatever the bytes, an ID is proven only where it
// is one, and never together with a fault.
#include <openssl/x509.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/spiffe_id.h"
#include "proxy/tls/svid.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reeve;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (policy::is_spiffe_id(text)) {
    const std::string_view domain = policy::trust_domain(text);
    if (!policy::is_trust_domain(domain)) std::abort();
    if (text.find_first_of("?#@%: \n", 9) != text.npos) std::abort();
  }
  const unsigned char* at = data;
  X509* certificate = d2i_X509(nullptr, &at, static_cast<long>(size));
  if (!certificate) return 0;
  const tls::Svid svid = tls::read_svid(certificate);
  if (svid.id.empty() == (*svid.fault == '\0')) std::abort();
  if (!svid.id.empty() && !policy::is_spiffe_id(svid.id)) std::abort();
  X509_free(certificate);
  return 0;
}
