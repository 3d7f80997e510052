// See pem.h. Tested end to end by tests/e2e/tls_reload_test.mjs.
#include "proxy/tls/pem.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <optional>

#include "proxy/policy_files.h"

namespace reeve::tls {
namespace {

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

// A file's text, wiped when it is no longer needed: it may be a key.
class Text {
 public:
  Text(const FileName& file, Diagnostics& diagnostics) {
    Diagnostics found;
    if (auto source = read_source_file(file.path, found)) {
      text_ = std::move(source->text);
      read_ = true;
      return;
    }
    for (const Diagnostic& each : found.all()) {
      diagnostics.error(file.at, fmt::format("`{}`: {}", file.path, each.message));
    }
  }
  ~Text() { OPENSSL_cleanse(text_.data(), text_.size()); }
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;

  explicit operator bool() const { return read_; }
  Bio bio() const { return Bio(BIO_new_mem_buf(text_.data(), static_cast<int>(text_.size()))); }

 private:
  std::string text_;
  bool read_ = false;
};

// Whether a list of PEM blocks ended because there are no more, and not at a broken one.
bool ended_well() {
  const unsigned long code = ERR_peek_last_error();
  const bool well = code == 0 || (ERR_GET_LIB(code) == ERR_LIB_PEM &&
                                  ERR_GET_REASON(code) == PEM_R_NO_START_LINE);
  ERR_clear_error();
  return well;
}

int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

template <class Owner, class ReadOne>
std::vector<Owner> read_list(const FileName& file, const char* what, ReadOne read_one,
                             Diagnostics& diagnostics) {
  std::vector<Owner> list;
  const Text text(file, diagnostics);
  if (!text) return list;
  ERR_clear_error();
  const Bio bio = text.bio();
  while (auto* each = read_one(bio.get())) list.emplace_back(each);
  const bool well = ended_well();
  if (well && !list.empty()) return list;
  diagnostics.error(
      file.at,
      well ? fmt::format("`{}` holds no {} in PEM form; name the file that does", file.path, what)
           : fmt::format("`{}` holds a {} that cannot be read; write the file anew", file.path,
                         what));
  list.clear();
  return list;
}

std::string date_of(const ASN1_TIME* time) {
  tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return "an unreadable time";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", fields.tm_year + 1900,
                     fields.tm_mon + 1, fields.tm_mday, fields.tm_hour, fields.tm_min,
                     fields.tm_sec);
}

}  // namespace

std::vector<Certificate> read_certificates(const FileName& file, Diagnostics& diagnostics) {
  return read_list<Certificate>(
      file, "certificate",
      [](BIO* bio) { return PEM_read_bio_X509(bio, nullptr, nullptr, nullptr); }, diagnostics);
}

std::vector<RevocationList> read_revocation_lists(const FileName& file, Diagnostics& diagnostics) {
  return read_list<RevocationList>(
      file, "revocation list",
      [](BIO* bio) { return PEM_read_bio_X509_CRL(bio, nullptr, nullptr, nullptr); }, diagnostics);
}

Key read_key(const FileName& file, Diagnostics& diagnostics) {
  const Text text(file, diagnostics);
  if (!text) return nullptr;
  ERR_clear_error();
  bool encrypted = false;
  Key key(PEM_read_bio_PrivateKey(text.bio().get(), nullptr, no_passphrase, &encrypted));
  ERR_clear_error();
  if (key) return key;
  diagnostics.error(
      file.at, encrypted
                   ? fmt::format("the key in `{}` is encrypted, and nobody is there to type its "
                                 "passphrase; write it decrypted, with `openssl pkey`",
                                 file.path)
                   : fmt::format("`{}` holds no private key in PEM form; name the file that does",
                                 file.path));
  return nullptr;
}

void check_time(const FileName& file, x509_st* certificate, Diagnostics& diagnostics) {
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0) {
    diagnostics.error(file.at, fmt::format("the certificate in `{}` expired at {}; renew it",
                                           file.path, date_of(X509_get0_notAfter(certificate))));
  } else if (X509_cmp_current_time(X509_get0_notBefore(certificate)) >= 0) {
    diagnostics.error(file.at,
                      fmt::format("the certificate in `{}` is not valid before {}; correct the "
                                  "clock or the certificate",
                                  file.path, date_of(X509_get0_notBefore(certificate))));
  }
}

}  // namespace reeve::tls
