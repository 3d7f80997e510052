// Lines in batches to a URL, signed as Standard Webhooks has it: `webhook-id` is the same whenever
// the same batch is sent, so that a receiver can tell what it has.
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "proxy/audit/line.h"
#include "proxy/audit/receiver.h"
#include "proxy/clock.h"
#include "proxy/net/http_post.h"

namespace reeve::audit {
namespace {

constexpr std::string_view kEncoded = "whsec_";

std::string base64(const uint8_t* data, size_t size) {
  std::string text(4 * ((size + 2) / 3) + 1, '\0');
  const int written =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), data, static_cast<int>(size));
  text.resize(static_cast<size_t>(written));
  return text;
}

// Empty when it is not base64.
std::string from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return {};
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0) return {};
  size_t padding = 0;
  while (padding < 2 && text[text.size() - 1 - padding] == '=') ++padding;
  bytes.resize(static_cast<size_t>(size) - padding);
  return bytes;
}

class WebhookReceiver final : public Receiver {
 public:
  explicit WebhookReceiver(const SinkConfig& config)
      : config_(config), poster_(config.to, config.ca, config.timeout) {}

  Result<bool, DeliveryFailure> deliver(const Delivery& delivery,
                                        const std::atomic<bool>& stop) override {
    std::string body;
    for (const std::string_view line : delivery.lines) body.append(line).append(1, '\n');
    const std::string id = fmt::format("{}.{}-{}.{}", config_.name, delivery.first_seq,
                                       delivery.last_seq, hasher_.hex(body).substr(0, 16));
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(wall_now().time_since_epoch());
    const std::string time = std::to_string(now.count());
    std::vector<std::string> fields = {
        "Content-Type: application/x-ndjson", "webhook-id: " + id, "webhook-timestamp: " + time,
        fmt::format("reeve-sequence: {}-{}", delivery.first_seq, delivery.last_seq)};
    if (!config_.secret.empty()) {
      fields.push_back("webhook-signature: " + sign_webhook(config_.secret, id, time, body));
    }
    const auto status = poster_.post(body, fields, stop);
    if (!status) return DeliveryFailure{status.error().message, false};
    if (*status >= 200 && *status < 300) return true;
    return DeliveryFailure{fmt::format("it answered {}", *status), *status == 413};
  }

 private:
  const SinkConfig config_;
  net::HttpPoster poster_;
  Hasher hasher_;
};

}  // namespace

std::string webhook_key(std::string_view secret) {
  if (!secret.starts_with(kEncoded)) return std::string(secret);
  return from_base64(secret.substr(kEncoded.size()));
}

std::string sign_webhook(std::string_view secret, std::string_view id, std::string_view time,
                         std::string_view body) {
  const std::string key = webhook_key(secret);
  const std::string text = fmt::format("{}.{}.{}", id, time, body);
  uint8_t mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const uint8_t*>(text.data()), text.size(), mac, &size);
  return "v1," + base64(mac, size);
}

std::unique_ptr<Receiver> make_webhook_receiver(const SinkConfig& config) {
  return std::make_unique<WebhookReceiver>(config);
}

}  // namespace reeve::audit
