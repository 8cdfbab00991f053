#include "transport/signature.h"

#include <catch2/catch.hpp>

using namespace posthaste;
using transport::Signer;
using transport::SigningSecret;

namespace {

std::vector<SigningSecret> secrets(std::initializer_list<const char*> texts) {
  std::vector<SigningSecret> list;
  for (const char* text : texts) {
    auto secret = SigningSecret::parse(text);
    REQUIRE(secret.ok());
    list.push_back(std::move(*secret));
  }
  return list;
}

std::string sign(const std::vector<SigningSecret>& with, std::string_view body) {
  Signer signer(with, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330);
  for (const char byte : body) signer.add({&byte, 1});
  auto header = signer.finish();
  REQUIRE(header.ok());
  return *header;
}

// RFC 8032, section 7.1, test 1: the private key and its public one.
constexpr const char* kSeed = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
constexpr const char* kPair =
    "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/"
    "tPJZAc6DuFy89qmIyWvAhpo9wdRGg==";
constexpr const char* kPublic = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
constexpr const char* kSymmetric = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

}  // namespace

TEST_CASE("A whsec_ secret signs id, time and body by HMAC-SHA256", "[transport][signature]") {
  // The vector that the specification's own libraries are tested with.
  CHECK(sign(secrets({kSymmetric}), R"({"test": 2432232314})") ==
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST_CASE("A whsk_ secret signs by Ed25519, with its public key behind it or not",
          "[transport][signature]") {
  const char* const secret = GENERATE(kSeed, kPair);
  // Made by Node's crypto.sign.
  CHECK(sign(secrets({secret}), R"({"test": 2432232314})") ==
        "v1a,"
        "fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw==");
  CHECK(secrets({secret})[0].public_key() == kPublic);
  CHECK(secrets({kSymmetric})[0].public_key().empty());
}

TEST_CASE("All secrets sign, in their order", "[transport][signature]") {
  const std::string both = sign(secrets({kSeed, kSymmetric}), "[]");
  CHECK(both == sign(secrets({kSeed}), "[]") + " " + sign(secrets({kSymmetric}), "[]"));
  CHECK(sign(secrets({kSymmetric}), "[]") != sign(secrets({kSymmetric}), "[ ]"));
}

TEST_CASE("A secret that is none is refused without showing any of it", "[transport][signature]") {
  for (const char* text :
       {"", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
        "whsec_ MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa=", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa=w",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLQ==", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        // The public key of another.
        "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2CdYbGd7/1aYLqESvSS7CzEREnFaXsyaRlwO6wDHK5/"
        "YA=="}) {
    INFO(text);
    const auto secret = SigningSecret::parse(text);
    REQUIRE(secret.code() == core::ErrorCode::BadValue);
    CHECK(secret.error().message.find("MfKQ") == std::string::npos);
    CHECK(secret.error().message.find("nWGx") == std::string::npos);
  }
  // The longest there is.
  CHECK(SigningSecret::parse("whsec_" + std::string(84, 'A') + "AA==").ok());
  CHECK_FALSE(SigningSecret::parse("whsec_" + std::string(88, 'A')).ok());
}

TEST_CASE("Secrets stand behind one another with blanks or commas between them",
          "[transport][signature]") {
  const std::string one = kSymmetric;
  const std::string other = kSeed;
  for (const std::string& text :
       {one + " " + other, one + "," + other, " " + one + " , " + other + ","}) {
    const auto list = transport::parse_signing_secrets(text);
    REQUIRE(list.ok());
    CHECK(sign(*list, "[]") == sign(secrets({kSymmetric, kSeed}), "[]"));
  }
  CHECK(transport::parse_signing_secrets("").value().empty());
}

TEST_CASE("Of a list with a bad secret only its place is told", "[transport][signature]") {
  const auto list = transport::parse_signing_secrets(std::string(kSymmetric) + " hunter2hunter2");
  REQUIRE(list.code() == core::ErrorCode::BadValue);
  CHECK(list.error().key == "signing.secrets");
  CHECK(list.error().message.find("secret 2") != std::string::npos);
  CHECK(list.error().message.find("hunter") == std::string::npos);
  std::string many;
  for (int i = 0; i < 9; ++i) many += std::string(kSymmetric) + " ";
  CHECK(transport::parse_signing_secrets(many).code() == core::ErrorCode::BadValue);
}
