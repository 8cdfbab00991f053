#include "transport/curl_transport.h"

#include <curl/curl.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "transport/connection_socket.h"
#include "transport/resolver_limit.h"
#include "transport/transfer.h"

namespace posthaste::transport {
namespace {

// libcurl keeps a buffer for each running upload. 512 KiB take a tenth less CPU for large bodies
// than 128 KiB (docs/benchmarks.md), but hundreds of endpoints that hang each hold one.
constexpr size_t kAmpleTransfersMax = 16;
constexpr uint64_t kAmpleBufferBytes = 512u << 10;
constexpr uint64_t kSpareBufferBytes = 128u << 10;

// Finished transfers kept for the next requests; each may hold an upload buffer.
constexpr size_t kIdleTransfersMax = 8;
// libcurl takes an int of milliseconds; a longer wait goes around once more.
constexpr core::Duration kPollMax = std::chrono::minutes(1);
// Keeps a multi handle that fails at once from turning the wait into a busy loop.
constexpr core::Duration kPauseAfterFailure = std::chrono::milliseconds(10);

int to_poll_ms(core::Duration duration) {
  const auto bounded = std::clamp(duration, core::Duration::zero(), kPollMax);
  // Rounded up: waking just before a deadline would wait again for nothing.
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(bounded).count());
}

// Purpose: Transport over libcurl. Owns the multi handle and all transfers. Threads: wake() from
// any, everything else from the owner only. Invariants: a transfer is in running_ exactly while its
// easy handle is in the multi handle; a request that could not be run has its completion in ready_.
class CurlTransport final : public Transport {
 public:
  CurlTransport(CURLM* multi, const platform::Clock& clock) : multi_(multi), clock_(clock) {}
  ~CurlTransport() override;
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  void begin(const Request& request) override;
  void cancel(uint64_t id) override;
  void wait(core::Instant deadline, std::vector<Completion>& out) override;
  void wake() override;

 private:
  using Running = std::vector<std::unique_ptr<Transfer>>;

  std::unique_ptr<Transfer> take_transfer();
  void refuse(const Request& request, const char* detail);
  void drive();
  void collect_finished();
  core::Instant collect_timed_out(core::Instant now);
  void fail_all(const char* detail);
  void pause_until(core::Instant until, core::Instant now);
  // Takes the transfer out of the multi handle. libcurl closes the connection of one that has not
  // ended.
  void release(Running::iterator transfer);
  Running::iterator find(const CURL* easy);

  CURLM* const multi_;
  const platform::Clock& clock_;
  ResolverLimit resolver_limit_;
  Running running_;
  Running idle_;
  std::vector<Completion> ready_;
  std::atomic<bool> is_woken_{false};
};

CurlTransport::~CurlTransport() {
  while (!running_.empty()) release(std::prev(running_.end()));
  idle_.clear();
  curl_multi_cleanup(multi_);
}

void CurlTransport::begin(const Request& request) {
  std::unique_ptr<Transfer> transfer = take_transfer();
  const uint64_t buffer_bytes =
      running_.size() < kAmpleTransfersMax ? kAmpleBufferBytes : kSpareBufferBytes;
  if (transfer == nullptr || !transfer->prepare(request, clock_.now(), buffer_bytes)) {
    refuse(request, "libcurl has no memory for the request");
    return;
  }
  const CURLMcode code = curl_multi_add_handle(multi_, transfer->easy());
  if (code != CURLM_OK) {
    refuse(request, curl_multi_strerror(code));
    return;
  }
  running_.push_back(std::move(transfer));
}

void CurlTransport::cancel(uint64_t id) {
  const auto running = std::find_if(running_.begin(), running_.end(),
                                    [id](const auto& transfer) { return transfer->id() == id; });
  if (running != running_.end()) {
    if ((*running)->is_resolving()) resolver_limit_.hold(clock_.now());
    release(running);
  }
  std::erase_if(ready_, [id](const Completion& completion) { return completion.id == id; });
}

void CurlTransport::wait(core::Instant deadline, std::vector<Completion>& out) {
  for (;;) {
    drive();
    const core::Instant now = clock_.now();
    const core::Instant next_time_out = collect_timed_out(now);
    const bool has_completions = !ready_.empty();
    std::move(ready_.begin(), ready_.end(), std::back_inserter(out));
    ready_.clear();
    // Both are looked at: a wake-up that is due together with a completion is spent by this return.
    const bool was_woken = is_woken_.exchange(false);
    if (was_woken || has_completions || now >= deadline) return;
    pause_until(std::min(deadline, next_time_out), now);
  }
}

void CurlTransport::wake() {
  if (!is_woken_.exchange(true)) curl_multi_wakeup(multi_);
}

std::unique_ptr<Transfer> CurlTransport::take_transfer() {
  if (idle_.empty()) return Transfer::make(clock_, resolver_limit_);
  std::unique_ptr<Transfer> transfer = std::move(idle_.back());
  idle_.pop_back();
  return transfer;
}

void CurlTransport::refuse(const Request& request, const char* detail) {
  Completion completion;
  completion.id = request.id;
  completion.phase = Phase::Connect;
  completion.network_name = "ENOMEM";
  completion.detail = detail;
  ready_.push_back(std::move(completion));
}

void CurlTransport::drive() {
  int running_count = 0;
  const CURLMcode code = curl_multi_perform(multi_, &running_count);
  collect_finished();
  // Nothing says that the rest would ever end.
  if (code != CURLM_OK) fail_all(curl_multi_strerror(code));
}

void CurlTransport::collect_finished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;  // the message dies with the removal below
    const auto transfer = find(message->easy_handle);
    if (code == CURLE_OPERATION_TIMEDOUT && (*transfer)->is_resolving()) {
      resolver_limit_.hold(clock_.now());
    }
    ready_.push_back((*transfer)->finish(code));
    release(transfer);
  }
}

