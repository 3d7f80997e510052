// What is waited for, and what is not.
#include "proxy/awaited.h"

#include <catch2/catch.hpp>
#include <string>

namespace reeve {
namespace {

using After = Awaited::After;

const Awaited::Conversation kOwn{"crm", "ann", "s1"};
const Awaited::Conversation kOthers[] = {
    {"crm", "bob", "s1"}, {"kb", "ann", "s1"}, {"crm", "ann", "s2"}, {"crm", "ann", ""}};

TEST_CASE("a request is asked while its call lasts, in its conversation alone") {
  Awaited awaited;
  awaited.ask(kOwn, "7", "0");
  CHECK(awaited.is_asked(kOwn, "7"));
  CHECK(awaited.has_token(kOwn, "0"));
  CHECK_FALSE(awaited.is_asked(kOwn, "\"7\""));
  CHECK_FALSE(awaited.is_asked(kOwn, ""));
  CHECK_FALSE(awaited.has_token(kOwn, ""));
  for (const auto& other : kOthers) {
    CHECK_FALSE(awaited.is_asked(other, "7"));
    CHECK_FALSE(awaited.has_token(other, "0"));
    CHECK_FALSE(awaited.take_answer(other, "7"));
    awaited.end(other, "7", "0", After::kNothing);
  }
  CHECK_FALSE(awaited.take_answer(kOwn, "7"));  // its own call is answered
  awaited.end(kOwn, "7", "0", After::kNothing);
  CHECK_FALSE(awaited.is_asked(kOwn, "7"));
  CHECK_FALSE(awaited.has_token(kOwn, "0"));
}

TEST_CASE("a call that ended without its answer is answered once elsewhere") {
  Awaited awaited;
  awaited.ask(kOwn, "7", "");
  awaited.end(kOwn, "7", "", After::kAnswer);
  CHECK(awaited.is_asked(kOwn, "7"));
  CHECK_FALSE(awaited.take_answer(kOwn, "8"));
  CHECK(awaited.take_answer(kOwn, "7"));
  CHECK_FALSE(awaited.take_answer(kOwn, "7"));
  CHECK_FALSE(awaited.is_asked(kOwn, "7"));
}

TEST_CASE("two requests of one id are two") {
  Awaited awaited;
  awaited.ask(kOwn, "7", "1");
  awaited.ask(kOwn, "7", "2");
  awaited.end(kOwn, "7", "2", After::kNothing);
  CHECK(awaited.has_token(kOwn, "1"));
  CHECK_FALSE(awaited.has_token(kOwn, "2"));
  awaited.end(kOwn, "7", "1", After::kNothing);
  CHECK_FALSE(awaited.is_asked(kOwn, "7"));
}

TEST_CASE("the progress of what became a task goes on, its answer does not") {
  Awaited awaited;
  awaited.ask(kOwn, "7", "\"t\"");
  awaited.end(kOwn, "7", "\"t\"", After::kProgress);
  CHECK(awaited.has_token(kOwn, "\"t\""));
  CHECK_FALSE(awaited.is_asked(kOwn, "7"));
  CHECK_FALSE(awaited.take_answer(kOwn, "7"));
  CHECK_FALSE(awaited.take_answer(kOwn, ""));
}

TEST_CASE("what is open is bounded: the oldest is forgotten, never one under way") {
  Awaited awaited;
  awaited.ask(kOwn, "\"first\"", "");
  for (size_t i = 0; i <= Awaited::kMostOpen; ++i) {
    awaited.ask(kOwn, std::to_string(i), "");
    awaited.end(kOwn, std::to_string(i), "", After::kAnswer);
  }
  CHECK(awaited.is_asked(kOwn, "\"first\""));
  CHECK_FALSE(awaited.take_answer(kOwn, "0"));
  CHECK(awaited.take_answer(kOwn, "1"));
  awaited.ask(kOwn, "\"more\"", "");
  awaited.end(kOwn, "\"more\"", "", After::kAnswer);
  CHECK(awaited.take_answer(kOwn, "2"));
}

TEST_CASE("a server's question is answered once, and a replayed one is the same") {
  Awaited awaited;
  CHECK_FALSE(awaited.has_question(kOwn, "0"));
  CHECK(awaited.question(kOwn, "0"));
  CHECK(awaited.question(kOwn, "0"));
  for (const auto& other : kOthers) CHECK_FALSE(awaited.has_question(other, "0"));
  CHECK(awaited.has_question(kOwn, "0"));
  awaited.take_question(kOwn, "0");
  CHECK_FALSE(awaited.has_question(kOwn, "0"));
  for (size_t i = 0; i < Awaited::kMostOpen; ++i) {
    CHECK(awaited.question(kOwn, std::to_string(i)));
  }
  CHECK_FALSE(awaited.question(kOwn, "\"one more\""));
  CHECK(awaited.question(kOthers[0], "\"one more\""));
}

TEST_CASE("a session that is over is forgotten, and the oldest of too many") {
  Awaited awaited;
  awaited.ask(kOwn, "7", "");
  awaited.question(kOwn, "0");
  awaited.forget(kOthers[2]);
  CHECK(awaited.is_asked(kOwn, "7"));
  awaited.forget(kOwn);
  CHECK_FALSE(awaited.is_asked(kOwn, "7"));
  CHECK_FALSE(awaited.has_question(kOwn, "0"));
  awaited.end(kOwn, "7", "", After::kAnswer);  // of a call that outlived its session
  CHECK_FALSE(awaited.is_asked(kOwn, "7"));

  awaited.ask(kOwn, "7", "");
  awaited.ask(kOthers[0], "7", "");
  std::string session;
  for (size_t i = 0; i < Awaited::kMostConversations; ++i) {
    session = "more" + std::to_string(i);
    awaited.ask({"crm", "ann", session}, "1", "");
  }
  CHECK_FALSE(awaited.is_asked(kOwn, "7"));
  CHECK(awaited.is_asked(kOthers[0], "7"));
  CHECK(awaited.is_asked({"crm", "ann", session}, "1"));
}

TEST_CASE("what was dropped is counted by upstream and kind") {
  DroppedMessages dropped;
  CHECK(dropped.counts().empty());
  dropped.count("crm", DroppedMessages::Kind::kAnswer);
  dropped.count("crm", DroppedMessages::Kind::kAnswer);
  dropped.count("crm", DroppedMessages::Kind::kTask);
  const auto counts = dropped.counts();
  REQUIRE(counts.size() == 1);
  CHECK(counts[0].first == "crm");
  CHECK(counts[0].second == DroppedMessages::Counts{2, 0, 0, 1, 0});
}

}  // namespace
}  // namespace reeve
