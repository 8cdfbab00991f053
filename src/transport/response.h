// What is kept of one answer, and when it is enough. Fed by Transfer with the lines and bytes that
// libcurl delivers; knows HTTP's heads, not libcurl.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "transport/transport.h"

namespace posthaste::transport {

// All heads of one answer together, interim ones (1xx) included.
inline constexpr size_t kResponseHeadBytesMax = 64u << 10;
// From here on the status decides and the rest is not read.
inline constexpr size_t kResponseBodyBytesMax = 64u << 10;

// Purpose: collects the final answer of one request. Owns copies. Threads: one at a time.
// Invariants: headers are those of the last head only; body bytes kept never exceed
// their limit.
class Response {
 public:
  enum class Verdict { More, Enough };

  // Forgets everything, for the next request.
  void reset(bool keep_response, size_t kept_body_bytes_max = 4u << 10);
  // One line with its line end, as received. Enough: the heads are over their limit.
  Verdict take_head_line(std::string_view line);
  // Enough: the body has reached its limit.
  Verdict take_body(std::string_view bytes);

  // Of the last head; 0 before the first. Below 200 is an interim answer.
  int32_t status() const { return status_; }
  bool has_final_status() const { return status_ >= 200; }
  // The line after the last head was seen.
  bool is_head_complete() const { return head_ended_; }
  bool is_head_over_limit() const { return head_bytes_ > kResponseHeadBytesMax; }
  bool is_body_at_limit() const { return body_bytes_ >= kResponseBodyBytesMax; }
  // By the announced length. An answer whose end only libcurl can see (chunked, until close) is
  // never known to be.
  bool is_known_complete() const;
  // Moves what was kept into the completion; status and the rest of it stay as they are.
  void move_kept_to(Completion& completion);

 private:
  void begin_head(std::string_view line);
  void take_field(std::string_view line);
  void take_continuation(std::string_view text);

  bool keep_response_ = false;
  size_t kept_body_bytes_max_ = 0;
  bool head_ended_ = false;
  int32_t status_ = 0;
  size_t head_bytes_ = 0;
  uint64_t body_bytes_ = 0;
  bool is_chunked_ = false;
  std::optional<uint64_t> announced_bytes_;
  std::string retry_after_;
  std::string location_;
  std::vector<HeaderField> headers_;
  std::string body_;
};

}  // namespace posthaste::transport