// Returns when the next time-out of those left is due.
core::Instant CurlTransport::collect_timed_out(core::Instant now) {
  core::Instant next = core::kNever;
  for (size_t i = 0; i < running_.size();) {
    Transfer& transfer = *running_[i];
    const core::Instant due = transfer.deadline();
    if (due > now) {
      next = std::min(next, due);
      ++i;
      continue;
    }
    if (transfer.is_resolving()) resolver_limit_.hold(now);
    ready_.push_back(transfer.time_out(now));
    release(running_.begin() + static_cast<std::ptrdiff_t>(i));  // moves the last one to i
  }
  return next;
}

void CurlTransport::fail_all(const char* detail) {
  while (!running_.empty()) {
    const auto last = std::prev(running_.end());
    ready_.push_back((*last)->finish(CURLE_FAILED_INIT));
    ready_.back().detail = detail;
    release(last);
  }
}

void CurlTransport::pause_until(core::Instant until, core::Instant now) {
  const CURLMcode code = curl_multi_poll(multi_, nullptr, 0, to_poll_ms(until - now), nullptr);
  if (code != CURLM_OK) ::poll(nullptr, 0, to_poll_ms(std::min(until - now, kPauseAfterFailure)));
}

void CurlTransport::release(Running::iterator transfer) {
  curl_multi_remove_handle(multi_, (*transfer)->easy());
  (*transfer)->forget();
  // libcurl would tell the errno of this failure with the handle's next one.
  long system_error = 0;
  curl_easy_getinfo((*transfer)->easy(), CURLINFO_OS_ERRNO, &system_error);
  if (system_error == 0 && idle_.size() < kIdleTransfersMax) idle_.push_back(std::move(*transfer));
  if (transfer != std::prev(running_.end())) *transfer = std::move(running_.back());
  running_.pop_back();
}

CurlTransport::Running::iterator CurlTransport::find(const CURL* easy) {
  return std::find_if(running_.begin(), running_.end(),
                      [easy](const auto& transfer) { return transfer->easy() == easy; });
}

}  // namespace

core::Result<std::unique_ptr<Transport>> make_curl_transport(const platform::Clock& clock,
                                                             const CurlTransportOptions& options) {
  CURLM* multi = make_multi();
  if (multi == nullptr) return {core::ErrorCode::NoMemory, "libcurl has no memory"};
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(options.connections_max));
  return std::unique_ptr<Transport>(std::make_unique<CurlTransport>(multi, clock));
}

}  // namespace posthaste::transport
