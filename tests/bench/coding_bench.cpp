// What compressing and signing a batch costs beside the codec alone: the encoder's job, which reads
// the body piece by piece, against one call of zlib, zstd or HMAC over the same bytes in one piece.
// Processor time of the thread, so that a busy machine spoils little. Usage: coding_bench [ROUNDS]
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <time.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/encoder.h"
#include "mail_event.h"

namespace {

using namespace posthaste;

constexpr size_t kEventsCount = 10'000;
constexpr const char* kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

double cpu_ms() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
}

// One batch of the benchmarks' event.
std::string make_body() {
  std::string body = "[";
  for (size_t i = 0; i < kEventsCount; ++i) {
    char event[bench::kEventSize];
    bench::write_event(i, event);
    body.append(event, sizeof event) += ',';
  }
  body.back() = ']';
  return body;
}

struct Body final : engine::CodingInput {
  std::string text = make_body();
  uint64_t size_bytes() const override { return text.size(); }
  size_t read(uint64_t offset, char* out, size_t room) override {
    return text.copy(out, room, static_cast<size_t>(offset));
  }
};

// The codecs alone, at the encoder's level; each gives the size of what came out.

size_t gzip_alone(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  const size_t size = stream.total_out;
  deflateEnd(&stream);
  return size;
}

size_t zstd_alone(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  return ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 1);
}

size_t hmac_alone(const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), kSecret, 24, reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       digest, &size);
  return size;
}

struct Row {
  const char* name;
  std::function<size_t(const std::string&)> alone;
  engine::CodingJob job;
  std::vector<double> alone_ms;
  std::vector<double> job_ms;
};

Row row(const char* name, size_t (*alone)(const std::string&), core::Compression compression,
        const char* secrets, const std::shared_ptr<Body>& body) {
  auto webhook = std::make_shared<core::Webhook>();
  webhook->settings.compression = compression;
  webhook->settings.signing_secrets = secrets;
  engine::CodingJob job;
  job.input = body;
  job.webhook = std::move(webhook);
  job.compresses = compression != core::Compression::None;
  job.message_id = "6f2c1f1e-c86c-11f1-9a35-0b7a51c0ffee";
  return {name, alone, std::move(job), {}, {}};
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

double time_ms(const std::function<void()>& work) {
  const double before_ms = cpu_ms();
  work();
  return cpu_ms() - before_ms;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = std::max(argc > 1 ? std::atoi(argv[1]) : 21, 1);
  const auto body = std::make_shared<Body>();
  const engine::CodedBudget budget;
  std::vector<Row> rows = {row("gzip", gzip_alone, core::Compression::Gzip, "", body),
                           row("zstd", zstd_alone, core::Compression::Zstd, "", body),
                           row("signature", hmac_alone, core::Compression::None, kSecret, body)};
  for (int round = 0; round < rounds; ++round) {
    for (Row& each : rows) {
      each.alone_ms.push_back(time_ms([&] { each.alone(body->text); }));
      each.job_ms.push_back(time_ms([&] { run_coding(each.job, budget, [] { return true; }); }));
    }
  }
  for (const Row& each : rows) {
    const auto result = run_coding(each.job, budget, [] { return true; });
    const double job_ms = median(each.job_ms);
    const double alone_ms = median(each.alone_ms);
    std::printf(
        "%-10s %7.2f ms a batch of %.1f MB, alone %7.2f ms: %.3f x, %zu bytes against %zu\n",
        each.name, job_ms, static_cast<double>(body->text.size()) * 1e-6, alone_ms,
        job_ms / alone_ms, result.coded ? result.coded->size() : 0, each.alone(body->text));
  }
  return 0;
}
