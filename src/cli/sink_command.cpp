// `posthaste sink`: its arguments.
#include "cli/command.h"
#include "cli/sink.h"

namespace posthaste::cli {

void define_sink(CLI::App& app, Chosen& chosen) {
  CLI::App* command = add_command(
      app, "sink", "Receive webhooks' batches, print them, and misbehave on request.",
      std::string("Prints `listening on http://HOST:PORT` when it is ready, each request as it "
                  "comes, and a summary at SIGINT or SIGTERM. Bodies in gzip and zstd are "
                  "decoded. A batch that comes again after it was accepted counts as a "
                  "duplicate.\n\n") +
          kSinkRuleHelp);
  auto options = std::make_shared<SinkOptions>();
  options->listen = *parse_listen_address("127.0.0.1:8080");
  command
      ->add_option_function<std::string>(
          "--listen", parsed_into(options->listen, "--listen", parse_listen_address),
          "Where to listen; port 0 lets the system choose. Default: 127.0.0.1:8080.")
      ->type_name("HOST:PORT");
  command
      ->add_option_function<std::vector<std::string>>(
          "--fail", parsed_onto(options->rules, "--fail", parse_sink_rule),
          "Misbehave by this rule, see below; may be given several times.")
      ->type_name("RULE")
      ->allow_extra_args(false);
  command
      ->add_option_function<std::vector<std::string>>(
          "--secret", parsed_onto(options->keys, "--secret", parse_verifying_key),
          "Demand a Standard Webhooks signature by this secret (whsec_..., scheme v1) or public "
          "key (whpk_..., scheme v1a), else answer 401; with several, by one of them.")
      ->type_name("SECRET")
      ->allow_extra_args(false);
  command
      ->add_option_function<std::string>(
          "--token", parsed_into(options->token, "--token", parse_text),
          "Demand this token in X-MessageSystems-Webhook-Token, else answer 401.")
      ->type_name("TOKEN");
  command
      ->add_option_function<std::string>(
          "--token-header", parsed_into(options->token_header, "--token-header", parse_header_name),
          "Name of the header that carries the token instead.")
      ->type_name("NAME");
  command
      ->add_option_function<std::string>(
          "--events", parsed_into(options->events_shown, "--events", parse_number),
          "How many events of a batch to print. Default: 3.")
      ->type_name("NUMBER");
  auto* quiet = command->add_flag_callback(
      "--quiet", [options] { options->output = SinkOutput::Quiet; },
      "Print no requests, only the summary.");
  command
      ->add_flag_callback(
          "--json", [options] { options->output = SinkOutput::Json; },
          "Print a line of JSON for each request, and one for the summary.")
      ->excludes(quiet);
  on_chosen(command, chosen, [options] { return run_sink(*options); });
}

}  // namespace posthaste::cli
