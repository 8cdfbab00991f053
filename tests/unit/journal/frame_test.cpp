#include "journal/frame.h"

#include <catch2/catch.hpp>
#include <cstring>

using namespace posthaste;
using namespace posthaste::journal;

namespace {

FrameHeader sample_header() {
  FrameHeader header;
  header.position = 0x0102030405060708;
  header.follows = 0x1112131415161718;
  header.synced = 0x2122232425262728;
  header.wire_size = 0x31323334;
  header.records_count = 0x41424344;
  header.source = {0x51525354, 0x6162636465666768};
  header.contents_checksum = 0x7172737475767778;
  return header;
}

std::string encoded(const FrameHeader& header, uint64_t salt) {
  std::string bytes(kFrameHeaderSize, '\0');
  encode_frame_header(header, salt, bytes.data());
  return bytes;
}

}  // namespace

TEST_CASE("A frame header is little endian and has every field in its documented place",
          "[journal][frame]") {
  const std::string bytes = encoded(sample_header(), 99);
  const std::string expected =
      "\x50\x48\x46\xa6"
      "\x34\x33\x32\x31"
      "\x08\x07\x06\x05\x04\x03\x02\x01"
      "\x18\x17\x16\x15\x14\x13\x12\x11"
      "\x28\x27\x26\x25\x24\x23\x22\x21"
      "\x44\x43\x42\x41"
      "\x54\x53\x52\x51"
      "\x68\x67\x66\x65\x64\x63\x62\x61"
      "\x78\x77\x76\x75\x74\x73\x72\x71";
  CHECK(bytes.substr(0, expected.size()) == expected);
  CHECK(expected.size() + 8 == kFrameHeaderSize);

  const auto decoded = decode_frame_header(bytes, 99);
  REQUIRE(decoded.has_value());
  CHECK(decoded->position == sample_header().position);
  CHECK(decoded->follows == sample_header().follows);
  CHECK(decoded->synced == sample_header().synced);
  CHECK(decoded->wire_size == sample_header().wire_size);
  CHECK(decoded->records_count == sample_header().records_count);
  CHECK(decoded->source == sample_header().source);
  CHECK(decoded->contents_checksum == sample_header().contents_checksum);
}

TEST_CASE("A frame header with any bit changed, or with another salt, does not pass",
          "[journal][frame]") {
  const std::string bytes = encoded(sample_header(), 99);
  CHECK_FALSE(decode_frame_header(bytes, 98).has_value());
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    CHECK_FALSE(decode_frame_header(changed, 99).has_value());
  }
}

TEST_CASE("A file header comes back, and with any bit changed it does not pass",
          "[journal][frame]") {
  const FileHeader header{kFormatVersion, 7, 0xfedcba9876543210, 1000, 900, 800};
  const std::string bytes = encode_file_header(header);
  REQUIRE(bytes.size() == kFileHeaderSize);
  CHECK(bytes.substr(0, 8) == "PHSTJNL1");
  const auto decoded = decode_file_header(bytes);
  REQUIRE(decoded.has_value());
  CHECK(decoded->number == 7);
  CHECK(decoded->salt == header.salt);
  CHECK(decoded->first == 1000);
  CHECK(decoded->log_end == 900);
  CHECK(decoded->synced == 800);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    CHECK_FALSE(decode_file_header(changed).has_value());
  }
}

TEST_CASE("The size of a frame counts header, records, index and padding", "[journal][frame]") {
  FrameHeader header;
  header.wire_size = 10;
  header.records_count = 3;
  CHECK(header.contents_size() == 10 + 3 * 6);
  CHECK(header.frame_size() == 64 + 32);
}
