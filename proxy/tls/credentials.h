// Certificates and keys of one listener or upstream, ready for use, and replaced while in use.
//
// What connections are made from is an OpenSSL context that never changes once it is built. Files
// that change make a new one, which only new connections see; files that do not load change
// nothing.
#ifndef REEVE_PROXY_TLS_CREDENTIALS_H_
#define REEVE_PROXY_TLS_CREDENTIALS_H_

#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "policy/diagnostic.h"
#include "proxy/tls/pem.h"
#include "proxy/tls/ssl.h"

namespace reeve::tls {

// CAs that vouch for the clients of one trust domain; an empty name stands for any.
struct Bundle {
  std::string trust_domain;
  FileName file;
};

// Of a listener. Without client CAs no certificate is asked for. A client that has one may present
// it; then it must verify, else the handshake fails.
struct ServerFiles {
  FileName cert;  // the leaf, then intermediates
  FileName key;
  std::vector<Bundle> client_ca;
  FileName client_crl;  // optional; then a list of the issuer of each client must be there
};

// Of an upstream. Without `ca` the system's CAs are trusted. `cert` and `key` are both or neither.
struct ClientFiles {
  FileName ca;
  FileName cert;
  FileName key;
};

// Null after adding errors, each at the place of its file in reeve.yaml.
Context make_context(const ServerFiles& files, Diagnostics& diagnostics);
Context make_context(const ClientFiles& files, Diagnostics& diagnostics);

class Credentials {
 public:
  using Files = std::variant<ServerFiles, ClientFiles>;

  explicit Credentials(Files files) : files_(std::move(files)) {}
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;

  // Reads the files. False after adding errors; what was loaded before stays. One thread.
  bool load(Diagnostics& diagnostics);
  // Whether the files may have changed since they were last read, well or not. The same thread.
  bool changed() const { return signature() != seen_; }

  // For new connections; null before the first load. Any thread.
  Context context() const;

 private:
  std::string signature() const;

  const Files files_;
  std::string seen_;
  mutable std::mutex mutex_;
  Context context_;  // guarded by mutex_
};

}  // namespace reeve::tls

#endif  // REEVE_PROXY_TLS_CREDENTIALS_H_
