// Tells systemd how a service is: sd_notify's protocol, a datagram to $NOTIFY_SOCKET. By hand,
// since libsystemd would be one more library for twenty lines. Source: sd_notify(3).
#pragma once

#include <string>

namespace posthaste::cli {

// Nothing happens when the process is no such service.
void notify_service(const std::string& state);
// RELOADING=1 with the time that goes with it.
void notify_reloading();

}  // namespace posthaste::cli
