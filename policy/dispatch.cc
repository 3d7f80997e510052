// See dispatch.h. Tested by tests/policy/dispatch_test.cc.
#include "policy/dispatch.h"

#include "policy/args_reader.h"

namespace reeve::policy {

const DispatchInfo* find_dispatch(const ServerInfo& server, std::string_view tool) {
  for (const DispatchInfo& dispatch : server.dispatch) {
    if (dispatch.tool == tool) return &dispatch;
  }
  return nullptr;
}

const char* InnerCall::read(const ServerInfo& server, const DispatchInfo& dispatch,
                            const Call& outer) {
  if (!outer.args) return "a dispatch tool without arguments";
  ArgsReader reader(outer);
  const ArgsReader::Found named = reader.read(dispatch.inner_tool);
  const ArgsReader::Found given =
      dispatch.inner_args.steps.empty() ? ArgsReader::Found{} : reader.read(dispatch.inner_args);
  if (named.has_variant || given.has_variant) {
    return "a key that equals, but for case, one that names the inner call";
  }
  const std::optional<json::Value>& name = named.value;
  if (!name || !name->is_string()) return "a dispatch tool whose inner name is absent or no text";
  std::string scratch;
  name_ = name->text(scratch);
  if (find_dispatch(server, name_)) return "a dispatch tool that names a dispatch tool";
  if (const char* fault = read_args(given.value)) return fault;
  call_ = outer;
  call_.target = name_;
  call_.args = args_ ? &*args_ : nullptr;
  return nullptr;
}

const char* InnerCall::read_args(const std::optional<json::Value>& args) {
  args_.reset();
  if (!args) return nullptr;
  if (args->is_object()) {
    args_ = args;
    return nullptr;
  }
  if (!args->is_string()) return "a dispatch tool whose inner arguments are no object";
  std::string scratch;
  text_ = args->text(scratch);
  args_ = parser_.parse(text_);
  if (!args_) return "a dispatch tool whose inner arguments are no strict JSON";
  if (!args_->is_object()) return "a dispatch tool whose inner arguments are no object";
  return nullptr;
}

}  // namespace reeve::policy
