// See writer.h. Each line is put together from a name and a value that the parsers validated, so no
// line end can come from a peer.
//
// Tested by tests/proxy/writer_test.cc.
#include "proxy/http/writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <iterator>

#include "policy/text_writer.h"
#include "proxy/http/chars.h"
#include "proxy/http/field_name.h"

namespace reeve::http {
namespace {

void add_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void add_number(std::string& out, uint64_t number) {
  const fmt::format_int digits(number);
  out.append(digits.data(), digits.size());
}

void add_length(std::string& out, uint64_t length) {
  out.append("Content-Length: ");
  add_number(out, length);
  out.append("\r\n");
}

// Names that CGI-style backends would take for others have `_` for `-`.
bool per_hop_in_any_spelling(std::string_view name) {
  constexpr size_t kLongest = 24;  // no per-hop name is longer
  char dashed[kLongest];
  if (name.size() > kLongest) return false;
  std::replace_copy(name.begin(), name.end(), dashed, '_', '-');
  return field_class(field_name({dashed, name.size()})) == FieldClass::kPerHop;
}

// The names that are not passed on because they are dropped or written by reeve.
class LeftOut {
 public:
  LeftOut(std::span<const std::string_view> drop, std::span<const Field> extra)
      : drop_(drop), extra_(extra) {
    for (std::string_view name : drop) names_ |= bit_of(field_name(name));
    for (const Field& one : extra) names_ |= bit_of(name_of(one));
  }

  bool has(const Field& field, FieldName name) const {
    if ((names_ & bit_of(name)) == 0) return false;
    if (name >= kFirstListed) return true;
    const auto same = [&field](std::string_view other) { return iequals(other, field.name); };
    return std::any_of(drop_.begin(), drop_.end(), same) ||
           std::any_of(extra_.begin(), extra_.end(),
                       [&same](const Field& one) { return same(one.name); });
  }

