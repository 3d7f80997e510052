// See path.h. One pass writes both forms, segment by segment. A second, suspicious look is taken
// only at segments that some backend could read otherwise: its *skeleton* is what remains of a
// segment when everything is decoded that anybody decodes (escapes over and over, `%uXXXX`,
// overlong UTF-8, full-width forms), blanks and control bytes are gone, and it is cut at the first
// `;`, `?` or `#`. If a skeleton is a dot segment, or holds a slash, backslash or NUL, there is a
// second reading.
//
// Tested by tests/policy/path_test.cc.
#include "policy/path.h"

#include <array>
#include <cstdint>

namespace reeve::policy {
namespace {

constexpr const char* kDotSegment = "the path has a dot segment";
constexpr const char* kTwiceEscaped = "the path shows a slash, backslash or NUL if decoded again";

constexpr char kUpperHex[] = "0123456789ABCDEF";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// RFC 3986, 2.3.
constexpr bool is_unreserved(char c) {
  const char lower = static_cast<char>(c | 0x20);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// Bytes that stand for themselves in both forms; the others need a thought each.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> table{};
  for (int c = 0x21; c < 0x7f; ++c) table[c] = true;
  for (char c : {'%', '\\', '?', '#', ';'}) table[static_cast<unsigned char>(c)] = false;
  return table;
}();

size_t plain_run(std::string_view text, size_t from) {
  size_t i = from;
  while (i < text.size() && kPlain[static_cast<unsigned char>(text[i])]) ++i;
  return i - from;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Well-formed UTF-8 (Unicode 15, table 3-7).
bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto at = [&](size_t k) {
      return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0u;
    };
    const unsigned lead = at(0);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (at(1) < low || at(1) > high) return false;
    for (size_t k = 2; k < size; ++k) {
      if (at(k) < 0x80 || at(k) > 0xbf) return false;
    }
    i += size;
  }
  return true;
}

// What lenient decoders take for an ASCII character that matters: overlong UTF-8, full-width and
// look-alike forms. A slash here only separates; it is no escaped slash.
struct Lookalike {
  std::string_view bytes;
  char ascii;
};
constexpr std::array<Lookalike, 16> kLookalikes{{
    {"\xc0\xae", '.'},
    {"\xe0\x80\xae", '.'},
    {"\xf0\x80\x80\xae", '.'},
    {"\xef\xbc\x8e", '.'},  // U+FF0E
    {"\xe2\x80\xa4", '.'},  // U+2024
    {"\xef\xb9\x92", '.'},  // U+FE52
    {"\xc0\xaf", '/'},
    {"\xe0\x80\xaf", '/'},
    {"\xf0\x80\x80\xaf", '/'},
    {"\xef\xbc\x8f", '/'},  // U+FF0F
    {"\xe2\x88\x95", '/'},  // U+2215
    {"\xe2\x81\x84", '/'},  // U+2044
    {"\xc1\x9c", '/'},      // an overlong backslash
    {"\xe0\x81\x9c", '/'},
    {"\xef\xbc\xbc", '/'},  // U+FF3C
    {"\xef\xb9\xa8", '/'},  // U+FE68
}};

// Of `%uXXXX`, which some servers decode; 'x' for what matters to nobody.
char lookalike_of(unsigned code_point) {
  switch (code_point) {
    case 0xff0e:
    case 0x2024:
    case 0xfe52:
      return '.';
    case 0xff0f:
    case 0x2215:
    case 0x2044:
    case 0xff3c:
    case 0xfe68:
      return '/';
    default:
      return 'x';
  }
}

// Builds a skeleton at the end of a string that it borrows, and takes it off again.
class Skeleton {
 public:
  explicit Skeleton(std::string& scratch) : scratch_(scratch), begin_(scratch.size()) {}
  ~Skeleton() { scratch_.resize(begin_); }
  Skeleton(const Skeleton&) = delete;
  Skeleton& operator=(const Skeleton&) = delete;

  void push(char c) {
    if (static_cast<unsigned char>(c) > 0x20) {
      scratch_.push_back(c);
      while (reduce()) {
      }
    }
  }

  bool hostile() const { return hostile_; }  // a slash, backslash or NUL came out of a decoding

  // Whether a part between slashes is a dot segment, or empty because of what was cut off.
  bool has_dot_segment() const {
    const std::string_view all = text();
    size_t from = 0;
    for (;;) {
      const size_t to = all.find('/', from);
      const std::string_view part = all.substr(from, to - from);
      const std::string_view kept = part.substr(0, part.find_first_of(";?#"));
      if (kept == "." || kept == "..") return true;
      if (to == std::string_view::npos) return false;
      from = to + 1;
    }
  }

 private:
  std::string_view text() const { return std::string_view(scratch_).substr(begin_); }

