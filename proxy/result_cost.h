// What an answer says that its call cost: `cost: {from: result…, reserve: …}`.
//
// The body is read as it passes, and kept while it may say so. What it does not say, or not as a
// number from 0 to the reserve, is charged in full.
#ifndef REEVE_PROXY_RESULT_COST_H_
#define REEVE_PROXY_RESULT_COST_H_

#include <optional>
#include <string>
#include <string_view>

#include "policy/json.h"
#include "policy/money.h"
#include "policy/price_result.h"
#include "proxy/http/message.h"
#include "proxy/mcp/event_stream.h"

namespace reeve {

class ResultCost {
 public:
  // `terms` must outlive this. `mcp_id`: of an MCP call, mcp::id_key() of its request: its result
  // is then looked for in the answer to it; else the body is the result. At most `most_bytes` of a
  // body, or of an event, are kept.
  ResultCost(const policy::PriceTerms& terms, std::optional<std::string> mcp_id, size_t most_bytes)
      : terms_(terms), mcp_id_(std::move(mcp_id)), most_bytes_(most_bytes) {}

  void begin(const http::ResponseHead& head);
  void take(std::string_view bytes);
  // The body has ended, whole or cut short.
  void end(bool whole);

  // Nothing: what was reserved is charged.
  const std::optional<policy::Micros>& said() const { return said_; }

 private:
  enum class Form : uint8_t { kUnread, kJson, kEvents };
  void read(std::string_view text);

  const policy::PriceTerms& terms_;
  const std::optional<std::string> mcp_id_;
  const size_t most_bytes_;
  Form form_ = Form::kUnread;
  std::string text_;
  std::optional<mcp::EventStreamParser> events_;
  json::Parser parser_;
  std::optional<policy::Micros> said_;
};

}  // namespace reeve

#endif  // REEVE_PROXY_RESULT_COST_H_
