// See head_reader.h. The subclass gets views into the head, since the head is contiguous and folded
// lines never come here; basic_parser's own body states are not used.
//
// Tested by tests/proxy/request_parser_test.cc and response_parser_test.cc.
#include "proxy/http/head_reader.h"

#include <boost/beast/http/basic_parser.hpp>
#include <limits>

#include "proxy/http/chars.h"
#include "proxy/http/field_class.h"

namespace reeve::http {
namespace {

namespace beast = boost::beast;
using beast::error_code;
using beast::http::field;

// A Connection with more options than this is a flood: it costs options times fields.
constexpr unsigned kConnectionOptionsMax = 32;

std::string_view view(beast::string_view s) { return {s.data(), s.size()}; }

template <bool is_request>
class Reader final : public beast::http::basic_parser<is_request> {
 public:
  explicit Reader(HeadReading& out) : out_(out) {
    this->header_limit(std::numeric_limits<uint32_t>::max());
    this->skip(true);  // bodies are not its business, nor their limits
  }

 private:
  using verb = beast::http::verb;

  void on_request_impl(verb, beast::string_view method, beast::string_view target, int version,
                       error_code&) override {
    out_.method = view(method);
    out_.target = view(target);
    out_.minor_version = version - 10;
  }

  void on_response_impl(int code, beast::string_view reason, int version, error_code&) override {
    out_.status = code;
    out_.reason = view(reason);
    out_.minor_version = version - 10;
  }

  void on_field_impl(field name, beast::string_view text, beast::string_view value,
                     error_code&) override {
    out_.fields.list.push_back(Field{view(text), view(value)});
    switch (name) {
      case field::host:
        return note(out_.host, view(value));
      case field::content_length:
        return note(out_.content_length, view(value));
      case field::transfer_encoding:
        return note(out_.transfer_encoding, view(value));
      case field::expect:
        return note(out_.expect, view(value));
      case field::connection:
        return note_options(view(value));
      default:
        return;
    }
  }

  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<uint64_t> const&, error_code&) override {}
  size_t on_body_impl(beast::string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(uint64_t, beast::string_view, error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, beast::string_view, error_code&) override { return 0; }
  void on_finish_impl(error_code&) override {}

  static void note(SoleField& sole, std::string_view value) {
    sole.value = value;
    ++sole.count;
  }

  void note_options(std::string_view list) {
    while (!list.empty()) {
      const std::string_view option = next_list_item(list);
      if (iequals(option, "close")) {
        out_.close = true;
      } else if (iequals(option, "keep-alive")) {
        out_.keep_alive = true;
      } else if (!option.empty()) {
        out_.nominates = true;
      }
    }
  }

  HeadReading& out_;
};

template <bool is_request>
const char* read_head(std::string_view head, HeadReading& out) {
  Reader<is_request> reader(out);
  error_code code;
  const size_t taken = reader.put(boost::asio::const_buffer(head.data(), head.size()), code);
  if (!code && taken == head.size() && reader.is_header_done()) return nullptr;
  using beast::http::error;
  if (code == error::bad_content_length || code == error::multiple_content_length) {
    return "a malformed or repeated Content-Length";
  }
  if (code == error::bad_transfer_encoding) {
    return "a repeated Transfer-Encoding, or one beside Content-Length";
  }
  return code == error::bad_value ? "a malformed field value" : "a malformed head";
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

const char* read_request_head(std::string_view head, HeadReading& out) {
  return read_head<true>(head, out);
}

const char* read_response_head(std::string_view head, HeadReading& out) {
  return read_head<false>(head, out);
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
    if (!iequals(one.name, "connection")) continue;
    std::string_view rest = one.value;
    while (!rest.empty()) {
      const std::string_view option = next_list_item(rest);
      if (count == kConnectionOptionsMax) return Fault{400, "too many options in Connection"};
      if (!option.empty()) nominated[count++] = option;
    }
  }
  std::erase_if(fields.list, [&](const Field& one) {
    if (field_class(one.name) != FieldClass::kOrdinary) return false;
    for (unsigned i = 0; i < count; ++i) {
      if (iequals(one.name, nominated[i])) return true;
    }
    return false;
  });
  return {};
}

}  // namespace reeve::http
