#include "engine/log.h"

#include <string>
#include <utility>

namespace posthaste::engine {
namespace {

// The start of `text` that fits, without half a character at its end.
std::string_view fitting(std::string_view text) {
  if (text.size() <= Log::kLineSizeMax) return text;
  size_t size = Log::kLineSizeMax;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0u) == 0x80u) --size;
  return text.substr(0, size);
}

bool is_control(unsigned char byte) {
  return byte < 0x20 || byte == 0x7f;
}

// U+0080 to U+009F: terminals obey them like the old ones.
bool is_wide_control(std::string_view text, size_t i) {
  return text[i] == '\xc2' && i + 1 < text.size() &&
         static_cast<unsigned char>(text[i + 1]) >= 0x80 &&
         static_cast<unsigned char>(text[i + 1]) < 0xa0;
}

std::string one_line(std::string_view text) {
  text = fitting(text);
  std::string line(text);
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_control(static_cast<unsigned char>(text[i]))) {
      line[i] = ' ';
    } else if (is_wide_control(text, i)) {
      line.replace(i++, 2, "  ");
    }
  }
  return line;
}

}  // namespace

void Log::write(LogLevel level, std::string_view text, std::string_view webhook_id,
                std::string_view batch_id) {
  if (!is_on(level)) return;
  std::string line = one_line(text);
  if (sink_) sink_(static_cast<int32_t>(level), line.c_str(), user_data_);
  if (!is_reported(level)) return;
  Report report;
  report.kind = ReportKind::Log;
  report.webhook_id = webhook_id;
  report.batch_id = batch_id;
  report.message = std::move(line);
  report.level = static_cast<int32_t>(level);
  report.time_ms = core::unix_ms(clock_.wall_now());
  reports_.push(std::move(report));
}

}  // namespace posthaste::engine
