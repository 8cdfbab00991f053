#include "transport/body_coding.h"

#include <catch2/catch.hpp>

#include <algorithm>

#include "core/random.h"
#include "support/decoding.h"

using namespace posthaste;
using core::Compression;
using transport::Compressor;

namespace {

std::string compress(Compression compression, std::string_view text, size_t part_size) {
  const auto codec = Compressor::make(compression, text.size());
  REQUIRE(codec);
  std::string out;
  for (size_t offset = 0; offset < text.size(); offset += part_size) {
    REQUIRE(codec->add(text.substr(offset, part_size), out));
  }
  REQUIRE(codec->finish(out));
  return out;
}

}  // namespace

TEST_CASE("A body in parts of any size is one gzip member or one zstd frame",
          "[transport][body_coding]") {
  const auto compression = GENERATE(Compression::Gzip, Compression::Zstd);
  const size_t part_size = GENERATE(size_t{7}, size_t{4096}, size_t{1} << 20);
  std::string text;
  for (int i = 0; i < 5000; ++i) text += R"({"msys":{"message_event":{"n":)" + std::to_string(i);
  const std::string coded = compress(compression, text, part_size);
  CHECK(test::decoded(transport::content_coding_name(compression), coded) == text);
  CHECK(coded.size() < text.size() / 4);
}

TEST_CASE("A body that does not shrink is coded all the same", "[transport][body_coding]") {
  const auto compression = GENERATE(Compression::Gzip, Compression::Zstd);
  core::Random random(1);
  std::string noise(300'000, '\0');
  std::generate(noise.begin(), noise.end(), [&] { return static_cast<char>(random.next()); });
  CHECK(test::decoded(transport::content_coding_name(compression),
                      compress(compression, noise, 65536)) == noise);
}

TEST_CASE("The same body is coded to the same bytes", "[transport][body_coding]") {
  const auto compression = GENERATE(Compression::Gzip, Compression::Zstd);
  const std::string text(100'000, 'x');
  CHECK(compress(compression, text, 1000) == compress(compression, text, 1000));
}
