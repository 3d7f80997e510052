// See head_reader.h. The usual head is here whole and has nothing odd, so there is one way through
// and every other byte ends it: HeadScanner then finds out what is the matter.
//
// Tested by tests/proxy/request_parser_test.cc and response_parser_test.cc, and against Beast's
// parser by tests/proxy/head_oracle_test.cc.
#include "proxy/http/head_reader.h"

#include <limits>

#include "policy/words.h"
#include "proxy/http/chars.h"
#include "proxy/http/head_scanner.h"
#include "proxy/http/scan.h"

namespace reeve::http {
namespace {

// A Connection with more options than this is a flood: it costs options times fields.
constexpr unsigned kConnectionOptionsMax = 32;

void note(SoleField& sole, std::string_view value) {
  sole.value = value;
  ++sole.count;
}

bool is_token(std::string_view text) {
  const char* const end = text.data() + text.size();
  return !text.empty() && skip(text.data(), end, kToken) == end;
}

// Options of Connection or Proxy-Connection (RFC 9110, 7.6.1): tokens, of which some may be empty.
void note_options(std::string_view list, bool connection, HeadReading& out) {
  while (!list.empty()) {
    const std::string_view option = next_list_item(list);
    if (option.empty()) continue;
    if (!is_token(option)) out.wrong = "a malformed field value";
    if (!connection) continue;
    if (iequals(option, "close")) {
      out.close = true;
    } else if (iequals(option, "keep-alive")) {
      out.keep_alive = true;
    } else {
      out.nominates = true;
    }
  }
}

void note_field(FieldName name, std::string_view value, HeadReading& out) {
  switch (name) {
    case FieldName::kHost:
      return note(out.host, value);
    case FieldName::kContentLength:
      return note(out.content_length, value);
    case FieldName::kTransferEncoding:
      return note(out.transfer_encoding, value);
    case FieldName::kExpect:
      return note(out.expect, value);
    case FieldName::kConnection:
      return note_options(value, true, out);
    case FieldName::kProxyConnection:
      return note_options(value, false, out);
    default:
      return;
  }
}

std::string_view without_outer_space(const char* begin, const char* end) {
  while (begin != end && (*begin == ' ' || *begin == '\t')) ++begin;
  while (begin != end && (end[-1] == ' ' || end[-1] == '\t')) --end;
  return {begin, static_cast<size_t>(end - begin)};
}

bool at_line_end(const char* p, const char* end) {
  return end - p >= 2 && p[0] == '\r' && p[1] == '\n';
}

// The field lines and the empty line behind them; past it, or null.
const char* read_fields(const char* p, const char* end, size_t most_fields, HeadReading& out) {
  std::vector<Field>& list = out.fields->list;
  uint64_t present = 0;
  while (!at_line_end(p, end)) {
    const char* const colon = find_colon(p, end);
    if (colon == p || colon == end || list.size() == most_fields) return nullptr;
    const std::string_view name(p, static_cast<size_t>(colon - p));
    const FieldName known = field_name(name);
    // A listed name is a token: only the others have to be looked at.
    if (known < kFirstListed && !is_token(name)) return nullptr;
    const char* const line_end = skip_value(colon + 1, end);
    if (!at_line_end(line_end, end)) return nullptr;
    const std::string_view value = without_outer_space(colon + 1, line_end);
    list.push_back(Field{name, value, static_cast<uint8_t>(known)});
    present |= bit_of(known);
    note_field(known, value, out);
    p = line_end + 2;
  }
  out.fields->present = present;
  return p + 2;
}

constexpr std::string_view kVersion = "HTTP/1.";

// `HTTP/1.0` or `HTTP/1.1`; the caller has seen that 8 bytes are there.
bool read_version(const char* p, HeadReading& out) {
  const char minor = p[kVersion.size()];
  out.minor_version = minor - '0';
  return begins_with({p, 8}, kVersion) && (minor == '0' || minor == '1');
}

// Past the start line, or null.
const char* read_request_line(const char* p, const char* end, HeadReading& out) {
  const char* const method = p;
  p = skip(p, end, kToken);
  const ptrdiff_t size = p - method;
  if (size == 0 || size > HeadScanner::kMethodBytesMax || p == end || *p != ' ') return nullptr;
  out.method = {method, static_cast<size_t>(size)};
  const char* const target = ++p;
  p = skip(p, end, kTargetChar);
  if (p == target || end - p < 11 || *p != ' ') return nullptr;
  out.target = {target, static_cast<size_t>(p - target)};
  return read_version(p + 1, out) && at_line_end(p + 9, end) ? p + 11 : nullptr;
}

const char* read_status_line(const char* p, const char* end, HeadReading& out) {
  if (end - p < 13 || !read_version(p, out) || p[8] != ' ' || p[12] != ' ') return nullptr;
  if (p[9] < '1' || p[9] > '5' || !is(p[10], kDigit) || !is(p[11], kDigit)) return nullptr;
  out.status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
  const char* const reason = p + 13;
  p = skip_value(reason, end);
  out.reason = {reason, static_cast<size_t>(p - reason)};
  return at_line_end(p, end) ? p + 2 : nullptr;
}

template <auto read_start_line>
size_t read_head(std::string_view buffer, size_t most_fields, HeadReading& out) {
  const char* const end = buffer.data() + buffer.size();
  const char* p = read_start_line(buffer.data(), end, out);
  if (p != nullptr) p = read_fields(p, end, most_fields, out);
  if (p != nullptr) return static_cast<size_t>(p - buffer.data());
  out.fields->list.clear();
  return 0;
}

bool read_length(std::string_view text, uint64_t& length) {
  if (text.empty() || text.size() > 19) return false;
  uint64_t value = 0;
  for (char c : text) {
    if (!is(c, kDigit)) return false;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  length = value;
  return value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
}

}  // namespace

size_t read_request_head(std::string_view buffer, size_t most_fields, HeadReading& out) {
  return read_head<read_request_line>(buffer, most_fields, out);
}

size_t read_response_head(std::string_view buffer, size_t most_fields, HeadReading& out) {
  return read_head<read_status_line>(buffer, most_fields, out);
}

FramingVerdict judge_framing(const HeadReading& reading) {
  FramingVerdict verdict;
  const auto refuse = [&verdict](int status, const char* detail) {
    verdict.fault = Fault{status, detail};
    return verdict;
  };
  const SoleField& coding = reading.transfer_encoding;
  const SoleField& length = reading.content_length;
  if (coding.count > 0) {
    if (length.count > 0) return refuse(400, "both Content-Length and Transfer-Encoding");
    if (coding.count > 1) return refuse(400, "a repeated Transfer-Encoding");
    if (reading.minor_version == 0) return refuse(400, "Transfer-Encoding in HTTP/1.0");
    if (!iequals(coding.value, "chunked")) {
      return refuse(501, "a transfer coding other than `chunked`");
    }
    verdict.framing = Framing::kChunked;
  } else if (length.count > 0) {
    if (length.count > 1) return refuse(400, "a repeated Content-Length");
    if (!read_length(length.value, verdict.content_length)) {
      return refuse(400, "a malformed Content-Length");
    }
    verdict.framing = Framing::kLength;
  }
  return verdict;
}

Fault drop_nominated(Fields& fields) {
  std::string_view nominated[kConnectionOptionsMax];
  unsigned count = 0;
  for (const Field& one : fields.list) {
    if (name_of(one) != FieldName::kConnection) continue;
    std::string_view rest = one.value;
    while (!rest.empty()) {
      const std::string_view option = next_list_item(rest);
      if (count == kConnectionOptionsMax) return Fault{400, "too many options in Connection"};
      if (!option.empty()) nominated[count++] = option;
    }
  }
  std::erase_if(fields.list, [&](const Field& one) {
    if (field_class(name_of(one)) != FieldClass::kOrdinary) return false;
    for (unsigned i = 0; i < count; ++i) {
      if (iequals(one.name, nominated[i])) return true;
    }
    return false;
  });
  return {};
}

}  // namespace reeve::http
