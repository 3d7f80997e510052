// From the bytes of a POST to one message that can be judged, or to a refusal.
//
// Each stage is a method that refuses or goes on, in the order of read(). Nothing is repaired: what
// two readers could take in two ways is refused, everything else passes as it is.
#include "proxy/mcp/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "policy/json_body.h"
#include "policy/words.h"
#include "proxy/mcp/header_value.h"

namespace reeve::mcp {
namespace {

constexpr int kParseError = -32700;
constexpr int kInvalidRequest = -32600;
constexpr int kInvalidParams = -32602;
constexpr int kHeaderMismatch = -32020;  // 2026-07-28

constexpr size_t kMaxIdBytes = 4096;  // as sent
constexpr size_t kMaxMethodBytes = 256;
constexpr size_t kMaxNameBytes = 1024;  // of tools, prompts, tasks
constexpr size_t kMaxUriBytes = 8192;
constexpr int64_t kMaxId = (int64_t{1} << 53) - 1;

constexpr std::string_view kVersionKey = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view kCapabilitiesKey = "io.modelcontextprotocol/clientCapabilities";
constexpr std::string_view kLegacyVersions[] = {"2025-11-25", "2025-06-18", "2025-03-26",
                                                "2024-11-05"};

// Members that the protocol reads, each with its place in the set of names.
namespace body {
enum : size_t { kJsonrpc, kId, kMethod, kParams, kResult, kError };
const json::KeySet kKeys{"jsonrpc", "id", "method", "params", "result", "error"};
}  // namespace body

namespace params {
enum : size_t { kName, kArguments, kUri, kTaskId, kMeta, kRef, kNotifications };
const json::KeySet kKeys{"name",           "arguments",       "uri",
                         "taskId",         "_meta",           "ref",
                         "notifications",  "argument",        "context",
                         "task",           "cursor",          "level",
                         "requestId",      "progressToken",   "requestState",
                         "inputResponses", "protocolVersion", "capabilities",
                         "clientInfo"};
}  // namespace params

namespace meta {
enum : size_t { kVersion, kCapabilities };
const json::KeySet kKeys{kVersionKey, kCapabilitiesKey, "progressToken"};
}  // namespace meta

const json::KeySet kRefKeys{"type", "name", "uri"};
const json::KeySet kListenKeys{"resourceSubscriptions", "taskIds"};

// Where a method's target is.
struct Target {
  std::string_view method;
  size_t member;  // of params
  std::string_view member_name;
  size_t max_bytes;
  bool modern;  // a method of 2026-07-28: mirrored by Mcp-Name, required in both eras
};

constexpr Target kTargets[] = {{"tools/call", params::kName, "name", kMaxNameBytes, true},
                               {"prompts/get", params::kName, "name", kMaxNameBytes, true},
                               {"resources/read", params::kUri, "uri", kMaxUriBytes, true},
                               {"resources/subscribe", params::kUri, "uri", kMaxUriBytes, false},
                               {"resources/unsubscribe", params::kUri, "uri", kMaxUriBytes, false},
                               {"tasks/get", params::kTaskId, "taskId", kMaxNameBytes, true},
                               {"tasks/update", params::kTaskId, "taskId", kMaxNameBytes, true},
                               {"tasks/cancel", params::kTaskId, "taskId", kMaxNameBytes, true},
                               {"tasks/result", params::kTaskId, "taskId", kMaxNameBytes, false}};

const Target* target_of(std::string_view method) {
  const auto* found = std::ranges::find_if(
      kTargets, [method](const Target& one) { return same_text(one.method, method); });
  return found == std::end(kTargets) ? nullptr : found;
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    const uint8_t byte = static_cast<uint8_t>(c);
    return byte < 0x20 || byte == 0x7F;
  });
}

// A number written as an integer (no fraction, no exponent, not -0) within ±(2^53-1).
bool is_integer_id(std::string_view raw) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  return error == std::errc() && end == raw.data() + raw.size() && value <= kMaxId &&
         value >= -kMaxId && raw != "-0";
}

bool is_legacy_version(std::string_view version) {
  return std::ranges::find(kLegacyVersions, version) != std::end(kLegacyVersions);
}

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_json_type(std::string_view type) {
  if (same_text(type, "application/json")) return true;
  const std::string_view media = trim(type.substr(0, std::min(type.find(';'), type.size())));
  return http::iequals(media, "application/json") && policy::charset_is_utf8(type);
}

}  // namespace

std::string id_key(const json::Value& id) {
  std::string key;
  if (!id.is_string() && !id.is_number()) return key;
  if (id.raw().size() > kMaxIdBytes) return key;
  json::append_canonical(key, id);
  if (id.is_number() && !is_integer_id(key)) key.clear();
  return key;
}

