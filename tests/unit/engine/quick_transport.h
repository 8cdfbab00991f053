// A network that answers at once, or never, for tests of a whole engine with its own thread.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "platform/clock.h"
#include "transport/transport.h"

namespace posthaste::test {

// What the tests share with the transport, which the engine owns.
// Threads: any.
class QuickNetwork {
 public:
  // Never answered.
  static constexpr int32_t kSilence = -1;

  struct Post {
    std::string url;
    std::string body;
  };

  // The status for a URL; 200 unless it is set.
  void answer(const std::string& url, int32_t status) {
    const std::lock_guard lock(mutex_);
    answers_[url] = status;
  }
  int32_t answer_for(const std::string& url) const {
    const std::lock_guard lock(mutex_);
    const auto place = answers_.find(url);
    return place == answers_.end() ? 200 : place->second;
  }
  void add(Post post) {
    const std::lock_guard lock(mutex_);
    posts_.push_back(std::move(post));
  }
  std::vector<Post> posts() const {
    const std::lock_guard lock(mutex_);
    return posts_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, int32_t> answers_;
  std::vector<Post> posts_;
};

class QuickTransport final : public transport::Transport {
 public:
  QuickTransport(std::shared_ptr<QuickNetwork> network, const platform::Clock& clock)
      : network_(std::move(network)), clock_(clock) {}

  void begin(const transport::Request& request) override {
    std::string body(request.body->size_bytes(), '\0');
    body.resize(request.body->read(0, body.data(), body.size()));
    network_->add({request.url, body});
    transport::Completion completion;
    completion.id = request.id;
    completion.status = network_->answer_for(request.url);
    completion.reached = transport::Reached::Yes;
    completion.connected = true;
    completion.upload_began = true;
    if (completion.status != QuickNetwork::kSilence) completions_.push_back(std::move(completion));
  }
  void cancel(uint64_t id) override {
    std::erase_if(completions_, [id](const auto& completion) { return completion.id == id; });
  }
  void wait(core::Instant deadline, std::vector<transport::Completion>& out) override {
    std::unique_lock lock(mutex_);
    while (completions_.empty() && !is_woken_) {
      const core::Instant now = clock_.now();
      if (now >= deadline) break;
      const core::Duration longest = std::chrono::seconds(1);
      woken_.wait_for(lock, deadline == core::kNever ? longest : std::min(longest, deadline - now));
    }
    is_woken_ = false;
    for (transport::Completion& completion : completions_) out.push_back(std::move(completion));
    completions_.clear();
  }
  void wake() override {
    const std::lock_guard lock(mutex_);
    is_woken_ = true;
    woken_.notify_one();
  }

 private:
  const std::shared_ptr<QuickNetwork> network_;
  const platform::Clock& clock_;
  std::vector<transport::Completion> completions_;
  std::mutex mutex_;
  std::condition_variable woken_;
  bool is_woken_ = false;
};

}  // namespace posthaste::test
