#include "api/time_zone.h"

#include <date/tz.h>

#include <exception>

#include "config/webhook_keys.h"

namespace posthaste::api {

std::optional<TimeZone> TimeZone::find(std::string_view name) {
  // Works on a machine without the database, too.
  if (name == "UTC") return TimeZone(nullptr);
  try {
    return TimeZone(date::locate_zone(std::string(name)));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::string TimeZone::format(core::WallTime time) const {
  if (zone_ == nullptr) return config::format_time(time);
  const date::sys_seconds seconds(
      std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()));
  return config::format_time(time + zone_->get_info(seconds).offset);
}

}  // namespace posthaste::api
