// Tested by tests/e2e/approval_test.mjs.
#include "proxy/approvals/before.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "policy/json.h"

namespace reeve::approvals {
namespace {

constexpr off_t kTail = 256 * 1024;
constexpr size_t kMost = 5;

// The file's last bytes, without the line that they begin in.
std::string tail_of(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return {};
  struct stat info{};
  std::string text;
  if (::fstat(file, &info) == 0 && S_ISREG(info.st_mode)) {
    const off_t from = info.st_size > kTail ? info.st_size - kTail : 0;
    text.resize(static_cast<size_t>(info.st_size - from));
    const ssize_t got = ::pread(file, text.data(), text.size(), from);
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    if (from > 0) text.erase(0, text.find('\n') + 1);
  }
  ::close(file);
  return text;
}

// Appends the members that tell what was done, when the line is one of the agent's decisions.
bool append_decision(std::string& out, const json::Value& line, std::string_view agent) {
  const auto kind = line.find("kind"), who = line.find("agent");
  if (!kind || !kind->is_string() || !kind->equals("decision")) return false;
  if (!who || !who->is_string() || !who->equals(agent)) return false;
  const size_t before = out.size();
  for (const std::string_view name :
       {"time", "upstream", "action", "target", "decision", "reason", "rule"}) {
    const auto value = line.find(name);
    if (!value) continue;
    out += out.size() == before ? "{\"" : ",\"";
    out.append(name).append("\":").append(value->raw());
  }
  out += '}';
  return true;
}

}  // namespace

std::string history_of(const std::string& audit_path, std::string_view agent) {
  const std::string text = tail_of(audit_path);
  std::string out = ",\"before\":[";
  size_t found = 0;
  json::Parser parser;
  // An incomplete last line is one that is being written.
  for (size_t end = text.rfind('\n'); end != text.npos && found < kMost;) {
    const size_t previous = end == 0 ? text.npos : text.rfind('\n', end - 1);
    const size_t begin = previous == text.npos ? 0 : previous + 1;
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    end = previous;
    if (line.find(agent) == line.npos) continue;
    const auto value = parser.parse(line);
    if (!value || !value->is_object()) continue;
    std::string one;
    if (!append_decision(one, *value, agent)) continue;
    out.append(found++ == 0 ? "" : ",").append(one);
  }
  return out + "]";
}

}  // namespace reeve::approvals
