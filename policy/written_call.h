// A call that a person wrote down, on the command line or in tests.yaml, read as the sidecar reads
// one from the network: the path normalised, arguments and bodies validated. So that what is
// explained and tested is what would happen.
#ifndef REEVE_POLICY_WRITTEN_CALL_H_
#define REEVE_POLICY_WRITTEN_CALL_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policy/call.h"
#include "policy/json.h"
#include "policy/path.h"

namespace reeve::policy {

// As written.
struct CallSpec {
  std::string upstream;
  Kind kind = Kind::kTool;
  std::string action;               // of kHttp the method; otherwise set by set_target()
  std::string target;               // of kHttp with its query
  std::optional<std::string> args;  // JSON, of a tool
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<std::string> body;
  std::optional<Time> at;
  bool path_parameters = false;  // of the upstream

  // For kinds other than kHttp: the target, and the MCP method that carries it.
  void set_target(Kind of, std::string name);
  // `METHOD PATH`; false when it is not that.
  bool set_http(std::string_view text);
};

// An RFC 3339 time, such as 2026-11-22T09:30:00Z or with an offset.
std::optional<Time> parse_time(std::string_view text);

// Owns what the Call looks at. Not movable: the call points into it.
class WrittenCall {
 public:
  // Keeps a copy of `spec`. `reads_body`: whether the policy reads bodies on that upstream, which
  // is what PolicySet::reads_body() says; otherwise they pass unread. `now` stands in for `at`.
  WrittenCall(CallSpec spec, bool reads_body, Time now);
  WrittenCall(const WrittenCall&) = delete;
  WrittenCall& operator=(const WrittenCall&) = delete;

  // What makes it malformed before any rule is asked: a sentence, or empty.
  const std::string& fault() const { return fault_; }
  // Requires an empty fault().
  const Call& call() const { return call_; }

 private:
  void read_path();
  void read_args(const std::string& text, bool must_be_object);
  void read_body();

  CallSpec spec_;
  std::string fault_;
  NormalPath path_;
  std::vector<Field> fields_;
  json::Parser parser_;
  std::optional<json::Value> args_;
  Call call_;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_WRITTEN_CALL_H_
