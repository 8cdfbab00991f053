// Content codings of request bodies (RFC 9110, section 8.4): gzip by zlib, zstd by libzstd. The
// engine's encoder codes batches with them, off the delivery thread. Nothing here knows of
// requests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/settings.h"

namespace posthaste::transport {

// As Content-Encoding names it; empty for none.
const char* content_coding_name(core::Compression compression);

// Purpose: codes one body that comes in parts. Ownership: owns the codec's memory, up to 2 MiB.
// Threads: one. Invariants: what was appended to `out` over all calls, finish included, is one
// whole gzip member or zstd frame; nothing more may be asked after a false.
class Compressor {
 public:
  // size_bytes: of the whole body. Both codecs run at their first level: mail events shrink to a
  // tenth with it, and higher ones cost several times the processor for little more. Null when
  // there is no memory.
  static std::unique_ptr<Compressor> make(core::Compression compression, uint64_t size_bytes);

  virtual ~Compressor() = default;
  // False: the codec failed.
  virtual bool add(std::string_view part, std::string& out) = 0;
  virtual bool finish(std::string& out) = 0;
};

}  // namespace posthaste::transport
