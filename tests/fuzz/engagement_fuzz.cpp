// Tracking links: an input is put through all that reads what strangers write. As HTML it is
// rewritten, without a byte changed that is no link; as a token it is refused, and signed with the
// key it does no harm; as a request (`METHOD TARGET`, a header a line, an empty line, the body) it
// gets one of the answers there are.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engagement/engagement.h"
#include "support/rewriting_check.h"

namespace {

using namespace posthaste;

constexpr std::string_view kKey = "a-key-of-the-fuzzer-only";

void require(bool is_true) {
  if (!is_true) std::abort();
}

// Tokens as somebody with the key may make them, of any content.
std::string signed_token(std::string_view body) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  HMAC(EVP_sha256(), kKey.data(), static_cast<int>(kKey.size()),
       reinterpret_cast<const unsigned char*>(body.data()), body.size(), mac.data(), &size);
  return engagement::encode_base64url(
      std::string(reinterpret_cast<const char*>(mac.data()), 16).append(body));
}

struct Subject {
  Subject() {
    engagement::Settings settings;
    settings.url = "https://t.test";
    settings.keys = {std::string(kKey)};
    settings.proxies = {"10.0.0.1"};
    settings.url_length_max = 2000;
    settings.seen_count_max = 1024;
    links = new engagement::Engagement(std::move(settings));
    require(posthaste_new(nullptr, &engine, nullptr) == POSTHASTE_OK);
    require(posthaste_start(engine, nullptr) == POSTHASTE_OK);
  }

  engagement::Engagement* links = nullptr;
  posthaste_t* engine = nullptr;
};

void ask(Subject& subject, const posthaste_request_t* request) {
  const engagement::Answer answer = subject.links->handle(subject.engine, request, 0);
  switch (answer.status) {
    case 200:
    case 400:
    case 404:
    case 405:
    case 503:
      require(answer.header_name != "Location");
      break;
    default:
      require(answer.status == 302 && answer.header_name == "Location");
  }
  for (const char character : answer.header_value) require(character > ' ' && character < 0x7f);
}

void ask_for(Subject& subject, const std::string& token, const char* method) {
  posthaste_request_t* const request = posthaste_request_new(method, ("/t/" + token).c_str());
  posthaste_request_set_body(request, "List-Unsubscribe=One-Click", 26);
  ask(subject, request);
  posthaste_request_free(request);
}

std::string next_line(std::string_view& text) {
  const std::string line(text.substr(0, text.find('\n')));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

void ask_text(Subject& subject, std::string_view text) {
  const std::string first = next_line(text);
  const std::string method = first.substr(0, first.find(' '));
  const std::string target = first.substr(std::min(method.size() + 1, first.size()));
  posthaste_request_t* const request = posthaste_request_new(method.c_str(), target.c_str());
  if (!request) return;
  for (std::string line = next_line(text); !line.empty(); line = next_line(text)) {
    const std::string name = line.substr(0, line.find(':'));
    const std::string value = line.substr(std::min(name.size() + 1, line.size()));
    posthaste_request_add_header(request, name.c_str(), value.c_str());
  }
  posthaste_request_set_peer(request, "10.0.0.1");
  posthaste_request_set_body(request, text.data(), text.size());
  ask(subject, request);
  posthaste_request_free(request);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Subject subject;
  const std::string text(reinterpret_cast<const char*>(data), size);
  require(testing::rewriting_fault(text).empty());
  // The corpus cannot know the key, so what is not signed here is never good.
  require(!engagement::TokenSigner({std::string(kKey)}).verify(text));
  for (const char kind : {'\x11', '\x12', '\x13', '\x14', '\x15'}) {
    // As it is, and as content that was not packed: one stored block (RFC 1951, section 3.2.4).
    const auto count = static_cast<uint16_t>(std::min<size_t>(size, 4096));
    const auto low = static_cast<char>(count & 0xff);
    const auto high = static_cast<char>(count >> 8);
    const std::string block{'\x01', low, high, static_cast<char>(~low), static_cast<char>(~high)};
    ask_for(subject, signed_token(kind + text), kind == '\x13' ? "POST" : "GET");
    ask_for(subject, signed_token(kind + block + text.substr(0, count)),
            kind == '\x13' ? "POST" : "GET");
  }
  ask_text(subject, text);
  return 0;
}
