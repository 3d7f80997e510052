// See guard_body.h. Tested by tests/proxy/guard_body_test.cc and, end to end, by
// tests/e2e/guard_test.mjs.
#include "proxy/guard_body.h"

#include <algorithm>
#include <iterator>

#include "policy/json_body.h"

namespace reeve {
namespace {

using policy::GuardReport;
using Root = policy::GuardExaminer::Root;

constexpr std::string_view kTexts[] = {
    "application/xml",        "application/yaml",       "application/x-yaml",
    "application/javascript", "application/graphql",    "application/sql",
    "application/toml",       "application/x-sh",       "application/xml-dtd",
    "application/ecmascript", "application/typescript", "application/rtf"};
constexpr std::string_view kJsonLines[] = {"application/x-ndjson", "application/ndjson",
                                           "application/jsonl", "application/x-jsonlines",
                                           "application/json-lines"};

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

template <size_t size>
bool is_one_of(std::string_view media, const std::string_view (&list)[size]) {
  return std::any_of(std::begin(list), std::end(list),
                     [&](std::string_view each) { return http::iequals(media, each); });
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() > end.size() && http::iequals(text.substr(text.size() - end.size()), end);
}

BodyMedia media_of_type(std::string_view media) {
  if (http::iequals(media, "application/json") || ends_with(media, "+json")) {
    return BodyMedia::kJson;
  }
  if (is_one_of(media, kJsonLines)) return BodyMedia::kJsonLines;
  if (http::iequals(media, "application/x-www-form-urlencoded")) return BodyMedia::kForm;
  if (http::iequals(media, "text/event-stream")) return BodyMedia::kEvents;
  constexpr std::string_view kText = "text/";
  const bool text =
      media.size() > kText.size() && http::iequals(media.substr(0, kText.size()), kText);
  return text || ends_with(media, "+xml") || is_one_of(media, kTexts) ? BodyMedia::kText
                                                                      : BodyMedia::kUnreadable;
}

// Spliced together from what stays and what is edited, in order.
class Edited {
 public:
  Edited(std::string_view source, std::string& out) : source_(source), out_(out) { out_.clear(); }
  void replace(size_t begin, size_t end, std::string_view with) {
    out_.append(source_.substr(done_, begin - done_)).append(with);
    done_ = end;
    changed_ = true;
  }
  bool finish() {
    out_.append(source_.substr(done_));
    return changed_;
  }

 private:
  const std::string_view source_;
  std::string& out_;
  size_t done_ = 0;
  bool changed_ = false;
};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// A name or value of a form, decoded (WHATWG URL, 5.1); a `%` that begins no escape is itself.
std::string form_text(std::string_view coded) {
  std::string text;
  for (size_t i = 0; i < coded.size(); ++i) {
    if (coded[i] == '+') {
      text += ' ';
    } else if (coded[i] == '%' && i + 2 < coded.size() && hex_digit(coded[i + 1]) >= 0 &&
               hex_digit(coded[i + 2]) >= 0) {
      text += static_cast<char>(hex_digit(coded[i + 1]) * 16 + hex_digit(coded[i + 2]));
      i += 2;
    } else {
      text += coded[i];
    }
  }
  return text;
}

std::string form_coded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string coded;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '.' || c == '_' || c == '*';
    if (plain) {
      coded += c;
    } else if (c == ' ') {
      coded += '+';
    } else {
      const auto byte = static_cast<unsigned char>(c);
      coded.append(1, '%').append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    }
  }
  return coded;
}

bool examine_json(GuardTools& tools, std::string_view text, std::string& out, bool& changed,
                  const OnReport& on_report) {
  const auto root = tools.json.parse(text);
  if (!root) return on_report(doubtful("it is no strict JSON")), false;
  if (spells_text_out(*root)) return on_report(doubtful("it has `logprobs`")), false;
  const GuardReport report = tools.examiner.examine(*root, Root::kValue, tools.out);
  if (!on_report(report)) return false;
  Edited edited(text, out);
  if (report.redacted) {
    edited.replace(root->offset(), root->offset() + root->raw().size(), tools.out);
  }
  changed = edited.finish();
  return true;
}

bool examine_lines(GuardTools& tools, std::string_view body, std::string& out, bool& changed,
                   const OnReport& on_report) {
  Edited edited(body, out);
  std::string line;
  for (size_t begin = 0; begin < body.size();) {
    const size_t end = std::min(body.find('\n', begin), body.size());
    const std::string_view text = body.substr(begin, end - begin);
    bool line_changed = false;
    if (!trim(text).empty()) {
      if (!examine_json(tools, text, line, line_changed, on_report)) return false;
      if (line_changed) edited.replace(begin, end, line);
    }
    begin = end + 1;
  }
  changed = edited.finish();
  return true;
}

