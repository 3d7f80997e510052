// REEVE_COMMIT comes from CMakeLists.txt, for this file only. No time and no path of the build is
// in here: the same source gives the same bytes. Tested by tests/e2e/packaging_test.mjs.
#include "proxy/about.h"

#include <fmt/format.h>
#include <link.h>
#include <openssl/crypto.h>
#include <simdjson.h>
#include <sqlite3.h>

#include <boost/version.hpp>
#include <string_view>

#include "proxy/version.h"

namespace reeve {
namespace {

#define REEVE_TEXT_OF(version) #version
#define REEVE_TEXT(version) REEVE_TEXT_OF(version)

// Of each shared object its name without folder; the program itself has none, the vDSO is no file.
int add_loaded(dl_phdr_info* info, size_t, void* to) {
  std::string_view name = info->dlpi_name;
  const size_t slash = name.rfind('/');
  if (slash != std::string_view::npos)
    static_cast<std::string*>(to)->append(" ").append(name, slash + 1);
  return 0;
}

}  // namespace

std::string about() {
  std::string loaded;
  dl_iterate_phdr(add_loaded, &loaded);
  return fmt::format(
      "reeve {}\n"
      "commit {}\n"
      "compiler {}\n"
      "libraries Boost {}.{}.{}, OpenSSL {}, SQLite {}, fmt {}.{}.{}, simdjson {}\n"
      "loaded{}\n",
      kVersion, REEVE_COMMIT, __VERSION__, BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000,
      BOOST_VERSION % 100, OpenSSL_version(OPENSSL_VERSION_STRING), sqlite3_libversion(),
      FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100, REEVE_TEXT(SIMDJSON_VERSION),
      loaded);
}

}  // namespace reeve
