// What a conversation goes through: one server, message by message, whatever carries them.
#ifndef REEVE_PROXY_STDIO_CHANNEL_H_
#define REEVE_PROXY_STDIO_CHANNEL_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "policy/result.h"

namespace reeve::stdio {

// Of one event loop; not thread-safe. What it does holds it alive until that has ended.
class Channel {
 public:
  // Called on the loop. `on_line`: a message of the server, or what it sends for one. `on_end`:
  // once, when the server has ended or can be spoken to no more.
  struct Events {
    std::function<void(std::string_view line)> on_line;
    std::function<void()> on_end;
  };

  virtual ~Channel() = default;
  // Queues a message of one line. False when the server does not take what it was sent before, or
  // has ended.
  virtual bool write(std::string line) = 0;
  // Ends it from this side; on_end is not called any more.
  virtual void stop() = 0;
  virtual bool ended() const = 0;
};

// A new one; the error is a sentence for the operator.
using OpenChannel = std::function<Result<std::shared_ptr<Channel>>(Channel::Events)>;

}  // namespace reeve::stdio

#endif  // REEVE_PROXY_STDIO_CHANNEL_H_
