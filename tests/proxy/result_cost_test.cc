// What answers say that their calls cost, cut at every byte.
#include "proxy/result_cost.h"

#include <catch2/catch.hpp>

#include "policy/parse_condition.h"
#include "proxy/mcp/message.h"

namespace reeve {
namespace {

using policy::Micros;

policy::PriceTerms terms_of(const char* path) {
  policy::PriceTerms terms;
  terms.from = policy::PriceTerms::From::kResult;
  terms.amount = 1'000'000;
  REQUIRE(policy::read_steps(path, terms.value));
  return terms;
}

http::ResponseHead head_of(std::string_view type) {
  http::ResponseHead head;
  head.status = 200;
  head.fields.list.push_back({"Content-Type", type});
  return head;
}

std::optional<Micros> cost_of(const policy::PriceTerms& terms, std::optional<std::string> id,
                              std::string_view type, std::string_view body, size_t cut,
                              bool whole = true) {
  ResultCost cost(terms, std::move(id), 4096);
  cost.begin(head_of(type));
  cost.take(body.substr(0, cut));
  cost.take(body.substr(cut));
  cost.end(whole);
  return cost.said();
}

TEST_CASE("a JSON body says what it cost", "[spend][result]") {
  const auto terms = terms_of("usage.cost");
  const std::string body = R"({"usage":{"cost":0.25},"more":[1,2]})";
  for (size_t cut = 0; cut <= body.size(); ++cut) {
    CHECK(cost_of(terms, {}, "application/json", body, cut) == 250'000);
  }
  CHECK(!cost_of(terms, {}, "application/json", body, 3, false));
  CHECK(!cost_of(terms, {}, "application/json", body.substr(0, 20), 3));
  CHECK(!cost_of(terms, {}, "text/plain", body, 3));
  CHECK(!cost_of(terms, {}, "text/event-stream", "data: " + body + "\n\n", 3));
  CHECK(!cost_of(terms, {}, "application/json", std::string(5000, ' ') + body, 3));
  ResultCost coded(terms, {}, 4096);
  auto head = head_of("application/json");
  head.fields.list.push_back({"Content-Encoding", "gzip"});
  coded.begin(head);
  coded.take(body);
  coded.end(true);
  CHECK(!coded.said());
}

TEST_CASE("an MCP answer says what its call cost, as a body and as an event", "[spend][result]") {
  const auto terms = terms_of("_meta.cost");
  json::Parser parser;
  const std::string id = mcp::id_key(*parser.parse("7"));
  const std::string answer = R"({"jsonrpc":"2.0","id":7,"result":{"_meta":{"cost":0.5}}})";
  const std::string other = R"({"jsonrpc":"2.0","id":8,"result":{"_meta":{"cost":0.1}}})";
  const std::string text = R"({"jsonrpc":"2.0","id":"7","result":{"_meta":{"cost":0.1}}})";
  const std::string error = R"({"jsonrpc":"2.0","id":7,"error":{"_meta":{"cost":0.1}}})";
  const std::string twin =
      R"({"jsonrpc":"2.0","id":7,"result":{"_meta":{"cost":0.1}},"Result":{}})";
  for (size_t cut = 0; cut <= answer.size(); ++cut) {
    CHECK(cost_of(terms, id, "application/json", answer, cut) == 500'000);
  }
  for (const std::string& none : {other, text, error, twin}) {
    CAPTURE(none);
    CHECK(!cost_of(terms, id, "application/json", none, 5));
  }
  const std::string events =
      ": hello\n\ndata: " + other + "\n\nevent: message\ndata: " + answer + "\n\n";
  for (size_t cut = 0; cut <= events.size(); ++cut) {
    CHECK(cost_of(terms, id, "text/event-stream; charset=utf-8", events, cut, false) == 500'000);
  }
  // The dearer of two answers.
  const std::string cheaper = R"({"jsonrpc":"2.0","id":7,"result":{"_meta":{"cost":0}}})";
  CHECK(cost_of(terms, id, "text/event-stream", events + "data: " + cheaper + "\n\n", 9) ==
        500'000);
}

TEST_CASE("what is no number from nothing to the reserve is not taken", "[spend][result]") {
  const auto terms = terms_of("cost");
  const auto said = [&](std::string_view value) {
    const std::string body = "{\"cost\":" + std::string(value) + "}";
    return cost_of(terms, {}, "application/json", body, 0);
  };
  CHECK(said("0") == 0);
  CHECK(said("1") == 1'000'000);
  CHECK(said("1e-7") == 1);  // a fraction of a millionth counts as a whole one
  for (const char* value : {"-1", "-0.0000001", "1.000001", "1e400", "\"1\"", "null", "true", "[1]",
                            "{}", "NaN", "Infinity", "01", "+1"}) {
    CAPTURE(value);
    CHECK(!said(value));
  }
  CHECK(!cost_of(terms, {}, "application/json", R"({"cost":0.1,"Cost":0.2})", 0));
  CHECK(!cost_of(terms, {}, "application/json", R"({"cost":0.1,"cost":0.2})", 0));
}

}  // namespace
}  // namespace reeve
