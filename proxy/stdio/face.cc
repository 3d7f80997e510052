// The other end is reeve itself, so what it sends is well formed; what is checked here all the same
// is what a process is spoken to with. Tested end to end by tests/e2e/stdio_test.mjs.
#include "proxy/stdio/face.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "proxy/http/parser.h"
#include "proxy/http/writer.h"
#include "proxy/mcp/event_stream.h"
#include "proxy/mcp/reply.h"

namespace reeve::stdio {
namespace {

constexpr std::chrono::seconds kSignOfLife{15};
constexpr int kInternalError = -32603;

class Face {
 public:
  Face(FaceSocket socket, Service& service)
      : socket_(std::move(socket)),
        service_(service),
        parser_({service.limits().header_bytes}),
        buffer_(service.limits().header_bytes * 2, '\0') {}

  net::Task<void> run() {
    while (co_await read_request()) {
      if (!co_await respond()) break;
      if (!parser_.head().keep_alive) break;
    }
  }

 private:
  net::Task<bool> fill() {
    if (end_ == buffer_.size()) co_return false;
    net::ErrorCode ec;
    const size_t n = co_await socket_.async_read_some(
        net::asio::buffer(buffer_.data() + end_, buffer_.size() - end_),
        net::asio::redirect_error(net::kAwait, ec));
    end_ += n;
    co_return n > 0;
  }

  // The head stays at the front of the buffer, the body has a string of its own.
  net::Task<bool> read_request() {
    parser_.reset();
    end_ = 0;
    for (;;) {
      if (!co_await fill()) co_return false;
      const http::Progress progress = parser_.parse({buffer_.data(), end_});
      if (progress == http::Progress::kFault) co_return false;
      if (progress == http::Progress::kDone) break;
    }
    const http::RequestHead& head = parser_.head();
    const size_t length = head.framing == http::Framing::kLength ? head.content_length : 0;
    if (length > service_.limits().body_bytes) co_return false;
    body_.assign(buffer_.data() + parser_.head_bytes(), end_ - parser_.head_bytes());
    const size_t had = body_.size();
    if (had > length) co_return false;
    body_.resize(length);
    net::ErrorCode ec;
    co_await net::asio::async_read(socket_, net::asio::buffer(body_.data() + had, length - had),
                                   net::asio::redirect_error(net::kAwait, ec));
    co_return !ec;
  }

  net::Task<bool> send(std::string_view bytes) {
    net::ErrorCode ec;
    co_await net::asio::async_write(socket_, net::asio::buffer(bytes),
                                    net::asio::redirect_error(net::kAwait, ec));
    co_return !ec;
  }

  net::Task<bool> send_answer(int status, std::string_view type, std::string_view body,
                              std::span<const http::Field> extra = {}) {
    std::string out;
    http::write_response(out, status, type, body, extra, true, false);
    co_return co_await send(out);
  }

  net::Task<bool> send_error(int status, int code, std::string_view text) {
    const std::string body =
        mcp::error_body(reader_.message().id.empty() ? "null" : reader_.message().id, code, text);
    co_return co_await send_answer(status, "application/json", body);
  }

  net::Task<bool> send_stream_head(std::span<const http::Field> extra) {
    static constexpr http::Field kFields[] = {{"Content-Type", "text/event-stream"},
                                              {"Cache-Control", "no-cache"}};
    http::Fields fields;
    fields.list.assign(std::begin(kFields), std::end(kFields));
    std::string out;
    http::write_response_head(out, 200, "", fields, {}, extra, http::Framing::kChunked, 0, true, 1);
    co_return co_await send(out);
  }

  net::Task<bool> send_event(const mcp::Event& event) {
    std::string text;
    mcp::append_event(text, event);
    std::string out;
    http::write_chunk_header(out, text.size());
    out += text;
    out += "\r\n";
    co_return co_await send(out);
  }

  net::Task<bool> send_message(std::string_view message) {
    mcp::Event event;
    event.data = message;
    event.has_data = true;
    co_return co_await send_event(event);
  }

  // Closes the mailbox when the other end hangs up while nothing is written to it.
  void watch(const std::shared_ptr<Mailbox>& mailbox) {
    const std::weak_ptr<bool> here = here_;
    socket_.async_wait(FaceSocket::wait_read, [this, here, mailbox](net::ErrorCode ec) {
      if (ec || here.expired()) return;  // the answer is out, or the face is gone
      char byte = 0;
      if (::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) mailbox->close();
    });
  }

  void stop_watching() {
    net::ErrorCode ignored;
    socket_.cancel(ignored);
  }

