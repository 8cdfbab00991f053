// `posthaste version`: which library the command runs with, and what it was built for.
#include "posthaste/posthaste.h"

#include "cli/command.h"
#include "cli/console.h"

namespace posthaste::cli {

void define_version(CLI::App& app, Chosen& chosen) {
  CLI::App* command = add_command(app, "version", "Print the version of command and library.");
  auto is_json = std::make_shared<bool>(false);
  command->add_flag("--json", *is_json, "Print JSON.");
  on_chosen(command, chosen, [is_json] {
    const std::string library = posthaste_version();
    if (*is_json) {
      print_line("{\"command\": \"" POSTHASTE_VERSION "\", \"library\": \"" + library + "\"}");
    } else {
      print_line("posthaste " POSTHASTE_VERSION +
                 (library == POSTHASTE_VERSION ? "" : ", library " + library));
    }
    return Exit::Ok;
  });
}

}  // namespace posthaste::cli
