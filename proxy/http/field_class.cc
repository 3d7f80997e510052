// See field_class.h. A switch on the first letter leaves one to five comparisons for a name.
//
// Tested by tests/proxy/writer_test.cc.
#include "proxy/http/field_class.h"

#include <initializer_list>

#include "proxy/http/chars.h"
#include "proxy/http/message.h"

namespace reeve::http {
namespace {

bool any_of(std::string_view name, std::initializer_list<std::string_view> names) {
  for (std::string_view one : names) {
    if (iequals(name, one)) return true;
  }
  return false;
}

bool begins(std::string_view name, std::string_view prefix) {
  return name.size() >= prefix.size() && iequals(name.substr(0, prefix.size()), prefix);
}

FieldClass class_if(bool matches, FieldClass found) {
  return matches ? found : FieldClass::kOrdinary;
}

FieldClass class_of_x(std::string_view name) {
  return class_if(begins(name, "x-forwarded-") || begins(name, "x-http-method") ||
                      begins(name, "x-original-") ||
                      any_of(name, {"x-api-key", "x-real-ip", "x-method-override", "x-rewrite-url",
                                    "x-forwarded"}),
                  FieldClass::kFromAgent);
}

}  // namespace

FieldClass field_class(std::string_view name) {
  using enum FieldClass;
  if (name.empty()) return kOrdinary;
  switch (to_lower(name.front())) {
    case 'a':
      return class_if(iequals(name, "authorization"), kFromAgent);
    case 'c':
      if (iequals(name, "cookie")) return kFromAgent;
      return class_if(any_of(name, {"connection", "content-length"}), kPerHop);
    case 'e':
      return class_if(iequals(name, "expect"), kPerHop);
    case 'f':
      return class_if(iequals(name, "forwarded"), kFromAgent);
    case 'h':
      return class_if(any_of(name, {"host", "http2-settings"}), kPerHop);
    case 'k':
      return class_if(iequals(name, "keep-alive"), kPerHop);
    case 'p':
      if (iequals(name, "proxy")) return kFromAgent;  // CGI takes it for the HTTP_PROXY variable
      return class_if(
          any_of(name, {"proxy-connection", "proxy-authenticate", "proxy-authorization"}), kPerHop);
    case 'r':
      return class_if(begins(name, "reeve-"), kFromAgent);
    case 't':
      return class_if(any_of(name, {"te", "trailer", "transfer-encoding"}), kPerHop);
    case 'u':
      return class_if(iequals(name, "upgrade"), kPerHop);
    case 'x':
      return class_of_x(name);
    default:
      return kOrdinary;
  }
}

}  // namespace reeve::http
