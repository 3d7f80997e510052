// See reader.h. Tested by tests/proxy/config_test.cc.
#include "proxy/config/reader.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace reeve::config {
namespace {

constexpr size_t kSecretBytes = 64 * 1024;

}  // namespace

// Reads a regular file whole. A FIFO or device would block or never end, so it is refused.
std::optional<std::string> read_file(const std::string& path, size_t limit, std::string& why) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    why = std::strerror(errno);
    return std::nullopt;
  }
  if (!S_ISREG(info.st_mode)) {
    why = "not a regular file";
    return std::nullopt;
  }
  std::ifstream in(path, std::ios::binary);
  std::string text;
  text.resize(std::min<size_t>(static_cast<size_t>(info.st_size), limit + 1));
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in && !in.eof()) {
    why = std::strerror(errno);
    return std::nullopt;
  }
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > limit) {
    why = fmt::format("larger than {} bytes", limit);
    return std::nullopt;
  }
  return text;
}

bool Reader::mapping(const yaml::Node& node, std::string_view what) {
  if (node.is_mapping()) return true;
  error(node.mark, fmt::format("{} must be a mapping of `key: value`", what));
  return false;
}

bool Reader::keys(const yaml::Node& node, std::string_view what, const KeySet& set) {
  if (!mapping(node, what)) return false;
  for (const auto& member : node.members) {
    const auto in = [&](const std::vector<std::string>& list) {
      return std::find(list.begin(), list.end(), member.key) != list.end();
    };
    if (in(set.known)) continue;
    if (in(set.not_yet)) {
      error(member.key_mark,
            fmt::format("`{}` is not yet supported by this version; remove it", member.key));
      continue;
    }
    const std::string near = nearest(member.key, set.known);
    error(member.key_mark, near.empty() ? fmt::format("unknown key `{}` in {}; known are {}",
                                                      member.key, what, fmt::join(set.known, ", "))
                                        : fmt::format("unknown key `{}` in {}; did you mean `{}`?",
                                                      member.key, what, near));
  }
  return true;
}

std::string Reader::text(const yaml::Node& node) {
  if (!node.is_scalar()) {
    error(node.mark, "a text is expected here");
    return {};
  }
  std::string out;
  std::string_view rest = node.text;
  for (size_t at; (at = rest.find("${")) != std::string_view::npos;) {
    const size_t end = rest.find('}', at);
    if (end == std::string_view::npos) {
      error(node.mark, fmt::format("`{}` has no closing `}}`", rest.substr(at)));
      return {};
    }
    out += rest.substr(0, at);
    out += variable(node.mark, std::string(rest.substr(at + 2, end - at - 2)));
    rest.remove_prefix(end + 1);
  }
  out += rest;
  return out;
}

std::string Reader::variable(const yaml::Mark& mark, const std::string& name) {
  if (name.rfind("file:", 0) == 0) {
    std::string why;
    const std::string from = path(name.substr(5));
    std::optional<std::string> secret = read_file(from, kSecretBytes, why);
    if (!secret) {
      error(mark, fmt::format("`${{{}}}` cannot be read from `{}`: {}", name, from, why));
      return {};
    }
    while (!secret->empty() && (secret->back() == '\n' || secret->back() == '\r')) {
      secret->pop_back();  // editors end a file with a newline that is no part of the secret
    }
    return *secret;
  }
  if (const char* value = std::getenv(name.c_str())) return value;
  error(mark,
        fmt::format("`${{{}}}` is not set; export {} in the environment of reeve", name, name));
  return {};
}

std::string Reader::required_text(const yaml::Node& node, const char* key, const char* example) {
  if (const yaml::Node* value = node.find(key)) {
    std::string found = text(*value);
    if (found.empty() && !diagnostics_.has_errors()) {
      error(value->mark, fmt::format("`{}` is empty; write `{}`", key, example));
    }
    return found;
  }
  error(node.mark, fmt::format("`{}` is missing; write `{}`", key, example));
  return {};
}

std::string Reader::path(const std::string& name) const {
  if (name.empty() || folder_.empty() || std::filesystem::path(name).is_absolute()) return name;
  return (folder_ / name).lexically_normal().string();
}

}  // namespace reeve::config