std::optional<Refusal> Reader::check_post_fields(const http::Fields& fields) {
  const auto type = fields.single("content-type");
  if (!type || !is_json_type(*type)) {
    return Refusal{415, kInvalidRequest, "Content-Type must be application/json in UTF-8"};
  }
  if (fields.count("content-encoding") > 0) {
    return Refusal{415, kInvalidRequest, "an encoded body is not accepted; send it as it is"};
  }
  return std::nullopt;
}

bool Reader::refuse(int http_status, int code, std::string message) {
  refusal_.http_status = http_status;
  refusal_.code = code;
  refusal_.message = std::move(message);
  return false;
}

bool Reader::read(std::string_view body, const http::Fields& fields) {
  message_ = {};
  refusal_ = {};
  meta_version_.reset();
  meta_capabilities_ = has_result_ = has_error_ = false;
  const auto root = parser_.parse(body);
  if (!root) {
    return refuse(
        400, kParseError,
        fmt::format("Parse error: {} at byte {}", parser_.error().what, parser_.error().offset));
  }
  if (root->is_array()) {
    return refuse(400, kInvalidRequest, "a batch is not accepted; send one message per request");
  }
  if (!root->is_object()) return refuse(400, kInvalidRequest, "a message is a JSON object");
  return read_members(*root) && read_shape() && read_params() && read_era(fields) &&
         read_target() && compare_headers(fields);
}

bool Reader::read_members(const json::Value& root) {
  body::kKeys.read(root, members_);
  const auto& values = members_.values;
  has_result_ = values[body::kResult].has_value();
  has_error_ = values[body::kError].has_value();
  message_.params = values[body::kParams];
  if (values[body::kId] && !read_id(*values[body::kId])) return false;
  if (!members_.variant.empty()) {
    return refuse(400, kInvalidRequest,
                  fmt::format("a member equals `{}` but for case", members_.variant));
  }
  if (!values[body::kJsonrpc] || !values[body::kJsonrpc]->equals("2.0")) {
    return refuse(400, kInvalidRequest, "`jsonrpc` must be \"2.0\"");
  }
  return !values[body::kMethod] || read_method(*values[body::kMethod]);
}

bool Reader::read_id(const json::Value& id) {
  const bool valid = id.is_string() || (id.is_number() && is_integer_id(id.raw()));
  if (!valid) {
    return refuse(400, kInvalidRequest, "`id` must be a string or an integer within ±(2^53-1)");
  }
  if (id.raw().size() > kMaxIdBytes) return refuse(400, kInvalidRequest, "`id` is too long");
  message_.id = id.raw();
  message_.id_value = id;
  refusal_.id = id.raw();
  return true;
}

bool Reader::read_method(const json::Value& method) {
  if (!method.is_string()) return refuse(400, kInvalidRequest, "`method` must be a string");
  message_.method = method.text(method_scratch_);
  if (message_.method.empty() || message_.method.size() > kMaxMethodBytes ||
      has_control(message_.method)) {
    return refuse(400, kInvalidRequest, "`method` is empty, too long or has control characters");
  }
  return true;
}

// Request, notification or response, and nothing that is two of them.
bool Reader::read_shape() {
  const bool has_id = !message_.id.empty();
  if (message_.method.empty()) {
    if (has_result_ == has_error_ || !has_id || message_.params) {
      return refuse(400, kInvalidRequest, "neither a request, a notification nor a response");
    }
    message_.shape = Shape::kResponse;
    return true;
  }
  if (has_result_ || has_error_) {
    return refuse(400, kInvalidRequest, "a message with `method` has no `result` or `error`");
  }
  const bool notification = message_.method.starts_with("notifications/");
  if (notification && has_id) return refuse(400, kInvalidRequest, "a notification has no `id`");
  if (!notification && !has_id) return refuse(400, kInvalidRequest, "a request needs an `id`");
  message_.shape = notification ? Shape::kNotification : Shape::kRequest;
  return true;
}

