#include "journal/frame.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <concepts>
#include <cstring>

namespace posthaste::journal {

namespace {

constexpr uint64_t kFileMagic = 0x314c4e4a54534850u;  // "PHSTJNL1" as it stands on disk
constexpr uint32_t kFrameMagic = 0xa6464850u;  // "PHF", and a byte that never follows it in UTF-8

template <std::unsigned_integral Number>
char* put(char* out, Number number) {
  for (size_t i = 0; i < sizeof(Number); ++i) {
    *out++ = static_cast<char>(static_cast<unsigned char>(number >> (8 * i)));
  }
  return out;
}

template <std::unsigned_integral Number>
const char* get(const char* in, Number& number) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(Number); ++i) {
    value |= uint64_t{static_cast<unsigned char>(*in++)} << (8 * i);
  }
  number = static_cast<Number>(value);
  return in;
}

uint64_t checksum(std::string_view bytes, uint64_t salt) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), salt);
}

// The checksum of a header is its last eight bytes, over all before them.
constexpr uint64_t kChecksumSize = 8;

std::string_view without_checksum(std::string_view header) {
  return header.substr(0, header.size() - kChecksumSize);
}

bool has_checksum(std::string_view header, uint64_t salt) {
  uint64_t stored = 0;
  get(header.data() + header.size() - kChecksumSize, stored);
  return stored == checksum(without_checksum(header), salt);
}

}  // namespace

std::string encode_file_header(const FileHeader& header) {
  std::string bytes(kFileHeaderSize, '\0');
  char* out = put(bytes.data(), kFileMagic);
  out = put(out, header.version);
  out = put(out, uint32_t{0});
  for (const uint64_t field :
       {header.number, header.salt, header.first, header.log_end, header.synced}) {
    out = put(out, field);
  }
  put(out, checksum(without_checksum(bytes), 0));
  return bytes;
}

std::optional<FileHeader> decode_file_header(std::string_view bytes) {
  if (bytes.size() != kFileHeaderSize || !has_checksum(bytes, 0)) return std::nullopt;
  FileHeader header;
  uint64_t magic = 0;
  uint32_t reserved = 0;
  const char* in = get(bytes.data(), magic);
  if (magic != kFileMagic) return std::nullopt;
  in = get(in, header.version);
  in = get(in, reserved);
  for (uint64_t* field :
       {&header.number, &header.salt, &header.first, &header.log_end, &header.synced}) {
    in = get(in, *field);
  }
  return header;
}

void encode_frame_header(const FrameHeader& header, uint64_t salt, char* out) {
  const char* begin = out;
  out = put(out, kFrameMagic);
  out = put(out, header.wire_size);
  out = put(out, header.position);
  out = put(out, header.follows);
  out = put(out, header.synced);
  out = put(out, header.records_count);
  out = put(out, header.source.file);
  out = put(out, header.source.offset);
  out = put(out, header.contents_checksum);
  put(out, checksum({begin, kFrameHeaderSize - kChecksumSize}, salt));
}

std::optional<FrameHeader> decode_frame_header(std::string_view bytes, uint64_t salt) {
  if (bytes.size() != kFrameHeaderSize || !begins_like_frame(bytes.data())) return std::nullopt;
  if (!has_checksum(bytes, salt)) return std::nullopt;
  FrameHeader header;
  uint32_t magic = 0;
  const char* in = get(bytes.data(), magic);
  in = get(in, header.wire_size);
  in = get(in, header.position);
  in = get(in, header.follows);
  in = get(in, header.synced);
  in = get(in, header.records_count);
  in = get(in, header.source.file);
  in = get(in, header.source.offset);
  get(in, header.contents_checksum);
  return header;
}

uint64_t contents_checksum(std::string_view contents, uint64_t salt) {
  return checksum(contents, salt);
}

uint64_t contents_checksum(std::string_view wire, std::string_view index, uint64_t salt) {
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_64bits_reset_withSeed(&state, salt);
  XXH3_64bits_update(&state, wire.data(), wire.size());
  XXH3_64bits_update(&state, index.data(), index.size());
  return XXH3_64bits_digest(&state);
}

void append_index_entry(std::string& out, IndexEntry entry) {
  char bytes[kIndexEntrySize];
  put(put(bytes, entry.size), entry.type);
  out.append(bytes, sizeof bytes);
}

IndexEntry decode_index_entry(const char* bytes) {
  IndexEntry entry;
  get(get(bytes, entry.size), entry.type);
  return entry;
}

bool begins_like_frame(const char* bytes) {
  uint32_t magic = 0;
  get(bytes, magic);
  return magic == kFrameMagic;
}

}  // namespace posthaste::journal
