// The oracle for what reeve writes: reads one HTTP/1.1 message the slow and plain way and takes
// only what every conforming peer must frame alike. It shares no code with proxy/http.
#ifndef REEVE_TESTS_PROXY_STRICT_READER_H_
#define REEVE_TESTS_PROXY_STRICT_READER_H_

#include <cctype>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace reeve::http::testing {

struct StrictMessage {
  std::string first, second, third;  // the parts of the start line
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;
  std::string rest;  // what follows the message
  bool until_close = false;

  std::vector<std::string> all(const std::string& lower_name) const {
    std::vector<std::string> found;
    for (const auto& [name, value] : fields) {
      std::string lower;
      for (char c : name) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      if (lower == lower_name) found.push_back(value);
    }
    return found;
  }
};

// Why the bytes are no message, or the message.
struct StrictReading {
  std::string violation;
  StrictMessage message;
};

class StrictReader {
 public:
  static StrictReading request(const std::string& bytes) {
    return StrictReader(bytes).read(true, false);
  }
  static StrictReading response(const std::string& bytes, bool bodiless) {
    return StrictReader(bytes).read(false, bodiless);
  }

 private:
  explicit StrictReader(const std::string& bytes) : bytes_(bytes) {}

  std::optional<std::string> line() {
    const size_t end = bytes_.find("\r\n", at_);
    if (end == std::string::npos) return std::nullopt;
    std::string found = bytes_.substr(at_, end - at_);
    at_ = end + 2;
    return found;
  }

  static bool token(const std::string& text) {
    for (unsigned char c : text) {
      if (!std::isalnum(c) &&
          std::string("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) == std::string::npos)
        return false;
    }
    return !text.empty();
  }

  static bool value(const std::string& text) {
    for (unsigned char c : text) {
      if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return true;
  }

  static std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.pop_back();
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.erase(0, 1);
    return text;
  }

  std::string read_fields() {
    for (;;) {
      const auto one = line();
      if (!one) return "no end of the head";
      if (one->empty()) return "";
      const size_t colon = one->find(':');
      if (colon == std::string::npos) return "no colon in " + *one;
      if (!token(one->substr(0, colon))) return "a malformed name in " + *one;
      if (!value(one->substr(colon + 1))) return "a control byte in " + *one;
      out_.fields.emplace_back(one->substr(0, colon), trimmed(one->substr(colon + 1)));
    }
  }

  std::string start_line(bool request) {
    const auto start = line();
    if (!start) return "no start line";
    const size_t one = start->find(' ');
    const size_t two = start->find(' ', one + 1);
    if (one == std::string::npos || two == std::string::npos) return "parts of the start line";
    out_.first = start->substr(0, one);
    out_.second = start->substr(one + 1, two - one - 1);
    out_.third = start->substr(two + 1);
    if (!request) return out_.first == "HTTP/1.1" && value(out_.third) ? "" : "status line";
    if (!token(out_.first) || out_.third != "HTTP/1.1" || out_.second.empty())
      return "request line";
    for (unsigned char c : out_.second) {
      if (c <= 0x20 || c >= 0x7f || c == '#') return "a byte of the target";
    }
    return out_.all("host").empty() ? "" : "a field before the start line";
  }

  std::string read_chunks() {
    for (;;) {
      const auto size_line = line();
      if (!size_line || size_line->empty() || size_line->size() > 15) return "a chunk size";
      size_t size = 0;
      for (unsigned char c : *size_line) {
        if (!std::isxdigit(c)) return "a chunk size";
        size =
            size * 16 + static_cast<size_t>(std::isdigit(c) ? c - '0' : std::tolower(c) - 'a' + 10);
      }
      if (bytes_.size() - at_ < size) return "a chunk is cut off";
      out_.body += bytes_.substr(at_, size);
      at_ += size;
      const auto end = line();
      if (!end || !end->empty()) return "the end of a chunk";
      if (size == 0) return "";
    }
  }

  std::string read_body(bool request, bool bodiless) {
    const auto lengths = out_.all("content-length");
    const auto codings = out_.all("transfer-encoding");
    if (lengths.size() + codings.size() > 1) return "two framings";
    if (!codings.empty() && codings[0] != "chunked") return "coding " + codings[0];
    uint64_t length = 0;
    if (!lengths.empty()) {
      if (lengths[0].empty() || lengths[0].size() > 18) return "length " + lengths[0];
      for (unsigned char c : lengths[0]) {
        if (!std::isdigit(c)) return "length " + lengths[0];
        length = length * 10 + (c - '0');
      }
    }
    if (bodiless) return "";
    if (!codings.empty()) return read_chunks();
    if (lengths.empty() && !request) {
      out_.until_close = true;
      length = bytes_.size() - at_;
    }
    if (bytes_.size() - at_ < length) return "the body is cut off";
    out_.body = bytes_.substr(at_, length);
    at_ += length;
    return "";
  }

  StrictReading read(bool request, bool bodiless) {
    std::string wrong = start_line(request);
    if (wrong.empty()) wrong = read_fields();
    if (wrong.empty() && request && out_.all("host").size() != 1) wrong = "not one Host";
    if (wrong.empty()) wrong = read_body(request, bodiless);
    out_.rest = bytes_.substr(at_);
    return {wrong, out_};
  }

  const std::string& bytes_;
  size_t at_ = 0;
  StrictMessage out_;
};

}  // namespace reeve::http::testing

#endif  // REEVE_TESTS_PROXY_STRICT_READER_H_
