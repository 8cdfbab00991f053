// The exit statuses of the command, in one place: the code returns them, and help, manual pages and
// docs/command.md print this table.
#pragma once

#include <array>

namespace posthaste::cli {

enum class Exit : int {
  Ok = 0,
  Failed = 1,
  Usage = 2,
  Unreachable = 3,
  Denied = 4,
  Busy = 5,
};

struct ExitMeaning {
  Exit status;
  const char* meaning;
};

inline constexpr std::array<ExitMeaning, 6> kExitMeanings = {{
    {Exit::Ok, "Done."},
    {Exit::Failed,
     "The operation failed: something was refused, not found, damaged, or could not be written."},
    {Exit::Usage, "Bad usage or bad input: an argument, a configuration key, a file."},
    {Exit::Unreachable, "The server could not be reached or did not answer in time."},
    {Exit::Denied, "The server wants an API key, or refuses this one."},
    {Exit::Busy, "The spool directory is in use by another process."},
}};

}  // namespace posthaste::cli
