// Compressed and signed batches in the delivery step: what is sent, and what becomes of a batch
// while the encoder has it.
#include <catch2/catch.hpp>

#include "support/decoding.h"
#include "transport/signature.h"
#include "unit/engine/delivery_fixture.h"

using namespace posthaste;
using namespace posthaste::test;
using namespace std::chrono_literals;
using engine::DropReason;
using engine::ReportKind;

namespace {

constexpr const char* kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

core::EngineSettings settings_with(const std::string& secrets,
                                   core::Compression compression = core::Compression::None) {
  core::EngineSettings settings = exact_settings();
  settings.webhook.signing_secrets = secrets;
  settings.webhook.compression = compression;
  return settings;
}

std::string coding(const SimExchange& exchange) {
  return DeliveryFixture::header(exchange, "Content-Encoding");
}

// What a receiver makes of a request: the JSON, if everything about it is right.
std::string verified_body(const SimExchange& exchange, const std::string& secrets) {
  const std::string body = decoded(coding(exchange), exchange.body);
  const auto keys = transport::parse_signing_secrets(secrets);
  transport::Signer signer(*keys, DeliveryFixture::header(exchange, "webhook-id"),
                           std::stoll(DeliveryFixture::header(exchange, "webhook-timestamp")));
  signer.add(body);
  if (*signer.finish() != DeliveryFixture::header(exchange, "webhook-signature")) return {};
  return body;
}

}  // namespace

TEST_CASE("A compressed batch is whole, and says how it is coded", "[engine][delivery]") {
  const auto compression = GENERATE(core::Compression::Gzip, core::Compression::Zstd);
  DeliveryFixture fixture(settings_with({}, compression));
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 5000);
  CHECK(fixture.flush());
  REQUIRE(fixture.ended.size() == 1);
  const SimExchange& exchange = fixture.ended[0];
  CHECK(coding(exchange) == (compression == core::Compression::Gzip ? "gzip" : "zstd"));
  CHECK(decoded(coding(exchange), exchange.body) == DeliveryFixture::body(0, 5000));
  CHECK(exchange.body_size_bytes == exchange.body.size());
  CHECK(exchange.body.size() < 20'000);
  CHECK(DeliveryFixture::header(exchange, "webhook-signature").empty());
  // What is delivered is counted as JSON.
  CHECK(fixture.counters("w").bytes_delivered.get() == DeliveryFixture::body(0, 5000).size());
  CHECK(fixture.engine.encoder().budget().held_bytes() == 0);
}

TEST_CASE("A retry has a fresh timestamp, a signature of its own and the same id",
          "[engine][delivery]") {
  const auto compression = GENERATE(core::Compression::None, core::Compression::Gzip);
  DeliveryFixture fixture(settings_with(kSecret, compression));
  fixture.answer = [&](const transport::Request&) {
    return status(fixture.ended.size() < 2 ? 503 : 200);
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 1000);
  fixture.flush();
  fixture.run_for(10min);
  REQUIRE(fixture.ended.size() == 3);
  for (const SimExchange& exchange : fixture.ended) {
    CHECK(verified_body(exchange, kSecret) == DeliveryFixture::body(0, 1000));
    CHECK(DeliveryFixture::header(exchange, "webhook-id") == DeliveryFixture::batch_id(exchange));
    CHECK(DeliveryFixture::batch_id(exchange) == DeliveryFixture::batch_id(fixture.ended[0]));
  }
  const auto time = [&](size_t index) {
    return std::stoll(DeliveryFixture::header(fixture.ended[index], "webhook-timestamp"));
  };
  CHECK(time(1) > time(0));
  CHECK(time(2) > time(1));
}

TEST_CASE("Batches that wait are signed with the secrets of now", "[engine][delivery]") {
  DeliveryFixture fixture(settings_with(kSecret));
  fixture.answer = [](const transport::Request&) { return status(503); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 3);
  fixture.flush();
  fixture.answer = [](const transport::Request&) { return status(200); };
  const std::string both = std::string(kSecret) + " whsec_" + std::string(32, 'A');
  core::WebhookSpec change;
  change.overrides["signing.secrets"] = both;
  REQUIRE(fixture.engine.update("w", change));
  fixture.run_for(1min);
  REQUIRE(fixture.ended.size() == 2);
  CHECK(verified_body(fixture.ended[0], kSecret) == DeliveryFixture::body(0, 3));
  CHECK(verified_body(fixture.ended[1], both) == DeliveryFixture::body(0, 3));
}

TEST_CASE("The test POST is compressed and signed as batches are", "[engine][delivery]") {
  const auto compression = GENERATE(core::Compression::None, core::Compression::Zstd);
  DeliveryFixture fixture(settings_with(kSecret, compression));
  REQUIRE(fixture.engine.put("w", spec_of()));
  core::ErrorCode code = core::ErrorCode::Timeout;
  fixture.engine.verify("w", [&](const engine::Outcome& outcome) { code = outcome.error.code; });
  fixture.step();
  CHECK(code == core::ErrorCode::Ok);
  REQUIRE(fixture.ended.size() == 1);
  CHECK(verified_body(fixture.ended[0], kSecret) == R"([{"msys":{}}])");
  CHECK(coding(fixture.ended[0]) == (compression == core::Compression::None ? "" : "zstd"));
}

