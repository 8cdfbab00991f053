#include "cli/body_decoding.h"

#include <zlib.h>
#include <zstd.h>

#include <memory>

namespace posthaste::cli {
namespace {

using core::ErrorCode;
using core::Result;

constexpr size_t kPieceSize = size_t{64} << 10;

Result<std::string> too_large() {
  return {ErrorCode::TooLarge, "the decoded body is too large"};
}

Result<std::string> decode_gzip(std::string_view body, size_t size_max) {
  z_stream stream{};
  constexpr int kGzipOnly = 15 + 16;  // the largest window, and no zlib header
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) return {ErrorCode::NoMemory, "out of memory"};
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<const Bytef*>(body.data());
  stream.avail_in = static_cast<uInt>(body.size());
  std::string out;
  std::string piece(kPieceSize, '\0');
  int state = Z_OK;
  while (state != Z_STREAM_END) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    state = inflate(&stream, Z_NO_FLUSH);
    if (state != Z_OK && state != Z_STREAM_END) return {ErrorCode::Invalid, "the body is not gzip"};
    out.append(piece, 0, piece.size() - stream.avail_out);
    if (out.size() > size_max) return too_large();
  }
  if (stream.avail_in > 0) return {ErrorCode::Invalid, "the body has bytes behind its gzip end"};
  return out;
}

Result<std::string> decode_zstd(std::string_view body, size_t size_max) {
  const std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(),
                                                                        ZSTD_freeDStream);
  if (!stream) return {ErrorCode::NoMemory, "out of memory"};
  ZSTD_inBuffer in{body.data(), body.size(), 0};
  std::string out;
  std::string piece(kPieceSize, '\0');
  size_t left = 1;
  bool is_full = false;  // more may come out although nothing is left to go in
  while (in.pos < in.size || is_full) {
    ZSTD_outBuffer room{piece.data(), piece.size(), 0};
    left = ZSTD_decompressStream(stream.get(), &room, &in);
    if (ZSTD_isError(left)) return {ErrorCode::Invalid, "the body is not zstd"};
    out.append(piece, 0, room.pos);
    if (out.size() > size_max) return too_large();
    is_full = left > 0 && room.pos == room.size;
  }
  if (left != 0) return {ErrorCode::Invalid, "the body ends within its zstd frame"};
  return out;
}

}  // namespace

Result<std::string> decode_body(std::string_view coding, std::string_view body, size_t size_max) {
  if (coding.empty() || coding == "identity") {
    if (body.size() > size_max) return too_large();
    return std::string(body);
  }
  if (coding == "gzip") return decode_gzip(body, size_max);
  if (coding == "zstd") return decode_zstd(body, size_max);
  return {ErrorCode::Unsupported, "unknown content coding"};
}

}  // namespace posthaste::cli
