// What a call under way needs and an idle connection does not: its bytes, what was read of them,
// and scratch space that is kept for its capacity. A worker has as many as it has calls at once.
#ifndef REEVE_PROXY_WORKSPACE_H_
#define REEVE_PROXY_WORKSPACE_H_

#include <memory>
#include <string>

#include "policy/json.h"
#include "proxy/buffers.h"
#include "proxy/http/parser.h"
#include "proxy/mcp/message.h"

namespace reeve {

struct Workspace {
  Workspace(size_t head_bytes, size_t buffer_bytes)
      : buffer(new char[buffer_bytes]), capacity(buffer_bytes), parser({head_bytes}) {}

  // Gives back what one large call needed.
  void trim();

  // Received bytes. While a request is handled its head stays in place at the front, and its body
  // is read behind it.
  const std::unique_ptr<char[]> buffer;
  const size_t capacity;
  http::RequestParser parser;

  std::string out;
  std::string body;
  std::string line;
  std::string target;
  mcp::Reader reader;
  json::Parser json;
};

// Of one worker, on its thread.
class Workspaces {
 public:
  explicit Workspaces(size_t head_bytes);

  std::unique_ptr<Workspace> take();
  void give(std::unique_ptr<Workspace> workspace);

 private:
  const size_t head_bytes_;
  Reused<Workspace> kept_{64};
};

}  // namespace reeve

#endif  // REEVE_PROXY_WORKSPACE_H_
