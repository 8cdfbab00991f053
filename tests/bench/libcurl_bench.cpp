// What libcurl, or a bare socket, can do at best: POSTs one prebuilt batch over and over to the
// sink, waiting for each answer, and prints one line of JSON. Nothing is pushed, copied or checked.
// Keys: mode=easy|raw (libcurl's easy handle | own HTTP over one socket), port, n (events), batch
// (events of one request), buffer (CURLOPT_UPLOAD_BUFFERSIZE, 0 = libcurl's own), cpu, path.
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstdlib>

#include "drive.h"

namespace posthaste::bench {
namespace {

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "libcurl_bench: %s\n", what.c_str());
  std::exit(1);
}

struct Request {
  int port;
  std::string path;
  std::string body;
  long buffer_bytes;
};

size_t swallow(char*, size_t size, size_t count, void*) {
  return size * count;
}

// Purpose: posts by libcurl's easy interface over one connection. Ownership: owns the handle.
// Threads: one.
class EasyPoster {
 public:
  explicit EasyPoster(const Request& request) {
    headers_ = curl_slist_append(headers_, "Expect:");
    headers_ = curl_slist_append(headers_, "Content-Type: application/x-ndjson");
    const std::string url = "http://127.0.0.1:" + std::to_string(request.port) + request.path;
    curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(curl_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_POST, 1L);
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, swallow);
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, request.body.data());
    if (request.buffer_bytes) {
      curl_easy_setopt(curl_, CURLOPT_UPLOAD_BUFFERSIZE, request.buffer_bytes);
    }
  }
  ~EasyPoster() {
    curl_easy_cleanup(curl_);
    curl_slist_free_all(headers_);
  }
  EasyPoster(const EasyPoster&) = delete;
  EasyPoster& operator=(const EasyPoster&) = delete;

  void post() {
    const CURLcode result = curl_easy_perform(curl_);
    if (result != CURLE_OK) fail(curl_easy_strerror(result));
    long status = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) fail("status " + std::to_string(status));
  }

 private:
  CURL* const curl_ = curl_easy_init();
  curl_slist* headers_ = nullptr;
};

// Purpose: posts by plain send and recv over one connection. Ownership: owns the socket. Threads:
// one.
class RawPoster {
 public:
  explicit RawPoster(const Request& request)
      : body_(request.body), fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    head_ =
        "POST " + request.path +
        " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: " +
        std::to_string(body_.size()) + "\r\n\r\n";
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(request.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      fail("no connection to the sink");
    }
  }
  ~RawPoster() { close(fd_); }
  RawPoster(const RawPoster&) = delete;
  RawPoster& operator=(const RawPoster&) = delete;

  void post() {
    send_all(head_, MSG_MORE);
    send_all(body_, 0);
    char answer[512];
    if (recv(fd_, answer, sizeof answer, 0) <= 0) fail("no answer");
  }

 private:
  void send_all(const std::string& bytes, int flags) {
    for (size_t sent = 0; sent < bytes.size();) {
      const ssize_t taken =
          send(fd_, bytes.data() + sent, bytes.size() - sent, flags | MSG_NOSIGNAL);
      if (taken <= 0) fail("send failed");
      sent += static_cast<size_t>(taken);
    }
  }

  const std::string& body_;
  std::string head_;
  const int fd_;
};

template <typename Poster>
void measure(const Request& request, const std::string& mode, size_t requests_count,
             size_t batch_count) {
  Poster poster(request);
  for (size_t i = 0; i < requests_count / 10 + 1; ++i) poster.post();
  get_from_sink(request.port, "/reset");
  const double cpu_before_s = cpu_seconds();
  const uint64_t start_ns = now_ns();
  for (size_t i = 0; i < requests_count; ++i) poster.post();
  const double taken_s = static_cast<double>(now_ns() - start_ns) * 1e-9;
  const double cpu_s = cpu_seconds() - cpu_before_s;
  const uint64_t delivered = number_in(get_from_sink(request.port, "/stats"), "events");
  const size_t count = requests_count * batch_count;
  std::printf(
      "{\"program\":\"libcurl\",\"mode\":\"%s\",\"complete\":%s,\"events\":%zu,\"delivered\":%llu,"
      "\"requests\":%zu,\"delivered_per_s\":%.0f,\"cpu_us_per_event\":%.4f}\n",
      mode.c_str(), delivered == count ? "true" : "false", count,
      static_cast<unsigned long long>(delivered), requests_count,
      static_cast<double>(count) / taken_s, cpu_s / static_cast<double>(count) * 1e6);
  if (delivered != count) std::exit(1);
}

int run(const Args& args) {
  const std::string mode = args.text("mode", "easy");
  const size_t batch_count = static_cast<size_t>(args.number("batch", 10'000));
  const size_t count = static_cast<size_t>(args.number("n", 3'000'000));
  if (batch_count == 0) fail("batch must be above 0");
  Request request{static_cast<int>(args.number("port", 18080)), args.text("path", "/x"), "",
                  static_cast<long>(args.number("buffer", 0))};
  for (size_t i = 0; i < batch_count; ++i) {
    char event[kEventSize + 1];
    write_event(i, event);
    event[kEventSize] = '\n';
    request.body.append(event, sizeof event);
  }
  pin(static_cast<int>(args.number("cpu", -1)));
  curl_global_init(CURL_GLOBAL_ALL);
  const size_t requests_count = std::max<size_t>(count / batch_count, 1);
  if (mode == "easy") {
    measure<EasyPoster>(request, mode, requests_count, batch_count);
  } else if (mode == "raw") {
    measure<RawPoster>(request, mode, requests_count, batch_count);
  } else {
    fail("mode is easy or raw, not " + mode);
  }
  curl_global_cleanup();
  return 0;
}

}  // namespace
}  // namespace posthaste::bench

int main(int argc, char** argv) {
  return posthaste::bench::run(posthaste::bench::Args(argc, argv));
}
