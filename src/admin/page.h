// The web page: files of src/admin/page, embedded at build time, and how they are served.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "admin/exchange.h"

namespace posthaste::admin {

struct PageFile {
  std::string_view path;  // as in the request line
  std::string_view content_type;
  std::string_view etag;  // in quotes
  const unsigned char* data;
  size_t size;
  const unsigned char* packed;  // gzip
  size_t packed_size;
};

// Null when the page has no such file.
const PageFile* find_page_file(std::string_view path);

// The file, or 304 when the client has it. The body of a file is not copied: it is static.
struct PageAnswer {
  int status = 200;
  Headers headers;
  const unsigned char* data = nullptr;
  size_t size = 0;
};
PageAnswer page_answer(const PageFile& file, const Exchange& exchange);

}  // namespace posthaste::admin
