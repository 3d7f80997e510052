// Any bytes: the strict YAML reader returns a bounded tree or a located error, and never throws.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/yaml.h"

namespace {

size_t count(const reeve::yaml::Node& node, size_t depth) {
  if (depth > 65) std::abort();
  size_t nodes = 1;
  for (const auto& item : node.items) nodes += count(item, depth + 1);
  for (const auto& member : node.members) nodes += count(member.value, depth + 1);
  return nodes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  reeve::Diagnostics diagnostics;
  reeve::yaml::Limits limits;
  limits.alias_bytes = 100'000;
  const auto document = reeve::yaml::parse(text, "f", diagnostics, limits);
  if ((document == nullptr) != diagnostics.has_errors()) std::abort();
  if (document) count(document->root, 1);
  return 0;
}
