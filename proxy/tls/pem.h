// Certificates, keys and revocation lists of PEM files, with errors for whoever wrote reeve.yaml.
#ifndef REEVE_PROXY_TLS_PEM_H_
#define REEVE_PROXY_TLS_PEM_H_

#include <string>
#include <vector>

#include "policy/diagnostic.h"
#include "proxy/tls/ssl.h"

namespace reeve::tls {

// A path, and where reeve.yaml names it.
struct FileName {
  std::string path;
  Place at;
  bool empty() const { return path.empty(); }
};

// Each returns nothing (an empty list, null) after adding an error at `file.at` that names the file
// and the remedy. Only regular files of at most 16 MB are read, and nothing blocks.
std::vector<Certificate> read_certificates(const FileName& file, Diagnostics& diagnostics);
// An encrypted key is an error: nobody is there to type its passphrase.
Key read_key(const FileName& file, Diagnostics& diagnostics);
std::vector<RevocationList> read_revocation_lists(const FileName& file, Diagnostics& diagnostics);

// Adds an error when the certificate has expired or is not valid yet.
void check_time(const FileName& file, x509_st* certificate, Diagnostics& diagnostics);

}  // namespace reeve::tls

#endif  // REEVE_PROXY_TLS_PEM_H_
