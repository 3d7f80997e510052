// Tested end to end by tests/e2e/stdio_test.mjs.
#include "proxy/stdio/conversation.h"

#include <fmt/format.h>

#include "proxy/log.h"

namespace reeve::stdio {
namespace {

constexpr size_t kMostUnread = 16 * 1024 * 1024;
constexpr size_t kMostUnheard = 64;

}  // namespace

void Mailbox::put(Item item) {
  if (closed_) return;
  bytes_ += item.message.size();
  items_.push_back(std::move(item));
  // A reader that has stopped reading holds up neither the server nor memory.
  if (bytes_ > kMostUnread) {
    items_.clear();
    closed_ = true;
  }
  wake_.cancel();
}

void Mailbox::close() {
  closed_ = true;
  wake_.cancel();
}

net::Task<std::optional<Mailbox::Item>> Mailbox::next(std::chrono::milliseconds patience) {
  const Steady until = steady_now() + patience;
  while (items_.empty() && !closed_ && steady_now() < until) {
    net::ErrorCode ignored;
    wake_.expires_at(until);
    co_await wake_.async_wait(net::asio::redirect_error(net::kAwait, ignored));
  }
  if (items_.empty()) co_return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  bytes_ -= item.message.size();
  co_return item;
}

Conversation::Conversation(net::asio::io_context& context, std::string upstream, std::string agent,
                           std::string session)
    : context_(context),
      upstream_(std::move(upstream)),
      agent_(std::move(agent)),
      session_(std::move(session)),
      used_(steady_now()),
      started_(used_) {}

Result<bool> Conversation::start(const OpenChannel& open, std::function<void()> on_end) {
  on_end_ = std::move(on_end);
  const std::weak_ptr<Conversation> weak = weak_from_this();
  auto channel = open({[weak](std::string_view line) {
                         if (const auto self = weak.lock()) self->take(line);
                       },
                       [weak] {
                         if (const auto self = weak.lock()) self->lose();
                       }});
  if (!channel) return channel.error();
  channel_ = std::move(*channel);
  return true;
}

Conversation::Request Conversation::ask(const mcp::Message& message, std::string_view body) {
  used_ = steady_now();
  Routes::Asked asked = routes_.ask(message, body);
  if (ended() || !channel_->write(std::move(asked.line))) {
    routes_.forget(asked.number);
    return {};
  }
  auto mailbox = std::make_shared<Mailbox>(context_);
  waiting_.emplace(asked.number, mailbox);
  return {asked.number, std::move(mailbox)};
}

bool Conversation::tell(const mcp::Message& message, std::string_view body) {
  used_ = steady_now();
  auto line = message.shape == mcp::Shape::kResponse ? routes_.answer(message, body)
                                                     : routes_.tell(message, body);
  return !line || (!ended() && channel_->write(std::move(*line)));
}

void Conversation::leave(const Request& request) {
  if (waiting_.erase(request.number) == 0) return;
  routes_.forget(request.number);
  // A legacy client that only lost its connection has not cancelled (2025-11-25, transports).
  if (session_.empty() && !ended()) channel_->write(Routes::cancellation(request.number));
}

std::shared_ptr<Mailbox> Conversation::listen() {
  if (stream_ && !stream_->closed()) return nullptr;
  used_ = steady_now();
  stream_ = std::make_shared<Mailbox>(context_);
  for (std::string& message : unheard_) stream_->put({std::move(message), false});
  unheard_.clear();
  return stream_;
}

void Conversation::stop_listening(const std::shared_ptr<Mailbox>& stream) {
  used_ = steady_now();
  if (stream_ == stream) stream_.reset();
}

void Conversation::take(std::string_view line) {
  if (line.empty()) return;
  Routes::Routed routed = routes_.route(line);
  switch (routed.to) {
    case Routes::To::kRequest: {
      const auto waiting = waiting_.find(routed.number);
      if (waiting == waiting_.end()) return;
      used_ = steady_now();
      const std::shared_ptr<Mailbox> mailbox = waiting->second;
      if (routed.last) waiting_.erase(waiting);
      mailbox->put({std::move(routed.message), routed.last});
      return;
    }
    case Routes::To::kStanding:
      return take_unasked(std::move(routed));
    case Routes::To::kNobody:
      return;
    case Routes::To::kInvalid:
      if (std::exchange(garbage_told_, true)) return;
      log(LogLevel::kWarning,
          fmt::format("upstream `{}`: it writes lines that are no JSON-RPC; they are left out: {}",
                      upstream_, line.substr(0, 200)));
      return;
  }
}

void Conversation::take_unasked(Routes::Routed routed) {
  const bool modern = session_.empty();
  if (!modern && stream_ && !stream_->closed()) {
    return stream_->put({std::move(routed.message), false});
  }
  // What a server asks or tells while it works on a request belongs to that, most likely.
  if (!modern && !waiting_.empty()) {
    return waiting_.rbegin()->second->put({std::move(routed.message), false});
  }
  if (!modern && unheard_.size() < kMostUnheard) {
    unheard_.push_back(std::move(routed.message));
    return;
  }
  if (routed.question) channel_->write(routes_.decline(routed.message));
}

void Conversation::lose() {
  const auto self = shared_from_this();
  for (const auto& [number, mailbox] : waiting_) mailbox->close();
  waiting_.clear();
  if (stream_) stream_->close();
  if (on_end_) std::exchange(on_end_, nullptr)();
}

void Conversation::stop() {
  on_end_ = nullptr;
  if (channel_) channel_->stop();
  lose();
}

}  // namespace reeve::stdio
