// A POST's header fields and body on any bytes: `NAME: VALUE` lines, an empty line, the body. What
// is read must hold together, and the same body as an upstream's message must filter to a fixed
// point.
#include <cstdlib>

#include "proxy/mcp/list_filter.h"
#include "proxy/mcp/message.h"
#include "proxy/mcp/reply.h"

namespace {

using namespace reeve;

void require(bool condition) {
  if (!condition) std::abort();
}

std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

http::Fields take_fields(std::string_view& text) {
  http::Fields fields;
  while (fields.list.size() < 64) {
    const std::string_view line = take_line(text);
    if (line.empty()) break;
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    fields.list.push_back({line.substr(0, colon), line.substr(colon + 2)});
  }
  return fields;
}

void check_message(const mcp::Message& message) {
  json::Parser parser;
  require(message.id.empty() == (message.shape == mcp::Shape::kNotification));
  if (message.id_value) require(!mcp::id_key(*message.id_value).empty());
  require(message.method.empty() == (message.shape == mcp::Shape::kResponse));
  require(!message.arguments || (message.arguments->is_object() && message.method == "tools/call"));
  require(message.shape == mcp::Shape::kRequest || message.target.empty());
  require(parser.parse(mcp::hidden_body(message)).has_value());
  require(parser.parse(mcp::denial_body(message, {.text = message.target, .effect = "deny"}))
              .has_value());
}

void check_filter(std::string_view body) {
  const mcp::Visible visible = [](mcp::List, std::string_view name) {
    return name.size() % 2 == 0;
  };
  json::Parser parser;
  std::string out, again;
  if (mcp::filter_message(parser, body, visible, out) != mcp::Filtered::kChanged) return;
  require(parser.parse(out).has_value());
  require(mcp::filter_message(parser, out, visible, again) == mcp::Filtered::kUnchanged);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const http::Fields fields = take_fields(text);
  mcp::Reader::check_post_fields(fields);
  mcp::Reader reader;
  if (reader.read(text, fields)) {
    check_message(reader.message());
  } else {
    json::Parser parser;
    const mcp::Refusal& refusal = reader.refusal();
    require(parser.parse(mcp::error_body(refusal.id, refusal.code, refusal.message)).has_value());
  }
  check_filter(text);
  return 0;
}
