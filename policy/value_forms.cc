// See value_forms.h. Tested by tests/policy/condition_test.cc.
#include "policy/value_forms.h"

#include <algorithm>

namespace reeve::policy {

namespace {

bool is_clean_path(std::string_view path) {
  if (!path.starts_with('/')) return false;
  if (path.find('\\') != path.npos || path.find('\0') != path.npos) return false;
  for (size_t begin = 1; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    const bool is_last = end == path.size();
    if (segment == "." || segment == ".." || (segment.empty() && !is_last)) return false;
    begin = end + 1;
  }
  return true;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Letters, digits, hyphen, dot, underscore; or an IPv6 address in brackets.
bool is_host(std::string_view host) {
  if (host.empty()) return false;
  if (host.front() == '[') {
    return host.size() > 2 && host.back() == ']' &&
           host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdefABCDEF:.") ==
               host.npos;
  }
  return std::all_of(host.begin(), host.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
  });
}

// Four numbers from 0 to 255 without leading zeros.
bool is_dotted_quad(std::string_view host) {
  for (int part = 0; part < 4; ++part) {
    const size_t end = part < 3 ? host.find('.') : host.size();
    if (end == host.npos || end == 0 || end > 3) return false;
    const std::string_view digits = host.substr(0, end);
    int value = 0;
    for (const char c : digits) {
      if (!is_digit(c)) return false;
      value = value * 10 + (c - '0');
    }
    if (value > 255 || (digits.size() > 1 && digits[0] == '0')) return false;
    host.remove_prefix(std::min(end + 1, host.size()));
  }
  return host.empty();
}

}  // namespace

bool is_ambiguous_host(std::string_view host) {
  // Addresses of version 6 have many spellings; these are those that are not the usual one for
  // sure.
  if (host.starts_with('[')) {
    const auto has_leading_zero = [&](size_t at) {
      return host[at] == '0' && at + 1 < host.size() && host[at + 1] != ':' && host[at + 1] != ']';
    };
    for (size_t i = 1; i < host.size(); ++i) {
      if ((host[i - 1] == ':' || host[i - 1] == '[') && has_leading_zero(i)) return true;
    }
    return host.find('.') != host.npos || host.starts_with("[::ffff:");
  }
  if (host.starts_with('.') || host.ends_with('.') || host.find("..") != host.npos) return true;
  // As WHATWG's URL parser: a last label that is a number makes the whole an address.
  const size_t dot = host.rfind('.');
  const std::string_view last = dot == host.npos ? host : host.substr(dot + 1);
  const bool digits = !last.empty() && std::all_of(last.begin(), last.end(), is_digit);
  return (digits || last.starts_with("0x")) && !is_dotted_quad(host);
}

std::optional<bool> is_under(std::string_view path, std::string_view folder) {
  if (!is_clean_path(path)) return std::nullopt;
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::optional<std::string_view> host_of_url(std::string_view url, std::string& scratch) {
  const auto is_odd = [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '\\';
  };
  if (std::any_of(url.begin(), url.end(), is_odd)) return std::nullopt;
  const size_t colon = url.find("://");
  if (colon == url.npos || colon == 0 || !is_letter(url[0])) return std::nullopt;
  const std::string_view scheme = url.substr(0, colon);
  if (!std::all_of(scheme.begin(), scheme.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
      })) {
    return std::nullopt;
  }
  std::string_view authority = url.substr(colon + 3);
  authority = authority.substr(0, std::min(authority.find_first_of("/?#"), authority.size()));
  if (authority.find('@') != authority.npos) return std::nullopt;
  const size_t bracket = authority.find(']');
  const size_t port = authority.find(':', bracket == authority.npos ? 0 : bracket);
  if (port != authority.npos) {
    const std::string_view digits = authority.substr(port + 1);
    if (digits.find_first_not_of("0123456789") != digits.npos) return std::nullopt;
    authority = authority.substr(0, port);
  }
  if (authority.ends_with('.')) authority.remove_suffix(1);
  if (!is_host(authority)) return std::nullopt;
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (std::any_of(authority.begin(), authority.end(), is_upper)) {
    scratch.assign(authority);
    for (char& c : scratch) {
      if (is_upper(c)) c = static_cast<char>(c + 32);
    }
    authority = scratch;
  }
  if (is_ambiguous_host(authority)) return std::nullopt;
  return authority;
}

}  // namespace reeve::policy
