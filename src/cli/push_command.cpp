// `posthaste push`: its arguments.
#include "cli/push.h"
#include "cli/server_flags.h"

namespace posthaste::cli {

void define_push(CLI::App& app, Chosen& chosen) {
  CLI::App* command = add_command(
      app, "push", "Send events, one line of JSON each, to a running server.",
      std::string("Ends when the server has all of them on disk. While the server is full, gone or "
                  "starting again it waits and goes on behind what was acknowledged; what was sent "
                  "and not acknowledged is sent again. Refused lines are named on standard error, "
                  "and make the status 1.\n\n") +
          kServerHelp);
  auto options = std::make_shared<PushOptions>();
  command->add_option("FILE", options->file, "Lines of JSON. Default: standard input.");
  add_server_flags(command, options->server);
  command
      ->add_option("--socket", options->socket,
                   "The unix socket of serve --ingest unix:PATH, instead of the URL.")
      ->type_name("FILE")
      ->excludes("--url");
  command
      ->add_option_function<std::string>("--skip",
                                         parsed_into(options->skip, "--skip", parse_number),
                                         "Leave out so many lines, which are done already.")
      ->type_name("NUMBER");
  command
      ->add_option_function<std::string>(
          "--retry-for", parsed_into(options->retry_for_ms, "--retry-for", parse_timeout),
          "How long to try without progress before it gives up. Default: 1m.")
      ->type_name("TIME");
  on_chosen(command, chosen, [options] { return run_push(*options); });
}

}  // namespace posthaste::cli
