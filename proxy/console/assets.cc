// Tested by tests/proxy/console_test.cc and tests/e2e/console_test.mjs.
#include "proxy/console/assets.h"

#include <map>
#include <utility>

#include "proxy/digest.h"
#include "proxy/ids.h"

namespace reeve::console {
namespace {

constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".svg", "image/svg+xml"},
};

std::string_view type_of(std::string_view path) {
  for (const auto& [ending, type] : kTypes) {
    if (path.ends_with(ending)) return type;
  }
  return "text/html; charset=utf-8";
}

std::map<std::string_view, Asset> all_assets() {
  std::map<std::string_view, Asset> assets;
  for (const File& file : kFiles) {
    const policy::Sha256 hash = sha256(file.bytes);
    std::string etag = "\"";
    append_hex(etag, hash.data(), 16);
    assets.emplace(file.path, Asset{type_of(file.path), file.bytes, etag + '"'});
  }
  return assets;
}

// Scripts and styles are files; a text can become no markup, whatever the page's own code does
// (`require-trusted-types-for` without a policy that could make any).
constexpr http::Field kPageFields[] = {
    {"Cache-Control", "no-cache"},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
     "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
     "require-trusted-types-for 'script'; trusted-types 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Embedder-Policy", "require-corp"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
};
constexpr http::Field kDataFields[] = {
    {"Cache-Control", "no-store"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
};

}  // namespace

const Asset* find_asset(std::string_view path) {
  static const std::map<std::string_view, Asset> assets = all_assets();
  const auto found = assets.find(path);
  return found == assets.end() ? nullptr : &found->second;
}

bool has_it(const http::Fields& fields, const Asset& asset) {
  return fields.lists("if-none-match", asset.etag);
}

std::span<const http::Field> page_fields() { return kPageFields; }
std::span<const http::Field> data_fields() { return kDataFields; }

}  // namespace reeve::console
