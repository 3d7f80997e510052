// Tested end to end by tests/e2e (load_test looks at what idle connections take).
#include "proxy/workspace.h"

#include <utility>

namespace reeve {
namespace {

constexpr size_t kKept = 32 * 1024;
constexpr size_t kBodyRoom = 16 * 1024;

}  // namespace

void Workspace::trim() {
  for (std::string* scratch : {&out, &body, &line, &target}) {
    if (scratch->capacity() > kKept) std::string().swap(*scratch);
  }
  reader.trim(kKept);
  json.trim(kKept);
}

Workspaces::Workspaces(size_t head_bytes) : head_bytes_(head_bytes) {}

std::unique_ptr<Workspace> Workspaces::take() {
  auto used = kept_.take();
  if (!used) return std::make_unique<Workspace>(head_bytes_, head_bytes_ + kBodyRoom);
  used->parser.reset();
  return used;
}

void Workspaces::give(std::unique_ptr<Workspace> workspace) { kept_.give(std::move(workspace)); }

}  // namespace reeve
