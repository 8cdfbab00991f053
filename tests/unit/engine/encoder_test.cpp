#include "engine/encoder.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "core/random.h"
#include "engine/encoder_thread.h"
#include "support/decoding.h"

using namespace posthaste;
using namespace std::chrono_literals;
using engine::CodedBudget;
using engine::CodingJob;
using engine::CodingResult;

namespace {

constexpr const char* kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

// Reads as far as it is told to.
struct TextInput final : engine::CodingInput {
  explicit TextInput(std::string bytes) : text(std::move(bytes)), readable(text.size()) {}
  const std::string text;
  const size_t readable;
  uint64_t size_bytes() const override { return text.size(); }
  size_t read(uint64_t offset, char* out, size_t room) override {
    return std::string_view(text).substr(0, readable).copy(out, room, static_cast<size_t>(offset));
  }

  TextInput(std::string bytes, size_t readable_bytes)
      : text(std::move(bytes)), readable(readable_bytes) {}
};

CodingJob job_of(std::string text, core::Compression compression, std::string secrets) {
  auto webhook = std::make_shared<core::Webhook>();
  webhook->settings.compression = compression;
  webhook->settings.signing_secrets = std::move(secrets);
  CodingJob job;
  job.id = 7;
  job.input = std::make_shared<TextInput>(std::move(text));
  job.webhook = std::move(webhook);
  job.compresses = compression != core::Compression::None;
  job.message_id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
  job.timestamp_s = 1614265330;
  return job;
}

CodingResult run(const CodingJob& job, const CodedBudget& budget = CodedBudget()) {
  return run_coding(job, budget, [] { return true; });
}

std::string noise(size_t size) {
  core::Random random(1);
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random.next());
  return text;
}

}  // namespace

TEST_CASE("What is signed is the JSON before content coding", "[engine][encoder]") {
  // The vector that the specification's own libraries are tested with.
  constexpr const char* kBody = R"({"test": 2432232314})";
  constexpr const char* kSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
  for (const auto compression :
       {core::Compression::None, core::Compression::Gzip, core::Compression::Zstd}) {
    const CodingResult result = run(job_of(kBody, compression, kSecret));
    CHECK(result.id == 7);
    CHECK(result.error.code == core::ErrorCode::Ok);
    CHECK(result.signature == kSignature);
    CHECK((result.coded != nullptr) == (compression != core::Compression::None));
  }
  const CodingResult zipped = run(job_of(kBody, core::Compression::Gzip, kSecret));
  CHECK(test::gunzip(*zipped.coded) == kBody);
}

TEST_CASE("A body over many pieces is coded and signed whole", "[engine][encoder]") {
  const std::string text(3 * core::kCodingPieceSize + 17, 'x');
  const CodingResult zipped = run(job_of(text, core::Compression::Zstd, kSecret));
  const CodingResult plain = run(job_of(text, core::Compression::None, kSecret));
  CHECK(test::unzstd(*zipped.coded) == text);
  CHECK(zipped.signature == plain.signature);
}

TEST_CASE("A body that finds no room is sent as it is, and signed all the same",
          "[engine][encoder]") {
  const CodedBudget budget(400'000);
  const std::string text = noise(300'000);
  CodingResult first = run(job_of(text, core::Compression::Gzip, kSecret), budget);
  REQUIRE(first.coded);
  CHECK(budget.held_bytes() == first.coded->size());
  const CodingResult second = run(job_of(text, core::Compression::Gzip, kSecret), budget);
  CHECK_FALSE(second.coded);
  CHECK(second.error.code == core::ErrorCode::Ok);
  CHECK(second.signature == first.signature);
  first.coded.reset();
  CHECK(budget.held_bytes() == 0);
  CHECK(run(job_of(text, core::Compression::Gzip, {}), budget).coded);
}

TEST_CASE("A body that ends early is no body", "[engine][encoder]") {
  CodingJob job = job_of("", core::Compression::Gzip, kSecret);
  job.input = std::make_shared<TextInput>(std::string(200'000, 'x'), 150'000);
  const CodingResult result = run(job);
  CHECK_FALSE(result.was_read);
  CHECK_FALSE(result.coded);
  CHECK(result.signature.empty());
}

TEST_CASE("A secret that cannot sign is an error, and nothing goes out unsigned",
          "[engine][encoder]") {
  const CodingResult result = run(job_of("[]", core::Compression::Gzip, "whsec_none"));
  CHECK(result.error.code == core::ErrorCode::BadValue);
  CHECK(result.signature.empty());
}

TEST_CASE("The encoder's thread does jobs in their order and wakes whoever waits",
          "[engine][encoder]") {
  std::mutex mutex;
  std::condition_variable changed;
  size_t wakes_count = 0;
  engine::EncoderThread encoder([&] {
    const std::lock_guard lock(mutex);
    ++wakes_count;
    changed.notify_one();
  });
  for (uint64_t i = 0; i < 20; ++i) {
    CodingJob job = job_of(std::string(100'000, 'x'), core::Compression::Gzip, kSecret);
    job.id = i;
    encoder.begin(std::move(job));
  }
  std::unique_lock lock(mutex);
  REQUIRE(changed.wait_for(lock, 20s, [&] { return wakes_count == 20; }));
  const std::vector<CodingResult> results = encoder.take();
  REQUIRE(results.size() == 20);
  for (uint64_t i = 0; i < 20; ++i) CHECK(results[i].id == i);
  CHECK(encoder.take().empty());
}

TEST_CASE("The encoder's thread ends in the middle of a job", "[engine][encoder]") {
  // Never ends by itself.
  struct EndlessInput final : engine::CodingInput {
    uint64_t size_bytes() const override { return ~uint64_t{0}; }
    size_t read(uint64_t, char* out, size_t room) override {
      std::fill_n(out, room, ' ');
      return room;
    }
  };
  engine::EncoderThread encoder([] {});
  CodingJob job = job_of("", core::Compression::None, kSecret);
  job.input = std::make_shared<EndlessInput>();
  encoder.begin(std::move(job));
  CHECK(encoder.stop(20s));
}