  net::Task<bool> respond() {
    const http::RequestHead& head = parser_.head();
    const std::string agent(head.fields.single(kAgentField).value_or(""));
    const std::string session(head.fields.single("mcp-session-id").value_or(""));
    if (head.method == "POST") co_return co_await respond_post(agent, session);
    const auto conversation = service_.find(session, agent);
    if (session.empty()) co_return co_await send_answer(405, "", "");  // none in the modern era
    if (!conversation) co_return co_await send_answer(404, "", "");
    if (head.method == "DELETE") {
      service_.end(conversation);
      co_return co_await send_answer(200, "", "");
    }
    co_return co_await respond_get(conversation);
  }

  net::Task<bool> respond_get(std::shared_ptr<Conversation> conversation) {
    const std::shared_ptr<Mailbox> stream = conversation->listen();
    if (!stream) co_return co_await send_answer(409, "", "");
    watch(stream);
    bool open = co_await send_stream_head({});
    while (open) {
      const auto item = co_await stream->next(kSignOfLife);
      if (!item && stream->closed()) break;
      open = item ? co_await send_message(item->message) : co_await send_sign_of_life();
    }
    conversation->stop_listening(stream);
    co_return false;  // cut off: a stream that its server has left has no end of its own
  }

  net::Task<bool> send_sign_of_life() {
    mcp::Event event;
    event.comment = true;
    event.data = "still here";
    co_return co_await send_event(event);
  }

  net::Task<bool> respond_post(const std::string& agent, const std::string& session) {
    if (!reader_.read(body_, parser_.head().fields)) {
      const mcp::Refusal& why = reader_.refusal();
      co_return co_await send_answer(why.http_status, "application/json",
                                     mcp::error_body(why.id, why.code, why.message));
    }
    const mcp::Message& message = reader_.message();
    const bool begins = message.era == mcp::Era::kLegacy && message.method == "initialize";
    if (message.era == mcp::Era::kLegacy && !begins) {
      if (session.empty()) co_return co_await send_error(400, -32000, "Mcp-Session-Id is missing");
      const auto conversation = service_.find(session, agent);
      if (!conversation) co_return co_await send_error(404, -32001, "Session not found");
      co_return co_await pass(conversation, false);
    }
    if (begins && !session.empty()) {
      co_return co_await send_error(400, -32600, "this session has begun already");
    }
    const auto found = begins ? service_.begin(agent) : service_.of_agent(agent);
    if (!found) {
      const Service::Failure& why = found.error();
      co_return co_await send_error(why.status, kInternalError, why.detail);
    }
    co_return co_await pass(*found, begins);
  }

  net::Task<bool> pass(std::shared_ptr<Conversation> conversation, bool begins) {
    const mcp::Message& message = reader_.message();
    if (message.shape != mcp::Shape::kRequest) {
      if (conversation->tell(message, body_)) co_return co_await send_answer(202, "", "");
      co_return co_await send_error(502, kInternalError, "the server cannot be reached");
    }
    const Conversation::Request request = conversation->ask(message, body_);
    if (!request.mailbox) {
      co_return co_await send_error(502, kInternalError, "the server cannot be reached");
    }
    watch(request.mailbox);
    const bool sent = co_await answer(*request.mailbox, begins ? conversation->session() : "");
    stop_watching();
    conversation->leave(request);
    co_return sent;
  }

  // One message is an answer in JSON; when others come before it, they and it are events.
  net::Task<bool> answer(Mailbox& mailbox, std::string session) {
    const http::Field begun[] = {{"Mcp-Session-Id", session}};
    const std::span<const http::Field> extra =
        session.empty() ? std::span<const http::Field>() : std::span<const http::Field>(begun);
    bool streaming = false;
    for (;;) {
      const auto item = co_await mailbox.next(kSignOfLife);
      if (item && item->last && !streaming) {
        co_return co_await send_answer(200, "application/json", item->message, extra);
      }
      if (!item && mailbox.closed()) co_return co_await break_off(streaming);
      if (!item && !streaming) continue;
      if (!streaming && !co_await send_stream_head(extra)) co_return false;
      streaming = true;
      const bool sent = item ? co_await send_message(item->message) : co_await send_sign_of_life();
      if (!sent) co_return false;
      if (item && item->last) co_return co_await send("0\r\n\r\n");
    }
  }

  // The server has ended, or this end has hung up, which then notices nothing of it.
  net::Task<bool> break_off(bool streaming) {
    constexpr std::string_view kText = "the server ended before it had answered";
    if (!streaming) co_return co_await send_error(502, kInternalError, kText);
    co_await send_message(mcp::error_body(reader_.message().id, kInternalError, kText));
    co_await send("0\r\n\r\n");
    co_return false;
  }

  FaceSocket socket_;
  Service& service_;
  http::RequestParser parser_;
  mcp::Reader reader_;
  std::string buffer_;
  size_t end_ = 0;
  std::string body_;
  const std::shared_ptr<bool> here_ = std::make_shared<bool>(true);
};

}  // namespace

net::Task<void> serve_face(FaceSocket socket, Service& service) {
  Face face(std::move(socket), service);
  co_await face.run();
}

}  // namespace reeve::stdio
