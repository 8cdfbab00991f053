// `posthaste serve`: its arguments.
#include "cli/command.h"
#include "cli/ingest.h"
#include "cli/listen_address.h"
#include "cli/serve.h"
#include "cli/tracking_links.h"

namespace posthaste::cli {
namespace {

std::string details() {
  return std::string(
             "Serves the REST API and the web page, takes events, and delivers them. Prints "
             "`listening on http://HOST:PORT` when it is ready. What waits is kept on disk: in "
             "--spool-dir, else in $STATE_DIRECTORY, else in ./posthaste-data. --memory keeps it "
             "in memory instead: then all of it is lost with the process, webhooks and keys too.\n"
             "\n"
             "Without --api-key-file and without keys it makes a first key, writes it to the file "
             "first-api-key in the spool directory (in memory mode: in the current one), which "
             "only its owner may read, and prints the file's name.\n"
             "\n"
             "SIGTERM ends it: requests are answered, what cannot be delivered at once stays in "
             "the spool. SIGHUP reads configuration, webhooks and keys again: live keys change at "
             "once, keys that left the key file are revoked.\n"
             "\n"
             "With a URL and keys for tracking links it answers what comes for them under /t/ and "
             "pushes their open, click and unsubscribe events; everybody may ask there. Who makes "
             "the links needs the same URL and keys: see docs/engagement.md. Let a proxy in front "
             "pass on that path and no other.\n"
             "\n"
             "The configuration file has lines of `key = value`, # before remarks: the keys of "
             "posthaste config; those of the listener, such as admin.tls.certificate; those of "
             "tracking links, such as engagement.proxies; and listen, api-key-file, webhooks, "
             "ingest, memory, engagement-key-file, like the flags. The key file has a line for "
             "each key: KEY [view|modify] [SUBACCOUNT].\n"
             "\n") +
         kIngestHelp;
}

core::Result<std::string> checked_listen(const std::string& text) {
  if (auto address = parse_listen_address(text); !address) return address.error();
  return text;
}

}  // namespace

void define_serve(CLI::App& app, Chosen& chosen) {
  CLI::App* command = add_command(
      app, "serve", "Run the library as a server, for software that cannot link it.", details());
  auto options = std::make_shared<ServeOptions>();
  command->add_option("--config", options->config_file, "A configuration file.")->type_name("FILE");
  command
      ->add_option_function<std::string>(
          "--listen", parsed_into(options->listen, "--listen", checked_listen),
          std::string("Where to listen; port 0 lets the system choose. Default: ") +
              kServeListenDefault + ".")
      ->type_name("HOST:PORT");
  command->add_option("--api-key-file", options->api_key_file, "A file of API keys.")
      ->type_name("FILE");
  auto* spool = command->add_option("--spool-dir", options->spool_dir, "Where the spool is.")
                    ->type_name("DIR");
  command
      ->add_option_function<std::vector<std::string>>(
          "--ingest", parsed_onto(options->ingest, "--ingest", parse_ingest),
          "Take events from stdin, on the unix socket unix:PATH, or by http, which is always on; "
          "may be given several times.")
      ->type_name("SOURCE")
      ->allow_extra_args(false);
  command
      ->add_option_function<std::vector<std::string>>(
          "--set", parsed_onto(options->settings, "--set", parse_setting),
          "Set a key as a line of the configuration file does; may be given several times.")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command
      ->add_option("--webhooks", options->webhooks_file,
                   "A webhooks.json of Momentum, whose webhooks are added, changed and removed to "
                   "fit it.")
      ->type_name("FILE");
  command
      ->add_option_function<std::string>(
          "--engagement-url", parsed_into(options->link_url, "--engagement-url", parse_link_url),
          "What tracking links begin with, as those see it who follow them; /t/ and the "
          "signed part follow. Answers requests for them.")
      ->type_name("URL");
  command
      ->add_option("--engagement-key-file", options->link_key_file,
                   "A file with the keys of tracking links, one a line: the first signs, all are "
                   "taken. Read again at SIGHUP.")
      ->type_name("FILE");
  command
      ->add_flag("--memory", options->is_memory,
                 "Keep all in memory only; what waits is lost with the process.")
      ->excludes(spool);
  on_chosen(command, chosen, [options] { return run_serve(*options); });
}

}  // namespace posthaste::cli