TEST_CASE("A compressed batch that is refused with 415 goes as JSON at once, and is reported",
          "[engine][delivery]") {
  DeliveryFixture fixture(settings_with(kSecret, core::Compression::Gzip));
  bool takes_json = true;
  fixture.answer = [&](const transport::Request& request) {
    for (const transport::HeaderField& field : request.headers) {
      if (field.name == "Content-Encoding") return status(415);
    }
    return status(takes_json ? 200 : 503);
  };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 100);
  fixture.flush();
  REQUIRE(fixture.ended.size() == 2);
  CHECK(fixture.ended[1].begun == fixture.ended[0].ends);
  CHECK(coding(fixture.ended[1]).empty());
  CHECK(verified_body(fixture.ended[1], kSecret) == DeliveryFixture::body(0, 100));
  CHECK(DeliveryFixture::batch_id(fixture.ended[1]) == DeliveryFixture::batch_id(fixture.ended[0]));
  const auto retries = fixture.reports(ReportKind::Retrying);
  REQUIRE(retries.size() == 1);
  CHECK(retries[0].status == 415);
  CHECK(retries[0].message == "HTTP 415: gzip is refused, the batch goes uncompressed");
  CHECK(fixture.reports(ReportKind::Delivered).at(0).attempts_count == 2);

  // The next batch is compressed again; one that is refused stays uncompressed.
  takes_json = false;
  fixture.push("delivery", 1);
  fixture.flush();
  fixture.run_for(1min);
  REQUIRE(fixture.ended.size() > 4);
  CHECK(coding(fixture.ended[2]) == "gzip");
  for (size_t i = 3; i < fixture.ended.size(); ++i) CHECK(coding(fixture.ended[i]).empty());
}

TEST_CASE("A batch that was sent as JSON and refused with 415 is tried again as any other",
          "[engine][delivery]") {
  DeliveryFixture fixture(settings_with(kSecret));
  fixture.answer = [](const transport::Request&) { return status(415); };
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.push("delivery", 2);
  fixture.flush();
  CHECK(fixture.ended.size() == 1);
  CHECK(fixture.reports(ReportKind::Retrying).at(0).message == "HTTP 415");
}

TEST_CASE("A batch whose memory moves while it is compressed is sent whole", "[engine][delivery]") {
  core::EngineSettings settings = settings_with(kSecret, core::Compression::Gzip);
  settings.intake_max_bytes = 8u << 20;
  DeliveryFixture fixture(settings);
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.engine.encoder().hold(true);
  fixture.push("delivery", 8000, 50);
  fixture.flush();
  CHECK(fixture.engine.encoder().jobs_count() == 1);
  CHECK(fixture.begun.empty());
  // The intake is more than half full: the batch is copied out of it.
  fixture.run_for(1s);
  fixture.push("delivery", 6000, 50);
  fixture.run_for(1s);
  CHECK(fixture.counters("w").waiting_memory_bytes.get() >= 8000 * 50);
  fixture.engine.encoder().hold(false);
  fixture.engine.transport().wake();
  fixture.run_for(1s);
  REQUIRE(fixture.ended.size() >= 1);
  const bool is_whole =
      verified_body(fixture.ended[0], kSecret) == DeliveryFixture::body(0, 8000, 50);
  CHECK(is_whole);
}

TEST_CASE("A close gives up batches that the encoder has", "[engine][delivery]") {
  DeliveryFixture fixture(settings_with(kSecret, core::Compression::Gzip));
  REQUIRE(fixture.engine.put("w", spec_of()));
  fixture.engine.encoder().hold(true);
  fixture.push("delivery", 10);
  fixture.flush();
  REQUIRE(fixture.engine.encoder().jobs_count() == 1);
  fixture.engine.close(fixture.engine.clock().now() + 1s);
  fixture.run_for(2s);
  CHECK(fixture.engine.is_closed());
  const auto drops = fixture.reports(ReportKind::Dropped);
  REQUIRE(drops.size() == 1);
  CHECK(drops[0].reason == DropReason::Closed);
  CHECK(fixture.begun.empty());
  // The job finds that its batch was taken back.
  fixture.engine.encoder().hold(false);
  const auto results = fixture.engine.encoder().take();
  REQUIRE(results.size() == 1);
  CHECK_FALSE(results[0].was_read);
}

TEST_CASE("A batch that cannot be signed is tried again, and nothing goes out unsigned",
          "[engine][delivery]") {
  DeliveryFixture fixture(settings_with(kSecret));
  REQUIRE(fixture.engine.put("w", spec_of()));
  // As a spool of another build might have kept it.
  REQUIRE(fixture.engine.set("signing.secrets", "whsec_none"));
  fixture.push("delivery", 1);
  fixture.flush();
  fixture.run_for(10s);
  CHECK(fixture.begun.empty());
  CHECK(fixture.reports(ReportKind::Retrying).size() > 1);
}