bool examine_form(GuardTools& tools, std::string_view body, std::string& out, bool& changed,
                  const OnReport& on_report) {
  Edited edited(body, out);
  const auto look = [&](size_t begin, size_t end, std::string_view label) {
    const std::string text = form_text(body.substr(begin, end - begin));
    const GuardReport report = tools.examiner.examine_text(text, label, tools.out);
    if (!on_report(report)) return false;
    if (report.redacted) edited.replace(begin, end, form_coded(tools.out));
    return true;
  };
  for (size_t begin = 0; begin < body.size();) {
    const size_t end = std::min(body.find('&', begin), body.size());
    const size_t equals = std::min(body.find('=', begin), end);
    if (!look(begin, equals, {})) return false;
    const std::string label = form_text(body.substr(begin, equals - begin));
    if (equals < end && !look(equals + 1, end, label)) return false;
    begin = end + 1;
  }
  changed = edited.finish();
  return true;
}

constexpr int kSpellingDepth = 8;

bool spells_out(const json::Value& value, int depth) {
  if (depth == 0) return false;
  if (value.is_array()) {
    for (const json::Value item : value.items()) {
      if (spells_out(item, depth - 1)) return true;
    }
  }
  if (!value.is_object()) return false;
  const auto tokens = value.find("logprobs");
  if (tokens && (tokens->is_array() || tokens->is_object()) && tokens->size() > 0) return true;
  for (const json::Member member : value.members()) {
    if (spells_out(member.value, depth - 1)) return true;
  }
  return false;
}

}  // namespace

GuardReport doubtful(const char* why) {
  GuardReport report;
  report.outcome = GuardReport::Outcome::kDoubt;
  report.doubt = why;
  return report;
}

GuardedMedia media_of(const http::Fields& fields) {
  if (fields.count("content-encoding") > 0 &&
      !(fields.count("content-encoding") == 1 &&
        http::iequals(*fields.single("content-encoding"), "identity"))) {
    return {BodyMedia::kUnreadable, "it has a content coding"};
  }
  const auto type = fields.single("content-type");
  if (!type) return {BodyMedia::kUnreadable, "it does not say its one content type"};
  if (!policy::charset_is_utf8(*type) && type->find("us-ascii") == type->npos) {
    return {BodyMedia::kUnreadable, "it is not in UTF-8"};
  }
  const BodyMedia media = media_of_type(trim(type->substr(0, type->find(';'))));
  if (media == BodyMedia::kUnreadable) {
    return {media, "its content type is neither JSON nor text"};
  }
  return {media, ""};
}

bool examine_body(GuardTools& tools, BodyMedia media, std::string_view body, std::string& out,
                  bool& changed, const OnReport& on_report) {
  switch (media) {
    case BodyMedia::kJson:
      return examine_json(tools, body, out, changed, on_report);
    case BodyMedia::kJsonLines:
      return examine_lines(tools, body, out, changed, on_report);
    case BodyMedia::kForm:
      return examine_form(tools, body, out, changed, on_report);
    default:
      break;
  }
  // UTF-16 and its kin are UTF-8 as well, with a zero after each letter.
  if (body.find('\0') != body.npos) return on_report(doubtful("it is not in UTF-8")), false;
  const GuardReport report = tools.examiner.examine_text(body, {}, out);
  changed = report.redacted;
  return on_report(report);
}

GuardReport examine_loose(GuardTools& tools, std::string_view text, std::string& out) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  const bool list = first != text.npos && (text[first] == '{' || text[first] == '[');
  const bool string = first != text.npos && text[first] == '"';
  if (!list && !string) return tools.examiner.examine_text(text, {}, out);
  if (const auto root = tools.json.parse(text)) {
    if (spells_text_out(*root)) return doubtful("it has `logprobs`");
    GuardReport report = tools.examiner.examine(*root, Root::kValue, tools.out);
    if (report.redacted) {
      Edited edited(text, out);
      edited.replace(root->offset(), root->offset() + root->raw().size(), tools.out);
      edited.finish();
    }
    return report;
  }
  if (list && text.find('\\') != text.npos) return doubtful("it is no strict JSON");
  return tools.examiner.examine_text(text, {}, out);
}

bool spells_text_out(const json::Value& root) { return spells_out(root, kSpellingDepth); }

}  // namespace reeve
