// Messages between a client of /mcp and one upstream: names, ids and tokens exchanged by exact
// edits, all other bytes unchanged. Pure.
#ifndef REEVE_PROXY_JOIN_TRANSLATE_H_
#define REEVE_PROXY_JOIN_TRANSLATE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/json.h"
#include "proxy/join/seal.h"
#include "proxy/mcp/message.h"

namespace reeve::join {

enum class Fate : uint8_t {
  kSame,     // to be passed on as it is
  kChanged,  // `out` has it
  kDrop,     // not to be passed on: forged, or nothing for this client
};

// What of an upstream's message a client gets, and what of a client's the upstream. One object is
// of one request or stream, of one upstream and one client.
class Translator {
 public:
  // `holder` is the client: its agent and, in the legacy era, session.
  Translator(const Seal& seal, std::string_view holder, std::string_view upstream)
      : seal_(seal), holder_(holder), upstream_(upstream) {}

  // The answer to this id is let through, and no other. `shown`: the id that the client gets
  // instead, as JSON; empty: the same. `read`: of a resource.
  void expect(std::string_view id_key, std::string_view shown = {}, bool read = false);
  // The upstream speaks only the legacy era, the client the modern one: what that one needs is
  // taken out of requests and added to results, and the server may ask nothing.
  void bridge() { bridged_ = true; }
  // In the modern era a server has no requests of its own.
  void refuse_requests() { refuses_requests_ = true; }

  // A client's request or notification as the upstream gets it: `name` instead of the tool, prompt
  // or URI that it is about (empty: it names none), `id` instead of its id where not empty.
  std::string request(std::string_view body, const mcp::Message& message, std::string_view name,
                      std::string_view id = {}) const;
  // What the upstream sent, however it came. What is no strict JSON object is dropped.
  Fate message(json::Parser& parser, std::string_view text, std::string& out);

  bool answered() const { return answered_; }

 private:
  Fate from_server(const json::Value& root, std::string_view text, std::string& out) const;
  Fate answer(const json::Value& root, std::string_view text, std::string& out);
  std::string sealed(Purpose purpose, std::string_view raw) const;

  const Seal& seal_;
  const std::string holder_, upstream_;
  std::string key_, shown_;
  bool read_ = false, bridged_ = false, refuses_requests_ = false, answered_ = false;
};

// What a client brought back that reeve had closed for it: whose it is and the JSON text it stands
// for.
struct Opened {
  std::string upstream;
  std::string raw;
};
std::optional<Opened> open_sealed(const Seal& seal, Purpose purpose, std::string_view holder,
                                  const std::optional<json::Value>& value);

// `object.key` where there is one.
std::optional<json::Value> member(const std::optional<json::Value>& object, std::string_view key);
std::string text_of(const std::optional<json::Value>& value);

}  // namespace reeve::join

#endif  // REEVE_PROXY_JOIN_TRANSLATE_H_