 private:
  uint64_t names_ = 0;
  std::span<const std::string_view> drop_;
  std::span<const Field> extra_;
};

void write_field(TextWriter& out, std::string_view name, std::string_view value) {
  char* to = copy_text(out.room(name.size() + value.size() + 4), name);
  *to++ = ':';
  *to++ = ' ';
  to = copy_text(to, value);
  *to++ = '\r';
  *to++ = '\n';
  out.wrote(to);
}

void write_length(TextWriter& out, uint64_t length) {
  out.text("Content-Length: ");
  out.number(length);
  out.text("\r\n");
}

size_t room_for(std::span<const Field> fields) {
  size_t bytes = 0;
  for (const Field& one : fields) bytes += one.name.size() + one.value.size() + 4;
  return bytes;
}

// More than the constant parts of a head take.
constexpr size_t kOtherText = 128;

bool forbids_body(int status) { return status < 200 || status == 204 || status == 304; }

void add_status_line(std::string& out, int status, std::string_view reason) {
  out.append("HTTP/1.1 ");
  add_number(out, static_cast<uint64_t>(status));
  out.append(" ").append(reason.empty() ? reason_phrase(status) : reason).append("\r\n");
}

}  // namespace

namespace {

bool forwardable(const Field& field, FieldName name, const FieldPolicy& policy,
                 FieldName credential) {
  const FieldClass found = field_class(name);
  if (found == FieldClass::kPerHop) return false;
  if (name == credential && (name >= kFirstListed || iequals(field.name, policy.credential_name))) {
    return false;
  }
  if (found == FieldClass::kOrdinary && name != FieldName::kUnderscore) return true;
  const bool underscore = field.name.find('_') != std::string_view::npos;
  return !(underscore && per_hop_in_any_spelling(field.name)) &&
         std::any_of(policy.pass_headers.begin(), policy.pass_headers.end(),
                     [&field](const std::string& one) { return iequals(one, field.name); });
}

// kUnread, which no field has, without one.
FieldName credential_name(const FieldPolicy& policy) {
  return policy.credential_name.empty() ? FieldName::kUnread : field_name(policy.credential_name);
}

}  // namespace

bool forwardable(std::string_view name, const FieldPolicy& policy) {
  return forwardable(Field{name, {}}, field_name(name), policy, credential_name(policy));
}

void write_request_head(std::string& out, const RequestTarget& target, const RequestHead& head,
                        const FieldPolicy& policy, Framing framing, uint64_t content_length,
                        std::span<const std::string_view> drop, std::span<const Field> extra) {
  assert(framing != Framing::kUntilClose);
  TextWriter text(out, kOtherText + target.method.size() + target.path.size() +
                           target.query.size() + target.authority.size() +
                           policy.credential_name.size() + policy.credential_value.size() +
                           room_for(head.fields.list) + room_for(extra));
  text.text(target.method);
  text.text(" ");
  text.text(target.path);
  if (target.has_query) {
    text.text("?");
    text.text(target.query);
  }
  text.text(" HTTP/1.1\r\n");
  write_field(text, "Host", target.authority);
  const LeftOut left_out(drop, extra);
  const FieldName credential = credential_name(policy);
  for (const Field& one : head.fields.list) {
    const FieldName name = name_of(one);
    if (!forwardable(one, name, policy, credential) || left_out.has(one, name)) continue;
    // The parser took out the ordinary fields that Connection lists; this is one that was lifted.
    if (field_class(name) != FieldClass::kOrdinary && head.fields.lists("connection", one.name)) {
      continue;
    }
    write_field(text, one.name, one.value);
  }
  if (!policy.credential_name.empty())
    write_field(text, policy.credential_name, policy.credential_value);
  for (const Field& one : extra) write_field(text, one.name, one.value);
  if (framing == Framing::kChunked) {
    text.text("Transfer-Encoding: chunked\r\n");
  } else if (framing == Framing::kLength) {
    write_length(text, content_length);
  }
  text.text("\r\n");
}

void write_response_head(std::string& out, int status, std::string_view reason,
                         const Fields& fields, std::span<const std::string_view> drop,
                         std::span<const Field> extra, Framing framing, uint64_t content_length,
                         bool keep_alive, int minor_version) {
  assert(framing != Framing::kChunked || minor_version == 1);
  if (reason.empty()) reason = reason_phrase(status);
  TextWriter text(out, kOtherText + reason.size() + room_for(fields.list) + room_for(extra));
  text.text("HTTP/1.1 ");
  text.number(static_cast<uint64_t>(status));
  text.text(" ");
  text.text(reason);
  text.text("\r\n");
  const LeftOut left_out(drop, extra);
  for (const Field& one : fields.list) {
    const FieldName name = name_of(one);
    if (field_class(name) == FieldClass::kPerHop || name == FieldName::kAltSvc ||
        left_out.has(one, name)) {
      continue;
    }
    write_field(text, one.name, one.value);
  }
  for (const Field& one : extra) write_field(text, one.name, one.value);
  const bool framed = status >= 200 && status != 204;
  if (framed && framing == Framing::kChunked) text.text("Transfer-Encoding: chunked\r\n");
  if (framed && framing == Framing::kLength) write_length(text, content_length);
  if (!keep_alive || framing == Framing::kUntilClose) {
    text.text("Connection: close\r\n");
  } else if (minor_version == 0) {
    text.text("Connection: keep-alive\r\n");
  }
  text.text("\r\n");
}

void write_response(std::string& out, int status, std::string_view content_type,
                    std::string_view body, std::span<const Field> extra, bool keep_alive,
                    bool head_request) {
  add_status_line(out, status, {});
  const bool bodiless = forbids_body(status);
  if (!content_type.empty() && !bodiless) add_field(out, "Content-Type", content_type);
  for (const Field& one : extra) add_field(out, one.name, one.value);
  if (!bodiless) add_length(out, body.size());
  // Said to every client: HTTP/1.0 ones need it, the others do not mind.
  out.append(keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
  if (!bodiless && !head_request) out.append(body);
}

void write_chunk_header(std::string& out, uint64_t size) {
  fmt::format_to(std::back_inserter(out), FMT_STRING("{:x}\r\n"), size);
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 103:
      return "Early Hints";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 203:
      return "Non-Authoritative Information";
    case 204:
      return "No Content";
    case 205:
      return "Reset Content";
    case 206:
      return "Partial Content";
    case 207:
      return "Multi-Status";
    case 300:
      return "Multiple Choices";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 423:
      return "Locked";
    case 425:
      return "Too Early";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 451:
      return "Unavailable For Legal Reasons";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

}  // namespace reeve::http
