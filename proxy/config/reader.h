// Values of a YAML file with the errors that name their place and the remedy.
//
// A method that finds its value wrong adds an error and returns something harmless: whoever reads a
// section goes on, so that one run shows every mistake. Nothing is returned to the sidecar then.
#ifndef REEVE_PROXY_CONFIG_READER_H_
#define REEVE_PROXY_CONFIG_READER_H_

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/yaml.h"
#include "proxy/config.h"

namespace reeve::config {

// Reads a regular file whole. A FIFO or device would block or never end, so it is refused. Nothing
// on failure, and `why`.
std::optional<std::string> read_file(const std::string& path, size_t limit, std::string& why);

struct KeySet {
  std::vector<std::string> known;
  std::vector<std::string> not_yet;  // named by the interfaces, refused by this version
};

class Reader {
 public:
  // Both must outlive the reader.
  Reader(const yaml::Document& document, Diagnostics& diagnostics)
      : document_(document),
        diagnostics_(diagnostics),
        folder_(std::filesystem::path(document.file).parent_path()) {}

  void error(const yaml::Mark& mark, std::string message) {
    diagnostics_.error(document_.place(mark), std::move(message));
  }
  bool has_errors() const { return diagnostics_.has_errors(); }
  Place place(const yaml::Mark& mark) const { return document_.place(mark); }
  const std::string& file() const { return document_.file; }
  // Relative to the file's folder.
  std::string path(const std::string& name) const;

  // False when the node is no mapping. Every key that is not known is an error here, once.
  bool keys(const yaml::Node& node, std::string_view what, const KeySet& set);
  // The scalar's text with `${NAME}` and `${file:PATH}` filled in.
  std::string text(const yaml::Node& node);
  std::string required_text(const yaml::Node& node, const char* key, const char* example);

  std::optional<Address> address(const yaml::Node& node);
  std::optional<policy::Sha256> hex_hash(const yaml::Node& node);
  std::string field_name(const yaml::Node& node);
  std::chrono::milliseconds duration(const yaml::Node& node);
  size_t bytes(const yaml::Node& node, size_t least);
  bool boolean(const yaml::Node& node);
  size_t number(const yaml::Node& node, size_t least, size_t most);
  // A choice of which this version has one.
  void only(const yaml::Node& node, const char* key, std::string_view supported,
            const std::vector<std::string>& not_yet);

 private:
  bool mapping(const yaml::Node& node, std::string_view what);
  std::string variable(const yaml::Mark& mark, const std::string& name);

  const yaml::Document& document_;
  Diagnostics& diagnostics_;
  std::filesystem::path folder_;
};

}  // namespace reeve::config

#endif  // REEVE_PROXY_CONFIG_READER_H_
