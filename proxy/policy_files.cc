// See policy_files.h. Opened without blocking and checked by descriptor, so that what is read is
// what was looked at. Tested by tests/proxy/policy_files_test.cc.
#include "proxy/policy_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "policy/yaml.h"
#include "proxy/enforceable.h"

namespace reeve {

namespace {

constexpr int kReadings = 10;  // of files that change meanwhile

std::string reason(int code) {
  switch (code) {
    case ENOENT:
      return "there is no such file; correct the path";
    case EACCES:
      return "permission denied; let this user read it";
    case ELOOP:
      return "a loop of links; correct the link";
    default:
      return fmt::format("cannot be read ({})", std::strerror(code));
  }
}

class Descriptor {
 public:
  explicit Descriptor(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// Names of the policies in a folder, sorted by byte; nothing when it cannot be listed.
std::optional<std::vector<std::string>> list_folder(const std::string& path) {
  DIR* folder = ::opendir(path.c_str());
  if (!folder) return std::nullopt;
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name.starts_with('.') || !name.ends_with(".yaml")) continue;
    struct stat status{};
    const std::string file = fmt::format("{}/{}", path, name);
    if (::stat(file.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) continue;
    names.push_back(file);
  }
  ::closedir(folder);
  std::sort(names.begin(), names.end());
  return names;
}

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

void append_signature(std::string& out, const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    out += fmt::format("{}:-\n", path);
    return;
  }
  out += fmt::format("{}:{}:{}:{}:{}.{}:{}.{}\n", path, status.st_dev, status.st_ino,
                     status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                     status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
}

// The files as they come: a change between two of them goes unseen.
std::optional<std::vector<policy::SourceFile>> read_once(const std::string& path,
                                                         Diagnostics& diagnostics) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    diagnostics.error({path, 0, 0}, reason(errno));
    return std::nullopt;
  }
  std::vector<std::string> names = {path};
  if (S_ISDIR(status.st_mode)) {
    auto listed = list_folder(without_slash(path));
    if (!listed) {
      diagnostics.error({path, 0, 0}, reason(errno));
      return std::nullopt;
    }
    if (listed->empty()) {
      diagnostics.error({path, 0, 0},
                        "a folder without a policy; its files must end in `.yaml` and not begin "
                        "with a dot");
      return std::nullopt;
    }
    names = std::move(*listed);
  }
  std::vector<policy::SourceFile> files;
  bool good = true;
  for (const std::string& name : names) {
    if (auto file = read_source_file(name, diagnostics)) {
      files.push_back(std::move(*file));
    } else {
      good = false;
    }
  }
  if (!good) return std::nullopt;
  return files;
}

}  // namespace

std::optional<policy::SourceFile> read_source_file(const std::string& path,
                                                   Diagnostics& diagnostics) {
  const auto fail = [&](std::string message) {
    diagnostics.error({path, 0, 0}, std::move(message));
    return std::nullopt;
  };
  const Descriptor file(path);
  if (file.get() < 0) return fail(reason(errno));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail(reason(errno));
  if (!S_ISREG(status.st_mode)) return fail("no regular file; name a file or a folder");
  const size_t limit = yaml::Limits{}.file_bytes;
  policy::SourceFile source{path, {}};
  source.text.reserve(std::min(static_cast<size_t>(status.st_size), limit) + 1);
  char block[64 * 1024];
  while (true) {
    const ssize_t count = ::read(file.get(), block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(reason(errno));
    if (count == 0) return source;
    source.text.append(block, static_cast<size_t>(count));
    if (source.text.size() > limit) {
      return fail(fmt::format("larger than {} MB; split it", limit / (1024 * 1024)));
    }
  }
}

std::optional<std::vector<policy::SourceFile>> read_policy_files(const std::string& path,
                                                                 Diagnostics& diagnostics) {
  for (int left = kReadings; left > 0; --left) {
    const std::string before = policy_files_signature(path);
    Diagnostics found;
    auto files = read_once(path, found);
    if (policy_files_signature(path) != before) continue;
    for (const Diagnostic& diagnostic : found.all()) {
      diagnostics.error(diagnostic.place, diagnostic.message);
    }
    return files;
  }
  diagnostics.error({path, 0, 0}, "changes while it is read; replace it in one step, by a rename");
  return std::nullopt;
}

std::shared_ptr<const policy::PolicySet> load_policy_files(const std::string& path,
                                                           const policy::Wiring& wiring,
                                                           const policy::PolicySet* in_force,
                                                           Diagnostics& diagnostics) {
  const auto files = read_policy_files(path, diagnostics);
  if (!files) return nullptr;
  auto policy = policy::PolicySet::load(*files, wiring, diagnostics);
  if (!policy) return nullptr;
  const size_t errors_before = diagnostics.error_count();
  report_unenforced(*policy, Severity::kError, wiring.fleet, diagnostics);
  bool whole = diagnostics.error_count() == errors_before;
  if (!in_force) return whole ? policy : nullptr;
  const auto has = [](std::span<const std::string> names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const policy::SourceFile& file : *files) {
    if (!has(in_force->marked_files(), file.name) || has(policy->marked_files(), file.name)) {
      continue;
    }
    whole = false;
    diagnostics.error({file.name, 0, 0},
                      "the file does not end with `...` as the running one does: it may be cut "
                      "short; write it whole");
  }
  return whole ? policy : nullptr;
}

std::string policy_files_signature(const std::string& path) {
  std::string signature;
  append_signature(signature, path);
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    if (const auto names = list_folder(without_slash(path))) {
      for (const std::string& name : *names) append_signature(signature, name);
    }
  }
  return signature;
}

}  // namespace reeve
