// Whose a line is: ids made unique and put back, progress, subscriptions, questions, garbage.
#include <catch2/catch.hpp>

#include "proxy/stdio/routes.h"

using reeve::stdio::Routes;
using To = Routes::To;

namespace {

struct Client {
  reeve::mcp::Reader reader;
  reeve::http::Fields fields;
  const reeve::mcp::Message& read(std::string_view body) {
    REQUIRE(reader.read(body, fields));
    return reader.message();
  }
};

Routes::Asked ask(Routes& routes, std::string_view body) {
  Client client;
  return routes.ask(client.read(body), body);
}

}  // namespace

TEST_CASE("an id is made unique on the way in and put back on the way out") {
  Routes routes;
  const auto first = ask(routes, R"({"jsonrpc":"2.0","id":"a\"1","method":"ping"})");
  const auto second = ask(routes, R"({"jsonrpc":"2.0","id":"a\"1","method":"ping"})");
  CHECK(first.number != second.number);
  CHECK(first.line == R"({"jsonrpc":"2.0","id":1,"method":"ping"})");
  const auto answer = routes.route(R"({"result":{"id":2},"id": 2 ,"jsonrpc":"2.0"})");
  CHECK(answer.to == To::kRequest);
  CHECK(answer.number == second.number);
  CHECK(answer.last);
  CHECK(answer.message == R"({"result":{"id":2},"id": "a\"1" ,"jsonrpc":"2.0"})");
  CHECK(routes.route(R"({"jsonrpc":"2.0","id":2,"result":{}})").to == To::kNobody);
  CHECK(routes.pending() == 1);
}

TEST_CASE("a message of several lines becomes one, and keeps its strings") {
  Routes routes;
  const auto asked = ask(
      routes, "{\"jsonrpc\":\"2.0\",\r\n \"id\":7,\n\"method\":\"x\",\"params\":{\"a\":\"\\n\"}}");
  CHECK(asked.line ==
        "{\"jsonrpc\":\"2.0\",   \"id\":1, \"method\":\"x\",\"params\":{\"a\":\"\\n\"}}");
}

TEST_CASE("progress goes to the request whose token it names") {
  Routes routes;
  ask(routes, R"({"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"progressToken":0}}})");
  const auto mine = ask(
      routes, R"({"jsonrpc":"2.0","id":2,"method":"x","params":{"_meta":{"progressToken":"0"}}})");
  const std::string_view line =
      R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"0","progress":1}})";
  const auto routed = routes.route(line);
  CHECK(routed.to == To::kRequest);
  CHECK(routed.number == mine.number);
  CHECK_FALSE(routed.last);
  CHECK(routed.message == line);
  routes.forget(mine.number);
  CHECK(routes.route(line).to == To::kNobody);
}

TEST_CASE("a subscription's notifications and its end name the client's id again") {
  Routes routes;
  const auto asked = ask(
      routes,
      R"({"jsonrpc":"2.0","id":"sub","method":"subscriptions/listen","params":{"notifications":{}}})");
  const auto told = routes.route(
      R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}})");
  CHECK(told.to == To::kRequest);
  CHECK(told.number == asked.number);
  CHECK(told.message.find(R"("io.modelcontextprotocol/subscriptionId":"sub")") !=
        std::string::npos);
  const auto end = routes.route(
      R"({"id":1,"jsonrpc":"2.0","result":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}})");
  CHECK(end.last);
  CHECK(
      end.message ==
      R"({"id":"sub","jsonrpc":"2.0","result":{"_meta":{"io.modelcontextprotocol/subscriptionId":"sub"}}})");
  CHECK(
      routes
          .route(
              R"({"jsonrpc":"2.0","method":"notifications/x","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}})")
          .to == To::kNobody);
}

TEST_CASE("a cancellation names the request as the server knows it, or is not sent") {
  Routes routes;
  Client client;
  ask(routes, R"({"jsonrpc":"2.0","id":5,"method":"x"})");
  const auto second = ask(routes, R"({"jsonrpc":"2.0","id":"5","method":"x"})");
  const std::string_view body =
      R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"\u0035"}})";
  const auto line = routes.tell(client.read(body), body);
  REQUIRE(line);
  CHECK(*line ==
        R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}})");
  CHECK(Routes::cancellation(second.number) == *line);
  const std::string_view unknown =
      R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})";
  CHECK_FALSE(routes.tell(client.read(unknown), unknown));
  const std::string_view other = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";
  CHECK(routes.tell(client.read(other), other) == std::string(other));
}

TEST_CASE("only what the server asked is answered, and once") {
  Routes routes;
  Client client;
  const auto question = routes.route(R"({"jsonrpc":"2.0","id":1,"method":"roots/list"})");
  CHECK(question.to == To::kStanding);
  CHECK(question.question);
  const std::string_view other = R"({"jsonrpc":"2.0","id":"1","result":{}})";
  CHECK_FALSE(routes.answer(client.read(other), other));
  const std::string_view body = R"({"jsonrpc":"2.0","id":1,"result":{}})";
  CHECK(routes.answer(client.read(body), body));
  CHECK_FALSE(routes.answer(client.read(body), body));
  const auto again = routes.route(R"({"jsonrpc":"2.0","id":"q","method":"roots/list"})");
  CHECK(routes.decline(again.message) ==
        R"({"jsonrpc":"2.0","id":"q","error":{"code":-32603,"message":"no client listens"}})");
  const std::string_view late = R"({"jsonrpc":"2.0","id":"q","result":{}})";
  CHECK_FALSE(routes.answer(client.read(late), late));
}

TEST_CASE("what is no message goes to nobody") {
  Routes routes;
  ask(routes, R"({"jsonrpc":"2.0","id":1,"method":"x"})");
  for (const std::string_view line :
       {"", "x", "[]", "[{\"id\":1}]", "1", "{\"id\":1,\"id\":1,\"result\":{}}",
        "{\"id\":{},\"method\":\"x\"}", "{\"id\":1.5,\"method\":\"x\"}",
        "{\"id\":\"1\",\"result\":{}}", "{\"id\":-1,\"result\":{}}",
        "{\"id\":1e0,\"result\":{}}"}) {
    INFO(line);
    CHECK(routes.route(line).to == To::kInvalid);
  }
  CHECK(routes.route(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700}})").to == To::kNobody);
  CHECK(routes.pending() == 1);
}
