// See credentials.h. Tested end to end by tests/e2e/tls_reload_test.mjs.
#include "proxy/tls/credentials.h"

#include "proxy/policy_files.h"

namespace reeve::tls {
namespace {

std::vector<const FileName*> names(const ServerFiles& files) {
  std::vector<const FileName*> list = {&files.cert, &files.key, &files.client_crl};
  for (const Bundle& bundle : files.client_ca) list.push_back(&bundle.file);
  return list;
}

std::vector<const FileName*> names(const ClientFiles& files) {
  return {&files.ca, &files.cert, &files.key};
}

}  // namespace

// Taken before the files are read: a change meanwhile is seen at the next look.
bool Credentials::load(Diagnostics& diagnostics) {
  seen_ = signature();
  Context fresh =
      std::visit([&](const auto& files) { return make_context(files, diagnostics); }, files_);
  if (!fresh) return false;
  std::lock_guard lock(mutex_);
  context_.swap(fresh);  // the old one is freed after the lock
  return true;
}

Context Credentials::context() const {
  std::lock_guard lock(mutex_);
  return context_;
}

std::string Credentials::signature() const {
  std::string out;
  std::visit(
      [&](const auto& files) {
        for (const FileName* name : names(files)) {
          if (!name->empty()) out += policy_files_signature(name->path);
        }
      },
      files_);
  return out;
}

}  // namespace reeve::tls
