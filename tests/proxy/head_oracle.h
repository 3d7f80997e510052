// Two readers that share no code with HeadReader's single pass: HeadScanner, which walks a head
// byte by byte, and Beast's parser. Whatever the pass takes, both must take as the same.
//
// Included by one source file of a program only: it compiles Beast.
#ifndef REEVE_TESTS_PROXY_HEAD_ORACLE_H_
#define REEVE_TESTS_PROXY_HEAD_ORACLE_H_

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/src.hpp>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/http/head_reader.h"
#include "proxy/http/parser.h"

namespace reeve::http::testing {

template <bool is_request>
class BeastReader final : public boost::beast::http::basic_parser<is_request> {
 public:
  // Whether Beast takes the head, all of it and nothing else.
  bool read(std::string_view head) {
    this->header_limit(std::numeric_limits<uint32_t>::max());
    this->skip(true);
    boost::beast::error_code code;
    const size_t taken = this->put(boost::asio::const_buffer(head.data(), head.size()), code);
    return !code && taken == head.size() && this->is_header_done();
  }

  std::string first, second;  // method and target, or status and reason
  int minor_version = -1;
  std::vector<std::pair<std::string, std::string>> fields;

 private:
  using Text = boost::beast::string_view;
  using Code = boost::beast::error_code;

  void on_request_impl(boost::beast::http::verb, Text method, Text target, int version,
                       Code&) override {
    first = std::string(method);
    second = std::string(target);
    minor_version = version - 10;
  }
  void on_response_impl(int status, Text reason, int version, Code&) override {
    first = std::to_string(status);
    second = std::string(reason);
    minor_version = version - 10;
  }
  void on_field_impl(boost::beast::http::field, Text name, Text value, Code&) override {
    fields.emplace_back(std::string(name), std::string(value));
  }
  void on_header_impl(Code&) override {}
  void on_body_init_impl(boost::optional<uint64_t> const&, Code&) override {}
  size_t on_body_impl(Text, Code&) override { return 0; }
  void on_chunk_header_impl(uint64_t, Text, Code&) override {}
  size_t on_chunk_body_impl(uint64_t, Text, Code&) override { return 0; }
  void on_finish_impl(Code&) override {}
};

// Whether reeve refuses what Beast refuses.
inline bool refuses(std::string_view head, bool request) {
  if (request) {
    RequestParser parser({});
    return parser.parse(head) == Progress::kFault;
  }
  ResponseParser parser({});
  return parser.parse(head) == Progress::kFault;
}

template <bool is_request>
std::string head_disagreement(std::string_view bytes) {
  HeadScanner scanner;
  scanner.reset(is_request ? HeadScanner::Start::kRequestLine : HeadScanner::Start::kStatusLine);
  const HeadLimits limits;
  const bool whole = scanner.scan(bytes, limits) == Progress::kDone;
  Fields fields;
  HeadReading reading(fields);
  const std::string_view from =
      bytes.substr(0, limits.head_bytes).substr(whole ? scanner.begin() : 0);
  const size_t size = is_request ? read_request_head(from, limits.fields, reading)
                                 : read_response_head(from, limits.fields, reading);
  if (whole != (size > 0)) return whole ? "only the scanner takes it" : "the scanner refuses it";
  if (!whole) return fields.list.empty() ? "" : "fields of a head that is none";
  if (size != scanner.end() - scanner.begin()) return "another length than the scanner's";
  const std::string_view head = from.substr(0, size);
  BeastReader<is_request> beast;
  if (!beast.read(head)) return refuses(head, is_request) ? "" : "only Beast refuses it";
  if (reading.wrong != nullptr) return "Beast takes it";
  if (beast.first != (is_request ? std::string(reading.method) : std::to_string(reading.status)) ||
      beast.second != (is_request ? reading.target : reading.reason) ||
      beast.minor_version != reading.minor_version) {
    return "another start line than Beast's";
  }
  if (beast.fields.size() != fields.list.size()) return "another number of fields than Beast's";
  for (size_t i = 0; i < fields.list.size(); ++i) {
    const Field& field = fields.list[i];
    if (field.name != beast.fields[i].first || field.value != beast.fields[i].second) {
      return "another field than Beast's";
    }
    if (field.known == 0 || static_cast<FieldName>(field.known) != field_name(field.name) ||
        !fields.may_have(field.name)) {
      return "a field that is not known for what it is";
    }
  }
  const FramingVerdict framing = judge_framing(reading);
  if (!framing.fault && framing.framing == Framing::kLength) {
    if (beast.content_length().value_or(0) != framing.content_length) return "another length";
  }
  if (!framing.fault && (framing.framing == Framing::kChunked) != beast.chunked()) {
    return "another coding than Beast's";
  }
  if (!framing.fault && framing.framing == Framing::kNone && beast.content_length().has_value()) {
    return "a length that is lost";
  }
  return "";
}

// Why HeadReader's pass, HeadScanner and Beast disagree about what `bytes` begin with; empty: they
// agree.
inline std::string request_disagreement(std::string_view bytes) {
  return head_disagreement<true>(bytes);
}
inline std::string response_disagreement(std::string_view bytes) {
  return head_disagreement<false>(bytes);
}

}  // namespace reeve::http::testing

#endif  // REEVE_TESTS_PROXY_HEAD_ORACLE_H_