bool Reader::read_params() {
  if (!message_.params) return true;
  if (!message_.params->is_object()) {
    return refuse(400, kInvalidRequest, "`params` must be an object");
  }
  params::kKeys.read(*message_.params, params_);
  std::string_view variant = params_.variant;
  const auto& meta = params_.values[params::kMeta];
  if (meta) {
    if (!meta->is_object()) return refuse(400, kInvalidParams, "`_meta` must be an object");
    meta::kKeys.read(*meta, inner_);
    meta_version_ = inner_.values[meta::kVersion];
    meta_capabilities_ = inner_.values[meta::kCapabilities].has_value();
    if (variant.empty()) variant = inner_.variant;
  }
  const auto look_into = [&](size_t member, const json::KeySet& keys) {
    if (!params_.values[member] || !variant.empty()) return;
    keys.read(*params_.values[member], inner_);
    variant = inner_.variant;
  };
  look_into(params::kRef, kRefKeys);
  look_into(params::kNotifications, kListenKeys);
  if (variant.empty()) return true;
  return refuse(400, kInvalidRequest,
                fmt::format("a member of `params` equals `{}` but for case", variant));
}

// README.md, "Which era".
bool Reader::read_era(const http::Fields& fields) {
  for (const http::FieldKey name : {http::FieldKey("mcp-protocol-version"),
                                    http::FieldKey("mcp-method"), http::FieldKey("mcp-name")}) {
    if (fields.count(name) > 1) {
      return refuse(400, kHeaderMismatch, fmt::format("the header {} comes twice", name.text));
    }
  }
  if (fields.count("mcp-session-id") > 1) {
    return refuse(400, kInvalidRequest, "the header mcp-session-id comes twice");
  }
  const auto version = fields.single("mcp-protocol-version");
  const bool modern_header = version && !is_legacy_version(*version);
  const bool in_session = fields.count("mcp-session-id") > 0;
  const bool modern = meta_version_ || (message_.method != "initialize" && !in_session &&
                                        (modern_header || meta_capabilities_));
  message_.era = modern ? Era::kModern : Era::kLegacy;
  if (modern && message_.shape == Shape::kResponse) {
    return refuse(400, kInvalidRequest, "a client sends no responses in this protocol version");
  }
  return true;
}

bool Reader::read_target() {
  if (message_.shape != Shape::kRequest) return true;
  const Target* target = target_of(message_.method);
  if (target == nullptr) return true;
  const auto value = message_.params ? params_.values[target->member] : std::nullopt;
  if (!value) {
    // A method that the modern era dropped is unknown there, whatever its parameters.
    if (!target->modern && message_.era == Era::kModern) return true;
    return refuse(400, kInvalidParams, fmt::format("`params.{}` is missing", target->member_name));
  }
  if (!value->is_string()) {
    return refuse(400, kInvalidParams,
                  fmt::format("`params.{}` must be a string", target->member_name));
  }
  message_.target = value->text(target_scratch_);
  if (message_.target.empty() || message_.target.size() > target->max_bytes) {
    return refuse(400, kInvalidParams,
                  fmt::format("`params.{}` is empty or too long", target->member_name));
  }
  if (has_control(message_.target)) {
    return refuse(400, kInvalidRequest,
                  fmt::format("`params.{}` has control characters", target->member_name));
  }
  if (message_.method != "tools/call") return true;
  const auto& arguments = params_.values[params::kArguments];
  if (!arguments || arguments->is_null()) return true;
  if (!arguments->is_object()) {
    return refuse(400, kInvalidParams, "`params.arguments` must be an object");
  }
  message_.arguments = arguments;
  return true;
}

// The modern era's mirrored headers say what the body says.
bool Reader::compare_headers(const http::Fields& fields) {
  if (message_.era != Era::kModern) return true;
  const auto mismatch = [this](std::string_view name) {
    return refuse(400, kHeaderMismatch,
                  fmt::format("the header {} is missing or not what the body says", name));
  };
  if (meta_version_) {
    if (!meta_version_->is_string()) {
      return refuse(400, kInvalidParams, fmt::format("`_meta` `{}` must be a string", kVersionKey));
    }
    const auto version = fields.single("mcp-protocol-version");
    if (!version || !meta_version_->equals(*version)) return mismatch("MCP-Protocol-Version");
  }
  const auto method = fields.single("mcp-method");
  const bool required = message_.shape == Shape::kRequest;
  if (method ? *method != message_.method : required) return mismatch("Mcp-Method");
  const Target* target = target_of(message_.method);
  if (target != nullptr && target->modern) {
    const auto name = fields.single("mcp-name");
    if (!name || !mirrors(*name, message_.target)) return mismatch("Mcp-Name");
  }
  if ((fields.present & http::bit_of(http::FieldName::kMcpParam)) == 0) return true;
  for (const http::Field& field : fields.list) {
    if (http::name_of(field) == http::FieldName::kMcpParam && fields.count(field.name) > 1) {
      return refuse(400, kHeaderMismatch, "an Mcp-Param header comes twice");
    }
  }
  return true;
}

}  // namespace reeve::mcp
