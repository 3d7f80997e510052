// See arguments_text.h. Tested by tests/proxy/arguments_text_test.cc.
#include "proxy/arguments_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "policy/text.h"

namespace reeve {
namespace {

constexpr std::string_view kCredential = "[credential]";
constexpr size_t kShortestSecret = 8;

struct Bounds {
  size_t bytes;    // of all of it; what is written when it is reached may end a little later
  size_t text;     // of one string
  size_t name;     // of one name
  size_t items;    // of a list
  size_t members;  // of an object
  unsigned depth;
};
constexpr Bounds kRedactedBounds{4 * 1024, 0, 128, 16, 64, 16};
constexpr Bounds kFullBounds{16 * 1024, 4 * 1024, 128, 1024, 1024, 32};

void append_utf16(std::string& out, uint32_t point) {
  if (point >= 0x10000) {
    out += fmt::format("\\u{:04x}\\u{:04x}", 0xd7c0 + (point >> 10), 0xdc00 + (point & 0x3ff));
  } else {
    out += fmt::format("\\u{:04x}", point);
  }
}

// As a JSON string. `text` is UTF-8.
void append_escaped(std::string& out, std::string_view text) {
  if (policy::hidden_character(text) == nullptr) return json::append_string(out, text);
  out += '"';
  for (size_t at = 0; at < text.size();) {
    const policy::CodePoint point = policy::decode_utf8(text, at);
    const size_t length = std::max<size_t>(point.length, 1);
    const std::string_view one = text.substr(at, length);
    at += length;
    if (policy::hidden_character(one) != nullptr) {
      append_utf16(out, point.length == 0 ? 0xfffd : point.value);
    } else if (one == "\"" || one == "\\") {
      out.append(1, '\\').append(one);
    } else {
      out += one;
    }
  }
  out += '"';
}

size_t count_code_points(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

class Writer {
 public:
  Writer(KeptArguments how, std::span<const std::string_view> secrets)
      : full_(how == KeptArguments::kFull),
        bounds_(full_ ? kFullBounds : kRedactedBounds),
        secrets_(secrets) {}

  void value(const json::Value& value, unsigned depth) {
    switch (value.type()) {
      case json::Type::kNull:
        out_.json += "null";
        break;
      case json::Type::kFalse:
      case json::Type::kTrue:
        out_.json += full_ ? value.raw() : std::string_view("\"boolean\"");
        break;
      case json::Type::kNumber:
        number(value.raw());
        break;
      case json::Type::kString:
        string(value.text(scratch_));
        break;
      case json::Type::kArray:
        array(value, depth);
        break;
      case json::Type::kObject:
        object(value, depth);
        break;
    }
  }
  ArgumentsText take() { return std::move(out_); }

 private:
  bool is_full(size_t written, size_t most) const {
    return written >= most || out_.json.size() >= bounds_.bytes;
  }

  void number(std::string_view digits) {
    if (!full_) {
      out_.json += "\"number\"";
    } else if (digits.size() > bounds_.text) {
      string(digits);
    } else {
      out_.json += digits;
    }
  }

  void string(std::string_view text) {
    if (!full_) {
      out_.json += fmt::format("\"string:{}\"", count_code_points(text));
      return;
    }
    append_escaped(out_.json, bounded(without_secrets(text), bounds_.text));
  }

  // The text, or its beginning with a mark that says how long it was.
  std::string bounded(std::string text, size_t most) {
    if (text.size() <= most) return text;
    const size_t size = text.size();
    size_t end = most;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text.resize(end);
    out_.cut = true;
    return text + fmt::format("[cut: {} bytes]", size);
  }

  std::string without_secrets(std::string_view from) const {
    std::string text(from);
    for (const std::string_view secret : secrets_) {
      if (secret.size() < kShortestSecret) continue;
      for (size_t at = 0; (at = text.find(secret, at)) != text.npos; at += kCredential.size()) {
        text.replace(at, secret.size(), kCredential);
      }
    }
    return text;
  }

  std::string mark(size_t left) {
    out_.cut = true;
    return fmt::format("[cut: {} more]", left);
  }

  void array(const json::Value& list, unsigned depth) {
    out_.json += '[';
    size_t written = 0;
    for (const json::Value item : list.items()) {
      if (written > 0) out_.json += ',';
      if (is_full(written, depth >= bounds_.depth ? 0 : bounds_.items)) {
        json::append_string(out_.json, mark(list.size() - written));
        break;
      }
      value(item, depth + 1);
      ++written;
    }
    out_.json += ']';
  }

  void object(const json::Value& map, unsigned depth) {
    out_.json += '{';
    size_t written = 0;
    std::string scratch;
    for (const json::Member member : map.members()) {
      if (written > 0) out_.json += ',';
      if (is_full(written, depth >= bounds_.depth ? 0 : bounds_.members)) {
        json::append_string(out_.json, mark(map.size() - written));
        out_.json += ":true";
        break;
      }
      const std::string_view name = member.key.text(scratch);
      append_escaped(out_.json, bounded(without_secrets(name), bounds_.name));
      out_.json += ':';
      if (names_credential(name) && !member.value.is_null()) {
        json::append_string(out_.json, kCredential);
      } else {
        value(member.value, depth + 1);
      }
      ++written;
    }
    out_.json += '}';
  }

  const bool full_;
  const Bounds bounds_;
  const std::span<const std::string_view> secrets_;
  ArgumentsText out_;
  std::string scratch_;
};

}  // namespace

bool names_credential(std::string_view name) {
  static constexpr std::string_view kEnds[] = {
      "password", "passwd",    "passphrase", "passcode",   "secret", "token",
      "apikey",   "accesskey", "privatekey", "secretkey",  "cookie", "authorization",
      "pwd",      "otp",       "credential", "credentials"};
  std::string plain;
  for (const char c : name) {
    if (c == '-' || c == '_' || c == '.' || c == ' ') continue;
    plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return std::any_of(std::begin(kEnds), std::end(kEnds),
                     [&](std::string_view end) { return plain.ends_with(end); });
}

ArgumentsText arguments_text(const json::Value& arguments, KeptArguments how,
                             std::span<const std::string_view> secrets) {
  Writer writer(how, secrets);
  writer.value(arguments, 0);
  return writer.take();
}

}  // namespace reeve
