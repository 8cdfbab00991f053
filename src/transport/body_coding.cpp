#include "transport/body_coding.h"

#include <zlib.h>
#include <zstd.h>

#include <array>
#include <new>

namespace posthaste::transport {
namespace {

constexpr int kLevel = 1;
// 15 bits of window, and 16 more ask zlib for the gzip format (zlib.h, deflateInit2).
constexpr int kGzipWindowBits = 15 + 16;
constexpr int kGzipMemoryLevel = 8;
constexpr size_t kPieceSize = size_t{32} << 10;

class GzipCompressor final : public Compressor {
 public:
  GzipCompressor() = default;
  ~GzipCompressor() override { deflateEnd(&stream_); }
  GzipCompressor(const GzipCompressor&) = delete;
  GzipCompressor& operator=(const GzipCompressor&) = delete;

  bool start() {
    return deflateInit2(&stream_, kLevel, Z_DEFLATED, kGzipWindowBits, kGzipMemoryLevel,
                        Z_DEFAULT_STRATEGY) == Z_OK;
  }
  bool add(std::string_view part, std::string& out) override {
    return run(part, Z_NO_FLUSH, out) != Z_STREAM_ERROR;
  }
  bool finish(std::string& out) override { return run({}, Z_FINISH, out) == Z_STREAM_END; }

 private:
  // Parts are at most the encoder's pieces, so their size fits zlib's unsigned int.
  int run(std::string_view part, int flush, std::string& out) {
    // zlib's input is const in all but its type.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
    stream_.avail_in = static_cast<uInt>(part.size());
    int result = Z_OK;
    do {
      stream_.next_out = piece_.data();
      stream_.avail_out = static_cast<uInt>(piece_.size());
      result = deflate(&stream_, flush);
      if (result == Z_STREAM_ERROR) return result;
      out.append(reinterpret_cast<const char*>(piece_.data()), piece_.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
    return result;
  }

  z_stream stream_{};
  std::array<Bytef, kPieceSize> piece_;
};

class ZstdCompressor final : public Compressor {
 public:
  ZstdCompressor() : context_(ZSTD_createCCtx()) {}
  ~ZstdCompressor() override { ZSTD_freeCCtx(context_); }
  ZstdCompressor(const ZstdCompressor&) = delete;
  ZstdCompressor& operator=(const ZstdCompressor&) = delete;

  bool start(uint64_t size_bytes) {
    return context_ &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, kLevel)) &&
           !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context_, size_bytes));
  }
  bool add(std::string_view part, std::string& out) override {
    return run(part, ZSTD_e_continue, out);
  }
  bool finish(std::string& out) override { return run({}, ZSTD_e_end, out); }

 private:
  bool run(std::string_view part, ZSTD_EndDirective directive, std::string& out) {
    ZSTD_inBuffer input{part.data(), part.size(), 0};
    for (;;) {
      ZSTD_outBuffer output{piece_.data(), piece_.size(), 0};
      const size_t left = ZSTD_compressStream2(context_, &output, &input, directive);
      if (ZSTD_isError(left)) return false;
      out.append(piece_.data(), output.pos);
      if (directive == ZSTD_e_end ? left == 0 : input.pos == input.size) return true;
    }
  }

  ZSTD_CCtx* const context_;
  std::array<char, kPieceSize> piece_;
};

template <typename Codec, typename... Arguments>
std::unique_ptr<Compressor> started(Arguments... arguments) {
  std::unique_ptr<Codec> codec(new (std::nothrow) Codec);
  if (!codec || !codec->start(arguments...)) return nullptr;
  return codec;
}

}  // namespace

const char* content_coding_name(core::Compression compression) {
  switch (compression) {
    case core::Compression::Gzip:
      return "gzip";
    case core::Compression::Zstd:
      return "zstd";
    case core::Compression::None:
      break;
  }
  return "";
}

std::unique_ptr<Compressor> Compressor::make(core::Compression compression, uint64_t size_bytes) {
  return compression == core::Compression::Zstd ? started<ZstdCompressor>(size_bytes)
                                                : started<GzipCompressor>();
}

}  // namespace posthaste::transport
