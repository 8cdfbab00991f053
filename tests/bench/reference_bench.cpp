// The reference that the speed targets are ratios of: the least embedded batcher that does the job
// with no safety at all. push copies the event into the current batch under one mutex; one thread
// posts full batches with libcurl; a pool of batches bounds memory (a push waits when all are
// taken). No envelope, no retry, no spool. Keys: those of drive.h, batch=10000 (events), pool=4
// (batches), validate=none|rapidjson|simdjson (of each event, by the pusher, before the copy).
#include <curl/curl.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <simdjson.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>

#include "drive.h"

namespace posthaste::bench {
namespace {

struct Batch {
  std::unique_ptr<char[]> bytes;
  size_t size_bytes = 0;
  size_t count = 0;
};

// Purpose: the batcher. Ownership: owns the pool. Threads: push any; flush and stop one, after the
// last push; post_all the sender. Invariants: under mutex_ each batch of the pool is the current
// one, idle, ready, or the sender's.
class Reference {
 public:
  Reference(size_t events_max, size_t pool_count) : events_max_(events_max), pool_(pool_count) {
    const size_t capacity = events_max * (kEventSize + 1);
    for (Batch& batch : pool_) {
      batch.bytes.reset(new char[capacity]);
      std::memset(batch.bytes.get(), 0, capacity);
      idle_.push_back(&batch);
    }
    current_ = idle_.back();
    idle_.pop_back();
  }

  void push(const char* event, size_t size) {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!current_) room_.wait(lock);
    char* const end = current_->bytes.get() + current_->size_bytes;
    std::memcpy(end, event, size);
    end[size] = '\n';
    current_->size_bytes += size + 1;
    if (++current_->count < events_max_) return;
    ready_.push_back(current_);
    current_ = nullptr;
    if (!idle_.empty()) {
      current_ = idle_.back();
      idle_.pop_back();
    }
    lock.unlock();
    full_.notify_one();
  }

  void flush() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (current_ && current_->count) {
      ready_.push_back(current_);
      current_ = nullptr;
    }
    full_.notify_one();
  }

  void stop() {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_stopped_ = true;
    full_.notify_one();
  }

  // The sender's thread: until stop() and the last batch.
  void post_all(const std::string& url) {
    CURL* const curl = curl_easy_init();
    curl_slist* const headers = curl_slist_append(nullptr, "Expect:");
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 524288L);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    while (Batch* const batch = next()) {
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, batch->bytes.get());
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(batch->size_bytes));
      if (curl_easy_perform(curl) != CURLE_OK) std::abort();
      recycle(*batch);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
  }

 private:
  Batch* next() {
    std::unique_lock<std::mutex> lock(mutex_);
    full_.wait(lock, [this] { return is_stopped_ || !ready_.empty(); });
    if (ready_.empty()) return nullptr;
    Batch* const batch = ready_.front();
    ready_.pop_front();
    return batch;
  }

  void recycle(Batch& batch) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      batch.size_bytes = batch.count = 0;
      if (current_) {
        idle_.push_back(&batch);
      } else {
        current_ = &batch;
      }
    }
    room_.notify_all();
  }

  const size_t events_max_;
  std::vector<Batch> pool_;
  std::mutex mutex_;
  std::condition_variable full_;
  std::condition_variable room_;
  std::vector<Batch*> idle_;
  std::deque<Batch*> ready_;
  Batch* current_ = nullptr;
  bool is_stopped_ = false;
};

struct Ignore : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Ignore> {};

bool is_valid_to_rapidjson(const char* event, size_t size) {
  rapidjson::MemoryStream stream(event, size);
  rapidjson::Reader reader;
  Ignore handler;
  return !reader.Parse<rapidjson::kParseValidateEncodingFlag>(stream, handler).IsError();
}

bool is_valid_to_simdjson(const char* event, size_t size) {
  thread_local simdjson::dom::parser parser;
  return parser.parse(event, size).error() == simdjson::SUCCESS;
}

int run(const Args& args) {
  const std::string validate = args.text("validate", "none");
  Drive drive(args);
  Reference reference(static_cast<size_t>(args.number("batch", 10'000)),
                      static_cast<size_t>(args.number("pool", 4)));
  curl_global_init(CURL_GLOBAL_ALL);
  const std::string url = "http://127.0.0.1:" + std::to_string(drive.port()) + "/x";
  std::thread sender([&] { reference.post_all(url); });
  const auto flush = [&] { reference.flush(); };
  const auto more = [&] { return ",\"validate\":\"" + validate + "\""; };
  // One lambda for each, so that none pays for a choice at each event.
  int status = 2;
  if (validate == "none") {
    status = drive.run(
        "reference",
        [&](const char* event, size_t size) {
          reference.push(event, size);
          return true;
        },
        flush, more);
  } else if (validate == "rapidjson" || validate == "simdjson") {
    const auto check = validate == "rapidjson" ? is_valid_to_rapidjson : is_valid_to_simdjson;
    status = drive.run(
        "reference",
        [&](const char* event, size_t size) {
          if (!check(event, size)) return false;
          reference.push(event, size);
          return true;
        },
        flush, more);
  } else {
    std::fprintf(stderr, "validate is none, rapidjson or simdjson, not %s\n", validate.c_str());
  }
  reference.stop();
  sender.join();
  curl_global_cleanup();
  return status;
}

}  // namespace
}  // namespace posthaste::bench

int main(int argc, char** argv) {
  return posthaste::bench::run(posthaste::bench::Args(argc, argv));
}
