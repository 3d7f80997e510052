// The names of header fields, looked at once: a parser finds out which name a field has, and every
// later step compares a number. Names that are in no list here are compared as text, so a list that
// lacks one costs time and nothing else.
#ifndef REEVE_PROXY_HTTP_FIELD_NAME_H_
#define REEVE_PROXY_HTTP_FIELD_NAME_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/http/chars.h"

namespace reeve::http {

enum class FieldName : uint8_t {
  kUnread,      // nobody has looked yet
  kOther,       // none of those below
  kUnderscore,  // none of those below, and has a `_`
  kClaim,       // begins with x-forwarded-, x-http-method, x-original- or reeve-
  kMcpParam,    // begins with mcp-param-
  // From here on each is one name, in the order of kListedNames.
  kConnection,
  kContentLength,
  kExpect,
  kHost,
  kHttp2Settings,
  kKeepAlive,
  kProxyAuthenticate,
  kProxyAuthorization,
  kProxyConnection,
  kTe,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kAuthorization,
  kCookie,
  kForwarded,
  kProxy,
  kXApiKey,
  kXForwarded,
  kXMethodOverride,
  kXRealIp,
  kXRewriteUrl,
  kAltSvc,
};

inline constexpr FieldName kFirstListed = FieldName::kConnection;

// The first 13 are hop-by-hop (RFC 9110, 7.6.1), framing, Host or Expect; the next 9 credentials
// and claims that only a proxy in front may make; the rest is ordinary.
inline constexpr std::string_view kListedNames[] = {"connection",
                                                    "content-length",
                                                    "expect",
                                                    "host",
                                                    "http2-settings",
                                                    "keep-alive",
                                                    "proxy-authenticate",
                                                    "proxy-authorization",
                                                    "proxy-connection",
                                                    "te",
                                                    "trailer",
                                                    "transfer-encoding",
                                                    "upgrade",
                                                    "authorization",
                                                    "cookie",
                                                    "forwarded",
                                                    "proxy",
                                                    "x-api-key",
                                                    "x-forwarded",
                                                    "x-method-override",
                                                    "x-real-ip",
                                                    "x-rewrite-url",
                                                    "alt-svc",
                                                    "accept",
                                                    "accept-encoding",
                                                    "accept-language",
                                                    "accept-ranges",
                                                    "cache-control",
                                                    "content-encoding",
                                                    "content-language",
                                                    "content-type",
                                                    "date",
                                                    "etag",
                                                    "idempotency-key",
                                                    "if-none-match",
                                                    "last-event-id",
                                                    "last-modified",
                                                    "location",
                                                    "mcp-method",
                                                    "mcp-name",
                                                    "mcp-protocol-version",
                                                    "mcp-session-id",
                                                    "origin",
                                                    "pragma",
                                                    "range",
                                                    "referer",
                                                    "retry-after",
                                                    "server",
                                                    "set-cookie",
                                                    "strict-transport-security",
                                                    "traceparent",
                                                    "tracestate",
                                                    "user-agent",
                                                    "vary",
                                                    "x-accel-buffering"};

inline constexpr size_t kFieldNameCount =
    static_cast<size_t>(kFirstListed) + sizeof kListedNames / sizeof kListedNames[0];
static_assert(kFieldNameCount <= 64, "Fields::present has a bit for each");

inline constexpr uint64_t bit_of(FieldName name) {
  return uint64_t{1} << static_cast<unsigned>(name);
}

// What `name`, in any case, is. Never kUnread. The name need not be a token.
FieldName field_name(std::string_view name);

// The same of a name that is not listed.
constexpr FieldName unlisted_name(std::string_view name) {
  const auto begins = [name](std::string_view prefix) {
    if (name.size() < prefix.size()) return false;
    for (size_t i = 0; i < prefix.size(); ++i) {
      if (to_lower(name[i]) != prefix[i]) return false;
    }
    return true;
  };
  if (name.empty()) return FieldName::kOther;
  const char first = to_lower(name.front());
  if (first == 'x' &&
      (begins("x-forwarded-") || begins("x-http-method") || begins("x-original-"))) {
    return FieldName::kClaim;
  }
  if (first == 'r' && begins("reeve-")) return FieldName::kClaim;
  if (first == 'm' && begins("mcp-param-")) return FieldName::kMcpParam;
  return name.find('_') == std::string_view::npos ? FieldName::kOther : FieldName::kUnderscore;
}

// What a field's name alone says about passing it on.
enum class FieldClass : uint8_t {
  kOrdinary,
  kPerHop,     // hop-by-hop (RFC 9110, 7.6.1), framing, Host, Expect: written anew or not at all
  kFromAgent,  // a credential, or a claim that only a proxy in front may make: not from an agent
};

constexpr FieldClass field_class(FieldName name) {
  if (name >= FieldName::kConnection && name <= FieldName::kUpgrade) return FieldClass::kPerHop;
  if (name == FieldName::kClaim) return FieldClass::kFromAgent;
  const bool from_agent = name >= FieldName::kAuthorization && name <= FieldName::kXRewriteUrl;
  return from_agent ? FieldClass::kFromAgent : FieldClass::kOrdinary;
}

// A name to look for: of a literal (in lower case) it is known what it is when compiling.
struct FieldKey {
  template <size_t size>
  consteval FieldKey(const char (&literal)[size])
      : text(literal, size - 1), name(name_of({literal, size - 1})) {}
  FieldKey(std::string_view any) : text(any), name(field_name(any)) {}

  std::string_view text;
  FieldName name;

 private:
  static constexpr FieldName name_of(std::string_view text) {
    uint8_t listed = static_cast<uint8_t>(kFirstListed);
    for (std::string_view one : kListedNames) {
      if (one == text) return static_cast<FieldName>(listed);
      ++listed;
    }
    return unlisted_name(text);
  }
};

}  // namespace reeve::http

#endif  // REEVE_PROXY_HTTP_FIELD_NAME_H_
