// See result_cost.h. Tested by tests/proxy/result_cost_test.cc and tests/e2e/result_price_test.mjs.
#include "proxy/result_cost.h"

#include <algorithm>

#include "policy/json_body.h"
#include "proxy/mcp/message.h"

namespace reeve {

void ResultCost::begin(const http::ResponseHead& head) {
  form_ = Form::kUnread;
  const auto type = head.fields.single("content-type");
  if (!type || head.fields.count("content-encoding") > 0) return;
  if (mcp_id_ && http::iequals(type->substr(0, 17), "text/event-stream")) {
    form_ = Form::kEvents;
    events_.emplace(most_bytes_);
  } else if (policy::body_form(head.fields.list).kind == policy::BodyForm::Kind::kJson) {
    form_ = Form::kJson;
  }
}

void ResultCost::take(std::string_view bytes) {
  if (form_ == Form::kJson) {
    if (text_.size() + bytes.size() > most_bytes_) {
      form_ = Form::kUnread;
      text_ = {};
    } else {
      text_ += bytes;
    }
  } else if (form_ == Form::kEvents) {
    const bool fits = events_->feed(bytes, [this](const mcp::Event& event) {
      if (!event.comment && event.has_data && !event.data.empty()) read(event.data);
    });
    if (!fits) form_ = Form::kUnread;
  }
}

void ResultCost::end(bool whole) {
  if (form_ == Form::kJson && whole) read(text_);
}

void ResultCost::read(std::string_view text) {
  const auto root = parser_.parse(text);
  if (!root || !root->is_object()) return;
  std::optional<policy::Micros> cost;
  if (mcp_id_) {
    const auto id = root->find("id"), result = root->find("result");
    if (!id || !result || !result->is_object() || mcp::id_key(*id) != *mcp_id_) return;
    if (root->has_case_variant("result") || root->has_case_variant("id")) return;
    cost = policy::cost_of_result(terms_, *result);
  } else {
    cost = policy::cost_of_result(terms_, *root);
  }
  // An answer that comes twice costs what is dearer.
  if (cost) said_ = std::max(*cost, said_.value_or(0));
}

}  // namespace reeve
