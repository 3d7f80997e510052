// Heads are written anew from the canonical form, never copied.
#ifndef REEVE_PROXY_HTTP_WRITER_H_
#define REEVE_PROXY_HTTP_WRITER_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/message.h"

namespace reeve::http {

// What an upstream's configuration says about fields.
struct FieldPolicy {
  std::vector<std::string> pass_headers;  // lower case: forwarded although stripped by default
  std::string credential_name;            // injected, and stripped from the agent; may be empty
  std::string credential_value;
};

// Whether a request field of an agent is forwarded at all: not hop-by-hop (RFC 9110, 7.6.1), not a
// credential, not one that claims to be a proxy's or changes the method or the target, no `_`.
// `pass_headers` lifts this for the names in it, but never for hop-by-hop, framing and Host, in
// whatever spelling of `-` and `_`, nor for the credential that reeve injects.
bool forwardable(std::string_view name, const FieldPolicy& policy);

struct RequestTarget {
  std::string_view method;
  std::string_view path;  // base path of the upstream and the normalised rest
  std::string_view query;
  bool has_query = false;
  std::string_view authority;  // of the upstream: becomes Host
};

// Appends a request head. `framing` is kNone, kLength or kChunked; with kNone no length is said, as
// the agent said none (an upstream that wants one answers 411, as it would directly). `drop` names
// fields to leave out, `extra` fields to add (whatever the agent sent under those names is left out
// too). The connection is kept alive. All parts must be valid already: nothing is escaped here.
void write_request_head(std::string& out, const RequestTarget& target, const RequestHead& head,
                        const FieldPolicy& policy, Framing framing, uint64_t content_length,
                        std::span<const std::string_view> drop, std::span<const Field> extra);

// Appends a response head for the agent: the upstream's fields but for hop-by-hop ones, `Alt-Svc`
// (it would lead around reeve) and those in `drop` or `extra`; framing as given. `Connection:
// close` when not keep_alive and always with kUntilClose, `keep-alive` to an HTTP/1.0 client
// (`minor_version` is the client's). With kNone and kUntilClose no length is sent: for the answer
// to HEAD pass kLength with what the upstream said. For an HTTP/1.0 client the caller chooses
// kLength or kUntilClose. An empty `reason` becomes the standard one.
void write_response_head(std::string& out, int status, std::string_view reason,
                         const Fields& fields, std::span<const std::string_view> drop,
                         std::span<const Field> extra, Framing framing, uint64_t content_length,
                         bool keep_alive, int minor_version);

// A whole small answer of reeve's own. To HEAD the body is left out, its length is not; statuses
// without a body (204, 304) get neither. An empty `content_type` is left out.
void write_response(std::string& out, int status, std::string_view content_type,
                    std::string_view body, std::span<const Field> extra, bool keep_alive,
                    bool head_request);

// Appends the chunk header for `size` bytes ("1a\r\n"); the caller appends the bytes and "\r\n".
void write_chunk_header(std::string& out, uint64_t size);

// The standard reason phrase, or "Unknown".
std::string_view reason_phrase(int status);

}  // namespace reeve::http

#endif  // REEVE_PROXY_HTTP_WRITER_H_
