// An upstream sees ids and tokens of its own only, and cannot make up another's: what it sends back
// opens with its name in it or is dropped. Tested by tests/proxy/join_translate_test.cc.
#include "proxy/join/translate.h"

#include "proxy/join/edits.h"
#include "proxy/join/names.h"

namespace reeve::join {
namespace {

constexpr std::string_view kReserved = "io.modelcontextprotocol/";
// Longer ids and tokens would, closed, be longer than a client's message may have.
constexpr size_t kLongestRaw = 2048;

// The URI of a content block: a link, or an embedded resource.
void edit_block(Edits& edits, const json::Value& block, std::string_view upstream) {
  const auto type = member(block, "type");
  if (!type || !type->is_string()) return;
  std::optional<json::Value> uri;
  if (type->equals("resource_link")) uri = member(block, "uri");
  if (type->equals("resource")) uri = member(member(block, "resource"), "uri");
  if (uri && uri->is_string()) edits.replace_text(*uri, join_uri(upstream, text_of(uri)));
}

void edit_blocks(Edits& edits, const std::optional<json::Value>& blocks,
                 std::string_view upstream) {
  if (!blocks || !blocks->is_array()) return;
  for (const json::Value block : blocks->items()) edit_block(edits, block, upstream);
}

void edit_result(Edits& edits, const json::Value& result, std::string_view upstream) {
  edit_blocks(edits, member(result, "content"), upstream);
  if (const auto contents = member(result, "contents"); contents && contents->is_array()) {
    for (const json::Value each : contents->items()) {
      const auto uri = member(each, "uri");
      if (uri && uri->is_string()) edits.replace_text(*uri, join_uri(upstream, text_of(uri)));
    }
  }
  if (const auto messages = member(result, "messages"); messages && messages->is_array()) {
    for (const json::Value each : messages->items()) {
      const auto content = member(each, "content");
      if (content && content->is_object()) edit_block(edits, *content, upstream);
      edit_blocks(edits, content, upstream);
    }
  }
}

// What of a request names the tool, prompt or resource that it is about.
std::optional<json::Value> named(const mcp::Message& message) {
  if (message.method == "completion/complete") {
    const auto ref = member(message.params, "ref");
    const bool resource = text_of(member(ref, "type")) == "ref/resource";
    return member(ref, resource ? "uri" : "name");
  }
  return member(message.params, message.method.starts_with("resources/") ? "uri" : "name");
}

// `_meta` for an upstream of the legacy era, which must not take the request for a modern one.
std::string legacy_meta(const json::Value& meta, const std::string& progress_token) {
  std::string out = "{";
  for (const json::Member each : meta.members()) {
    std::string scratch;
    const std::string_view key = each.key.text(scratch);
    if (key.starts_with(kReserved)) continue;
    if (out.size() > 1) out += ',';
    out.append(each.key.raw()).append(1, ':');
    out.append(key == "progressToken" && !progress_token.empty() ? std::string_view(progress_token)
                                                                 : each.value.raw());
  }
  return out + "}";
}

}  // namespace

std::optional<json::Value> member(const std::optional<json::Value>& object, std::string_view key) {
  return object && object->is_object() ? object->find(key) : std::nullopt;
}

std::string text_of(const std::optional<json::Value>& value) {
  std::string scratch;
  return value && value->is_string() ? std::string(value->text(scratch)) : std::string();
}

std::optional<Opened> open_sealed(const Seal& seal, Purpose purpose, std::string_view holder,
                                  const std::optional<json::Value>& value) {
  if (!value || !value->is_string()) return std::nullopt;
  const auto content = seal.open(purpose, holder, text_of(value));
  if (!content) return std::nullopt;
  const size_t border = content->find('\n');
  if (border == std::string::npos) return std::nullopt;
  return Opened{content->substr(0, border), content->substr(border + 1)};
}

void Translator::expect(std::string_view id_key, std::string_view shown, bool read) {
  key_ = id_key;
  shown_ = shown;
  read_ = read;
}

std::string Translator::sealed(Purpose purpose, std::string_view raw) const {
  std::string out;
  json::append_string(
      out, seal_.close(purpose, holder_, std::string(upstream_).append(1, '\n').append(raw)));
  return out;
}

std::string Translator::request(std::string_view body, const mcp::Message& message,
                                std::string_view name, std::string_view id) const {
  Edits edits;
  if (!id.empty() && message.id_value) edits.replace(*message.id_value, std::string(id));
  if (!name.empty()) {
    if (const auto target = named(message)) edits.replace_text(*target, name);
  }
  const auto meta = member(message.params, "_meta");
  const auto token = member(meta, "progressToken");
  std::string closed;
  if (token && token->raw().size() <= kLongestRaw)
    closed = sealed(Purpose::kProgress, token->raw());
  if (bridged_ && meta && meta->is_object()) {
    edits.replace(*meta, legacy_meta(*meta, closed));
  } else if (token && !closed.empty()) {
    edits.replace(*token, closed);
  }
  return edits.empty() ? std::string(body) : edits.apply(body);
}

Fate Translator::message(json::Parser& parser, std::string_view text, std::string& out) {
  const auto root = parser.parse(text);
  if (!root || !root->is_object()) return Fate::kDrop;
  // What one reader takes for an answer and another for a request is neither.
  for (const std::string_view each : {"method", "id", "result", "error", "params"}) {
    if (root->has_case_variant(each)) return Fate::kDrop;
  }
  const bool has_answer = root->find("result") || root->find("error");
  if (root->find("method")) return has_answer ? Fate::kDrop : from_server(*root, text, out);
  return answer(*root, text, out);
}

Fate Translator::from_server(const json::Value& root, std::string_view text,
                             std::string& out) const {
  Edits edits;
  const std::string method = text_of(root.find("method"));
  const auto params = root.find("params");
  if (const auto id = root.find("id")) {
    const bool fits = !mcp::id_key(*id).empty() && id->raw().size() <= kLongestRaw;
    if (refuses_requests_ || bridged_ || !fits || method.starts_with("notifications/")) {
      return Fate::kDrop;
    }
    edits.replace(*id, sealed(Purpose::kRequest, id->raw()));
    const auto token = member(member(params, "_meta"), "progressToken");
    if (token && token->raw().size() > kLongestRaw) return Fate::kDrop;
    if (token) edits.replace(*token, sealed(Purpose::kServerProgress, token->raw()));
  } else if (!method.starts_with("notifications/")) {
    return Fate::kDrop;
  } else if (method == "notifications/progress") {
    const auto token = member(params, "progressToken");
    const auto own = open_sealed(seal_, Purpose::kProgress, holder_, token);
    if (!own || own->upstream != upstream_) return Fate::kDrop;
    edits.replace(*token, own->raw);
  } else if (method == "notifications/cancelled") {
    // Of a request of the server's own.
    const auto own = member(params, "requestId");
    if (!own || own->raw().size() > kLongestRaw) return Fate::kDrop;
    edits.replace(*own, sealed(Purpose::kRequest, own->raw()));
  } else if (method == "notifications/resources/updated") {
    const auto uri = member(params, "uri");
    if (!uri || !uri->is_string()) return Fate::kDrop;
    edits.replace_text(*uri, join_uri(upstream_, text_of(uri)));
  }
  if (edits.empty()) return Fate::kSame;
  out = edits.apply(text);
  return Fate::kChanged;
}

Fate Translator::answer(const json::Value& root, std::string_view text, std::string& out) {
  const auto id = root.find("id");
  // An error without an id is about a request that could not be read, so about none of ours.
  if (!id || key_.empty() || mcp::id_key(*id) != key_ || answered_) return Fate::kDrop;
  const auto result = root.find("result");
  const auto error = root.find("error");
  if (result.has_value() == error.has_value()) return Fate::kDrop;
  answered_ = true;
  Edits edits;
  if (!shown_.empty()) edits.replace(*id, shown_);
  if (result && result->is_object()) {
    edit_result(edits, *result, upstream_);
    if (bridged_ && !result->find("resultType")) {
      // A resource may be cached by whoever reads that it may; nothing here says so.
      edits.append_members(*result,
                           read_ ? R"("resultType":"complete","ttlMs":0,"cacheScope":"private")"
                                 : R"("resultType":"complete")");
    }
  }
  if (edits.empty()) return Fate::kSame;
  out = edits.apply(text);
  return Fate::kChanged;
}

}  // namespace reeve::join
