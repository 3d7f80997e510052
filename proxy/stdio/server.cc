// Tested end to end by tests/e2e/stdio_test.mjs.
#include "proxy/stdio/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <exception>

#include "proxy/ids.h"
#include "proxy/log.h"
#include "proxy/stdio/face.h"
#include "proxy/stdio/process.h"

namespace reeve::stdio {
namespace {

constexpr std::chrono::seconds kSweep{5};
constexpr std::chrono::seconds kLasting{10};  // a process that lives this long has started well
constexpr std::chrono::milliseconds kFirstBackoff{250}, kLongestBackoff{30'000};

// 128 random bits: who guesses a session's id is in it.
std::string new_session() {
  std::array<uint8_t, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  std::string session;
  append_hex(session, bytes.data(), bytes.size());
  return session;
}

// No session's id begins with a blank.
std::string key_of_agent(std::string_view agent) { return fmt::format(" {}", agent); }

}  // namespace

Service::Found Service::begin(std::string_view agent) {
  std::string session = new_session();
  if (session.empty()) return Failure{503, "no random bytes for a session"};
  return launch(agent, std::move(session));
}

Service::Found Service::of_agent(std::string_view agent) {
  const auto found = conversations_.find(key_of_agent(agent));
  if (found != conversations_.end()) return found->second;
  return launch(agent, {});
}

std::shared_ptr<Conversation> Service::find(std::string_view session, std::string_view agent) {
  const auto found = conversations_.find(std::string(session));
  const bool own = found != conversations_.end() && found->second->agent() == agent &&
                   !found->second->session().empty();
  return own ? found->second : nullptr;
}

Service::Found Service::launch(std::string_view agent, std::string session) {
  const Steady now = steady_now();
  if (now < not_before_) {
    return Failure{503, "the server ended soon after it was started; try again in a while"};
  }
  size_t own = 0;
  for (const auto& [key, conversation] : conversations_) own += conversation->agent() == agent;
  if (own >= limits_.per_agent || conversations_.size() >= limits_.per_upstream) {
    return Failure{503, "too many sessions are open; end some with DELETE"};
  }
  const std::string key = session.empty() ? key_of_agent(agent) : session;
  auto conversation =
      std::make_shared<Conversation>(context_, name_, std::string(agent), std::move(session));
  const auto started = conversation->start(open_, [this, key] { ended(key); });
  if (!started) {
    log(LogLevel::kError, fmt::format("upstream `{}`: {}", name_, started.error().message));
    return Failure{502, "the server cannot be started"};
  }
  conversations_.emplace(key, conversation);
  return conversation;
}

void Service::ended(const std::string& key) {
  const auto found = conversations_.find(key);
  if (found == conversations_.end()) return;
  const Steady now = steady_now();
  if (now - found->second->started() >= kLasting) {
    failures_ = 0;
  } else {
    const auto pause = kFirstBackoff * (1u << std::min(failures_++, 7u));
    not_before_ = now + std::min<std::chrono::milliseconds>(pause, kLongestBackoff);
  }
  conversations_.erase(found);
}

void Service::end(const std::shared_ptr<Conversation>& conversation) {
  const std::string key = conversation->session().empty() ? key_of_agent(conversation->agent())
                                                          : conversation->session();
  conversations_.erase(key);
  conversation->stop();
}

void Service::sweep() {
  const Steady now = steady_now();
  std::vector<std::shared_ptr<Conversation>> idle;
  for (const auto& [key, conversation] : conversations_) {
    if (!conversation->busy() && now - conversation->used() > limits_.idle) {
      idle.push_back(conversation);
    }
  }
  for (const auto& conversation : idle) end(conversation);
}

void Service::stop() {
  const auto all = std::exchange(conversations_, {});
  for (const auto& [key, conversation] : all) conversation->stop();
}

Server::Server(const Config& config, const Reach& reach)
    : work_(context_.get_executor()), sweep_timer_(context_) {
  for (const UpstreamConfig& upstream : config.upstreams) {
    if (!upstream.has_face() || (upstream.events && reach.lookups == nullptr)) continue;
    Limits limits;
    limits.header_bytes = config.limits.header_bytes;
    limits.body_bytes = config.limits.body_bytes;
    OpenChannel open;
    if (upstream.events) {
      open = [this, &upstream, reach, limits](Channel::Events events) {
        return EventChannel::open(context_, upstream, reach, limits.body_bytes, std::move(events));
      };
    } else {
      open = [this, &upstream, limits](Channel::Events events) -> Result<std::shared_ptr<Channel>> {
        auto process = Process::start(context_, upstream.name, upstream.command, limits.body_bytes,
                                      std::move(events));
        if (!process) return process.error();
        return std::shared_ptr<Channel>(std::move(*process));
      };
    }
    services_.emplace(upstream.name,
                      std::make_unique<Service>(context_, upstream.name, std::move(open), limits));
  }
}

Server::~Server() { stop(); }

void Server::start() {
  if (services_.empty()) return;
  net::spawn(context_, sweep(), [](std::exception_ptr) {});
  thread_ = std::thread([this] { context_.run(); });
}

void Server::stop() {
  if (!thread_.joinable()) return;
  net::asio::post(context_, [this] {
    stopping_ = true;
    sweep_timer_.cancel();
    for (const auto& [name, service] : services_) service->stop();
    work_.reset();
  });
  thread_.join();
}

net::Task<void> Server::sweep() {
  while (!stopping_) {
    net::ErrorCode ignored;
    sweep_timer_.expires_after(kSweep);
    co_await sweep_timer_.async_wait(net::asio::redirect_error(net::kAwait, ignored));
    for (const auto& [name, service] : services_) service->sweep();
  }
}

Result<int> Server::open(std::string_view upstream) {
  const auto found = services_.find(upstream);
  if (found == services_.end() || !thread_.joinable()) return Error{"no such server"};
  std::array<int, 2> ends{};
  const int kind = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  if (::socketpair(AF_UNIX, kind, 0, ends.data()) != 0) return Error{std::strerror(errno)};
  net::asio::post(context_, [this, service = found->second.get(), end = ends[1]] {
    FaceSocket socket(context_, net::asio::local::stream_protocol(), end);
    if (stopping_) return;
    net::spawn(context_, serve_face(std::move(socket), *service), [](std::exception_ptr) {});
  });
  return ends[0];
}

}  // namespace reeve::stdio
