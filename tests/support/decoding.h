// Decodes what was compressed on the way, as a receiver's framework would.
#pragma once

#include <zlib.h>
#include <zstd.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace posthaste::test {

// One whole gzip member; throws std::runtime_error for anything else.
inline std::string gunzip(std::string_view coded) {
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(coded.data()));
  stream.avail_in = static_cast<uInt>(coded.size());
  std::string text;
  int result = Z_OK;
  while (result == Z_OK) {
    char piece[4096];
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof piece;
    result = inflate(&stream, Z_NO_FLUSH);
    text.append(piece, sizeof piece - stream.avail_out);
  }
  const bool is_whole = result == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  if (!is_whole) throw std::runtime_error("not one whole gzip member");
  return text;
}

// One whole zstd frame that states its size; throws likewise.
inline std::string unzstd(std::string_view coded) {
  const auto size = ZSTD_getFrameContentSize(coded.data(), coded.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) {
    throw std::runtime_error("not a zstd frame with its size");
  }
  std::string text(static_cast<size_t>(size), '\0');
  const size_t done = ZSTD_decompress(text.data(), text.size(), coded.data(), coded.size());
  if (ZSTD_isError(done) || done != text.size()) {
    throw std::runtime_error("not one whole zstd frame");
  }
  return text;
}

// As much of the text as the first bytes of a gzip member or a zstd frame hold.
inline std::string gunzip_so_far(std::string_view coded) {
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(coded.data()));
  stream.avail_in = static_cast<uInt>(coded.size());
  std::string text;
  char piece[4096];
  int result = Z_OK;
  do {
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof piece;
    result = inflate(&stream, Z_SYNC_FLUSH);
    text.append(piece, sizeof piece - stream.avail_out);
  } while (result == Z_OK && stream.avail_out == 0);
  inflateEnd(&stream);
  return text;
}

inline std::string unzstd_so_far(std::string_view coded) {
  ZSTD_DStream* const stream = ZSTD_createDStream();
  ZSTD_inBuffer input{coded.data(), coded.size(), 0};
  std::string text;
  char piece[4096];
  ZSTD_outBuffer output{};
  size_t result = 0;
  do {
    output = {piece, sizeof piece, 0};
    result = ZSTD_decompressStream(stream, &output, &input);
    text.append(piece, output.pos);
  } while (!ZSTD_isError(result) && (input.pos < input.size || output.pos == output.size));
  ZSTD_freeDStream(stream);
  return text;
}

inline std::string decoded_so_far(std::string_view coding, std::string_view body) {
  if (coding == "gzip") return gunzip_so_far(body);
  if (coding == "zstd") return unzstd_so_far(body);
  return std::string(body);
}

// By the value of Content-Encoding.
inline std::string decoded(std::string_view coding, std::string_view body) {
  if (coding == "gzip") return gunzip(body);
  if (coding == "zstd") return unzstd(body);
  return std::string(body);
}

}  // namespace posthaste::test
