// One MCP message over Streamable HTTP, read once and judged from its body.
//
// Both eras are understood: 2026-07-28 (stateless, mirrored headers) and 2025-11-25 and older
// (sessions). The body decides; headers that mirror it are compared and never trusted.
#ifndef REEVE_PROXY_MCP_MESSAGE_H_
#define REEVE_PROXY_MCP_MESSAGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/json.h"
#include "policy/json_keys.h"
#include "proxy/http/message.h"

namespace reeve::mcp {

enum class Era : uint8_t { kLegacy, kModern };
enum class Shape : uint8_t { kRequest, kNotification, kResponse };

// Why a message is refused before any rule is asked (../README.md has the table).
struct Refusal {
  int http_status = 400;
  int code = -32600;        // JSON-RPC
  std::string message;      // for the client; no secrets
  std::string id = "null";  // JSON text to echo
};

// Views into the body and into `scratch` strings of the Reader that made it.
struct Message {
  Era era = Era::kLegacy;
  Shape shape = Shape::kRequest;
  std::string_view id;  // JSON text as sent; empty without id
  std::optional<json::Value> id_value;
  std::string_view method;  // unescaped; empty for a response
  std::optional<json::Value> params;
  // tools/call: the tool; prompts/get: the prompt; resources/read and (un)subscribe: the URI;
  // tasks/*: the task id; else empty. Unescaped.
  std::string_view target;
  std::optional<json::Value> arguments;  // tools/call: params.arguments
};

// Reads messages of one connection; keeps capacity. Not thread-safe.
class Reader {
 public:
  // Checks a POST's header fields before its body is read: one Content-Type, application/json in
  // UTF-8, and no Content-Encoding. Accept is the upstream's to judge: it knows what it answers
  // with.
  static std::optional<Refusal> check_post_fields(const http::Fields& fields);

  // Reads the body of a POST and compares the header fields that mirror it. True: message(); false:
  // refusal(). `body` must outlive the use of message(). What only the upstream knows is left to
  // it: which versions it supports, which sessions live, which capabilities a call needs.
  bool read(std::string_view body, const http::Fields& fields);

  const Message& message() const { return message_; }
  const Refusal& refusal() const { return refusal_; }

  // Between messages: gives back what a large body made this hold. message() dies.
  void trim(size_t bytes) { parser_.trim(bytes); }

 private:
  bool refuse(int http_status, int code, std::string message);
  bool read_members(const json::Value& root);
  bool read_id(const json::Value& id);
  bool read_method(const json::Value& method);
  bool read_shape();
  bool read_params();
  bool read_target();
  bool read_era(const http::Fields& fields);
  bool compare_headers(const http::Fields& fields);

  json::Parser parser_;
  json::KeySet::Found members_, params_, inner_;  // of the message, its params, what is in those
  Message message_;
  Refusal refusal_;
  std::optional<json::Value> meta_version_;  // in params._meta
  bool meta_capabilities_ = false;
  bool has_result_ = false;
  bool has_error_ = false;
  std::string method_scratch_;
  std::string target_scratch_;
};

// One text for each id, however it is written (`"a"` and `"\u0061"`, 1 and 1.0, but not "1" and 1):
// what an upstream sends back is compared by this. Empty: not a string or an integer within
// ±(2^53-1), so no id.
std::string id_key(const json::Value& id);

}  // namespace reeve::mcp

#endif  // REEVE_PROXY_MCP_MESSAGE_H_
