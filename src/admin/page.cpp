#include "admin/page.h"

#include <algorithm>
#include <iterator>

namespace posthaste::admin {
namespace {

#include "page_files.inc"

// Nothing from elsewhere, nothing inline, no frame around it; what a receiver or an event says can
// then do nothing but be read.
constexpr char kPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

}  // namespace

const PageFile* find_page_file(std::string_view path) {
  if (path == "/") path = "/index.html";
  const auto* const found = std::find_if(std::begin(kPageFiles), std::end(kPageFiles),
                                         [&](const PageFile& file) { return file.path == path; });
  return found == std::end(kPageFiles) ? nullptr : found;
}

PageAnswer page_answer(const PageFile& file, const Exchange& exchange) {
  PageAnswer answer;
  answer.headers = {{"Content-Type", std::string(file.content_type)},
                    {"Content-Security-Policy", kPolicy},
                    {"Referrer-Policy", "no-referrer"},
                    {"Cross-Origin-Opener-Policy", "same-origin"},
                    {"Cross-Origin-Resource-Policy", "same-origin"},
                    {"Permissions-Policy", "camera=(), microphone=(), geolocation=()"},
                    {"X-Frame-Options", "DENY"},
                    {"Cache-Control", "no-cache"},
                    {"Vary", "Accept-Encoding"},
                    {"ETag", std::string(file.etag)}};
  const std::string* const known = exchange.header("If-None-Match");
  if (known && *known == file.etag) {
    answer.status = 304;
    return answer;
  }
  answer.data = file.data;
  answer.size = file.size;
  if (exchange.accepts_gzip) {
    answer.headers.emplace_back("Content-Encoding", "gzip");
    answer.data = file.packed;
    answer.size = file.packed_size;
  }
  return answer;
}

}  // namespace posthaste::admin
