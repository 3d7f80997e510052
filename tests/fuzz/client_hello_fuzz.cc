// Any bytes as a client's first flight: no crash, the same verdict from any cut, and a verdict that
// more bytes do not change. The first byte says where to cut.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "proxy/tls/client_hello.h"

using namespace reeve::tls;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const ClientHello whole = read_client_hello(bytes);
  if (whole.flight != Flight::kHello) require(whole.server_name.empty());
  require(whole.server_name.size() <= 255);
  const ClientHello first = read_client_hello(bytes.substr(0, bytes.size() * data[0] / 255));
  if (first.flight == Flight::kMore) return 0;
  require(first.flight == whole.flight && first.server_name == whole.server_name);
  return 0;
}