  // Replaces one complete sequence at the end by what it stands for. Sequences do not overlap, so
  // that replacing them as they complete gives what decoding over and over would.
  bool reduce() {
    const std::string_view all = text();
    const auto from_end = [all](size_t k) { return all[all.size() - k]; };
    if (all.size() >= 3 && from_end(3) == '%') {
      const int high = hex_value(from_end(2));
      const int low = hex_value(from_end(1));
      if (high >= 0 && low >= 0) return decode(3, static_cast<char>(high << 4 | low));
    }
    if (all.size() >= 6 && from_end(6) == '%' && (from_end(5) | 0x20) == 'u') {
      unsigned code_point = 0;
      for (size_t k = 4; k > 0; --k) {
        const int digit = hex_value(from_end(k));
        if (digit < 0) return false;
        code_point = code_point << 4 | static_cast<unsigned>(digit);
      }
      return code_point < 0x80 ? decode(6, static_cast<char>(code_point))
                               : replace(6, lookalike_of(code_point));
    }
    if (static_cast<unsigned char>(all.empty() ? 0 : from_end(1)) < 0x80) return false;
    for (const Lookalike& one : kLookalikes) {
      if (all.ends_with(one.bytes)) return replace(one.bytes.size(), one.ascii);
    }
    return false;
  }

  // An escape, which may hide what the first decoding would have refused.
  bool decode(size_t size, char by) {
    if (by == '/' || by == '\\' || by == '\0') hostile_ = true;
    return replace(size, by);
  }

  bool replace(size_t size, char by) {
    scratch_.resize(scratch_.size() - size);
    if (static_cast<unsigned char>(by) <= 0x20) return false;
    scratch_.push_back(by);
    return true;
  }

  std::string& scratch_;
  const size_t begin_;
  bool hostile_ = false;
};

// One normalisation in progress.
class Normaliser {
 public:
  Normaliser(std::string_view raw, bool path_parameters, NormalPath& out)
      : raw_(raw), path_parameters_(path_parameters), out_(out) {}

  const char* run() {
    size_t at = 0;
    while (at < raw_.size()) {
      if (raw_[at] != '/') return "the path does not begin with a slash";
      size_t end = raw_.find('/', at + 1);
      if (end == std::string_view::npos) end = raw_.size();
      const bool last = end == raw_.size();
      const std::string_view text = raw_.substr(at + 1, end - at - 1);
      if (text.empty() && !last) return "the path has an empty segment";
      out_.forward.push_back('/');
      if (!text.empty() || at == 0) out_.match.push_back('/');
      if (const char* wrong = segment(text)) return wrong;
      at = end;
    }
    return nullptr;
  }

 private:
  const char* segment(std::string_view text) {
    const size_t begin = out_.match.size();
    suspicious_ = false;
    size_t i = 0;
    while (i < text.size()) {
      const size_t plain = plain_run(text, i);
      out_.forward.append(text, i, plain);
      out_.match.append(text, i, plain);
      i += plain;
      if (i == text.size()) break;
      const char c = text[i];
      if (const char* wrong = c == '%' ? escape(text, i) : raw_byte(c)) return wrong;
      ++i;
    }
    const std::string_view decoded = std::string_view(out_.match).substr(begin);
    if (decoded == "." || decoded == "..") return kDotSegment;
    return suspicious_ ? look_again(begin) : nullptr;
  }

  // A byte that stands for itself.
  const char* raw_byte(char c) {
    if (c == '\\') return "the path has a backslash";
    if (c == ' ' || is_control(c)) return "the path has a blank or control byte";
    if (c == '?' || c == '#') return "the path has a query or fragment";
    if (c == ';' && !path_parameters_) {
      return "the path has a `;` (`path_parameters` would allow it)";
    }
    if (c == ';') {
      suspicious_ = true;
      put(c);
    } else {
      put_escaped(c);  // a raw byte of UTF-8
    }
    return nullptr;
  }

  // The escape at text[i]; leaves `i` on its last character.
  const char* escape(std::string_view text, size_t& i) {
    const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) return "the path has a bad escape";
    i += 2;
    const char c = static_cast<char>(high << 4 | low);
    if (c == '/') return "the path has an escaped slash";
    if (c == '\\') return "the path has an escaped backslash";
    if (is_control(c)) return "the path has an escaped NUL or control byte";
    if (is_unreserved(c)) {
      put(c);
    } else {
      put_escaped(c);
    }
    return nullptr;
  }

  void put(char c) {
    out_.forward.push_back(c);
    out_.match.push_back(c);
  }

  void put_escaped(char c) {
    const auto byte = static_cast<unsigned char>(c);
    const char written[3] = {'%', kUpperHex[byte >> 4], kUpperHex[byte & 15]};
    out_.forward.append(written, sizeof written);
    out_.match.push_back(c);
    suspicious_ |= byte >= 0x80 || c == '%' || c == ' ' || c == ';' || c == '?' || c == '#';
  }

  const char* look_again(size_t begin) {
    const std::string_view decoded = std::string_view(out_.match).substr(begin);
    if (!is_utf8(decoded)) return "the path is not UTF-8 once decoded";
    if (decoded.front() == ';') return "the path has an empty segment before `;`";
    const size_t end = out_.match.size();
    Skeleton skeleton(out_.match);
    for (size_t i = begin; i < end; ++i) skeleton.push(out_.match[i]);
    if (skeleton.has_dot_segment()) return kDotSegment;
    return skeleton.hostile() ? kTwiceEscaped : nullptr;
  }

  std::string_view raw_;
  bool path_parameters_;
  NormalPath& out_;
  bool suspicious_ = false;  // this segment needs the second look
};

}  // namespace

const char* normalise_path(std::string_view raw, bool path_parameters, NormalPath& out) {
  out.forward.clear();
  out.match.clear();
  return Normaliser(raw.empty() ? "/" : raw, path_parameters, out).run();
}

}  // namespace reeve::policy
