// Named places between durable steps, where the torture tests kill the process to show that what is
// on disk then is enough to go on from. In the library a crash point is no code at all.
#pragma once

namespace posthaste::core {

#ifdef POSTHASTE_DELIBERATE_BREAKS
// Defined and set by the program that tortures; called on whatever thread comes by.
extern void (*crash_point_hook)(const char* name);
inline void crash_point(const char* name) {
  if (crash_point_hook) crash_point_hook(name);
}
#else
constexpr void crash_point(const char*) {}
#endif

}  // namespace posthaste::core
