// What a field's name alone says about passing it on. One table for the writer and for Connection.
// Internal to http/.
#ifndef REEVE_PROXY_HTTP_FIELD_CLASS_H_
#define REEVE_PROXY_HTTP_FIELD_CLASS_H_

#include <cstdint>
#include <string_view>

namespace reeve::http {

enum class FieldClass : uint8_t {
  kOrdinary,
  kPerHop,     // hop-by-hop (RFC 9110, 7.6.1), framing, Host, Expect: written anew or not at all
  kFromAgent,  // a credential, or a claim that only a proxy in front may make: not from an agent
};

FieldClass field_class(std::string_view name);

}  // namespace reeve::http

#endif  // REEVE_PROXY_HTTP_FIELD_CLASS_H_
