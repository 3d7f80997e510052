// Where a server of HTTP+SSE may have messages posted to: nowhere but at its own origin.
#include "proxy/stdio/event_channel.h"

#include <catch2/catch.hpp>

namespace reeve::stdio {
namespace {

UpstreamConfig upstream_at(std::string authority, std::string base_path, bool secure = false) {
  UpstreamConfig config;
  config.authority = std::move(authority);
  config.base_path = std::move(base_path);
  if (secure) config.tls.emplace();
  return config;
}

TEST_CASE("an endpoint is resolved beside the stream's URL") {
  const UpstreamConfig plain = upstream_at("mcp.example:8000", "/v1/sse");
  const UpstreamConfig root = upstream_at("mcp.example", "");
  const UpstreamConfig secure = upstream_at("mcp.example", "/sse", true);
  const UpstreamConfig six = upstream_at("[::1]:8000", "/sse");
  struct Row {
    const UpstreamConfig& upstream;
    const char* said;
    const char* wanted;  // null: refused
  };
  const std::string longest = "/m?" + std::string(8 * 1024, 'x');
  const Row rows[] = {
      {plain, "/messages?sessionId=1", "/messages?sessionId=1"},
      {plain, "messages", "/v1/messages"},
      {plain, "messages?a=/b:c//d", "/v1/messages?a=/b:c//d"},
      {plain, "?sessionId=1", "/v1/sse?sessionId=1"},
      {plain, "http://mcp.example:8000/m?x=1", "/m?x=1"},
      {plain, "HTTP://MCP.Example:8000/m", "/m"},
      {plain, "http://mcp.example:8000", "/"},
      {plain, "http://mcp.example:8000?x", "/?x"},
      {plain, "//mcp.example:8000/m", "/m"},
      {plain, "/m%7Es;v=1", "/m~s;v=1"},
      {root, "messages", "/messages"},
      {root, "http://mcp.example:80/m", "/m"},
      {secure, "https://mcp.example/m", "/m"},
      {secure, "https://mcp.example:443/m", "/m"},
      {six, "http://[::1]:8000/m", "/m"},
      // Elsewhere.
      {plain, "http://evil.example:8000/m", nullptr},
      {plain, "http://mcp.example/m", nullptr},
      {plain, "http://mcp.example:8001/m", nullptr},
      {plain, "https://mcp.example:8000/m", nullptr},
      {secure, "http://mcp.example/m", nullptr},
      {secure, "http://mcp.example:443/m", nullptr},
      {plain, "//evil.example/m", nullptr},
      {plain, "//mcp.example:8000@evil.example/m", nullptr},
      {plain, "http://mcp.example:8000@evil.example/m", nullptr},
      {plain, "http://user@mcp.example:8000/m", nullptr},
      {plain, "http:/m", nullptr},
      {plain, "http:m", nullptr},
      {plain, "ftp://mcp.example:8000/m", nullptr},
      {plain, "javascript:alert(1)", nullptr},
      {six, "http://[::1]:8000.evil.example/m", nullptr},
      // Two readings, or none.
      {plain, "", nullptr},
      {plain, "/m#x", nullptr},
      {plain, "/m x", nullptr},
      {plain, "/m\r\nX: y", nullptr},
      {plain, "\\\\evil.example\\m", nullptr},
      {plain, "/\\evil.example/m", nullptr},
      {plain, "/../m", nullptr},
      {plain, "/a/%2e%2e/m", nullptr},
      {plain, "/a%2Fm", nullptr},
      {plain, "///evil.example/m", nullptr},
      {plain, "/a//m", nullptr},
      {plain, "/m\xc3\xa4", nullptr},
      {plain, longest.c_str(), nullptr},
  };
  for (const Row& row : rows) {
    INFO(row.said);
    const auto found = resolve_endpoint(row.said, row.upstream);
    REQUIRE(found.has_value() == (row.wanted != nullptr));
    if (row.wanted) CHECK(*found == row.wanted);
  }
}

}  // namespace
}  // namespace reeve::stdio
