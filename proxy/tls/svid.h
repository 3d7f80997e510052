// What a client's certificate says about who the client is: an X.509-SVID, or nothing.
#ifndef REEVE_PROXY_TLS_SVID_H_
#define REEVE_PROXY_TLS_SVID_H_

#include <chrono>
#include <string>

struct x509_st;

namespace reeve::tls {

struct Svid {
  std::string id;          // spiffe://acme.example/agents/jordan; empty when there is a fault
  const char* fault = "";  // why the certificate proves nobody: a static sentence
  std::chrono::system_clock::time_point not_after;
};

// The rules for a leaf, https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md, sections
// 2, 4 and 5: exactly one URI among the subject alternative names, which is the ID of a workload;
// no CA; key usage digitalSignature without keyCertSign and cRLSign. The common name is never read.
// The chain is the handshake's to verify.
Svid read_svid(x509_st* certificate);

}  // namespace reeve::tls

#endif  // REEVE_PROXY_TLS_SVID_H_
