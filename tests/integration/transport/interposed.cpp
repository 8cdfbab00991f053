#include "interposed.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <netdb.h>

#include <chrono>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

namespace posthaste::testing {

std::atomic<bool> is_resolver_hanging{false};
std::atomic<int> hanging_resolver_count{0};
std::atomic<int> resolver_delay_ms{0};
std::atomic<const char*> chosen_addresses{"127.0.0.1"};
std::atomic<bool> is_perform_failing{false};
std::atomic<bool> is_poll_failing{false};
std::atomic<int> failed_poll_count{0};

namespace {

template <typename Function>
Function* original(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// One list of all; freeaddrinfo frees its members one by one.
int resolve_chosen(const char* service, const addrinfo* hints, addrinfo** result) {
  std::istringstream addresses(chosen_addresses.load());
  addrinfo** end = result;
  *end = nullptr;
  for (std::string address; addresses >> address;) {
    const int code =
        original<decltype(getaddrinfo)>("getaddrinfo")(address.c_str(), service, hints, end);
    if (code != 0) return code;
    while (*end != nullptr) end = &(*end)->ai_next;
  }
  return 0;
}

void sleep_ms(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

}  // namespace
}  // namespace posthaste::testing

using namespace posthaste::testing;

// NOLINTBEGIN(readability-identifier-naming): the signatures are those of the functions replaced.
extern "C" {

__attribute__((visibility("default"))) int getaddrinfo(const char* node, const char* service,
                                                       const addrinfo* hints, addrinfo** result) {
  const std::string_view name = node != nullptr ? node : "";
  if (name.ends_with(".hanging.test")) {
    ++hanging_resolver_count;
    while (is_resolver_hanging) sleep_ms(10);
    --hanging_resolver_count;
    return EAI_AGAIN;
  }
  if (name.ends_with(".chosen.test")) return resolve_chosen(service, hints, result);
  if (name.ends_with(".loopback.test")) {
    sleep_ms(resolver_delay_ms);
    node = "127.0.0.1";
  }
  return original<decltype(getaddrinfo)>("getaddrinfo")(node, service, hints, result);
}

__attribute__((visibility("default"))) CURLMcode curl_multi_perform(CURLM* multi, int* running) {
  if (is_perform_failing) return CURLM_INTERNAL_ERROR;
  return original<decltype(curl_multi_perform)>("curl_multi_perform")(multi, running);
}

__attribute__((visibility("default"))) CURLMcode curl_multi_poll(CURLM* multi, curl_waitfd* extra,
                                                                 unsigned count, int timeout_ms,
                                                                 int* ready) {
  if (is_poll_failing) {
    ++failed_poll_count;
    return CURLM_OUT_OF_MEMORY;
  }
  return original<decltype(curl_multi_poll)>("curl_multi_poll")(multi, extra, count, timeout_ms,
                                                                ready);
}

}  // extern "C"
// NOLINTEND(readability-identifier-naming)
