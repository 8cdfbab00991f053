// `posthaste key`: its subcommands and their arguments.
#include "cli/key_tool.h"
#include "cli/server_flags.h"

namespace posthaste::cli {
namespace {

CLI::App* add(CLI::App* group, Chosen& chosen, const char* name, const char* summary,
              Exit (*run)(const KeyOptions&), const std::shared_ptr<KeyOptions>& options) {
  CLI::App* command = add_command(*group, name, summary);
  add_server_flags(command, options->server);
  command
      ->add_option("--spool-dir", options->spool_dir,
                   "A spool whose server is stopped, instead of a running server.")
      ->type_name("DIR")
      ->excludes("--url");
  on_chosen(command, chosen, [run, options] { return run(*options); });
  return command;
}

core::Result<int64_t> parse_number_of_subaccount(const std::string& text) {
  const auto checked = parse_subaccount(text);
  if (!checked) return checked.error();
  return static_cast<int64_t>(*config::parse_count(text));
}

}  // namespace

void define_key(CLI::App& app, Chosen& chosen) {
  CLI::App* group =
      add_command(app, "key", "Make, list and revoke API keys.",
                  std::string("Of a running server, or of a spool directory whose server is "
                              "stopped. A key is shown when it is made and never again: only its "
                              "hash is kept.\n\n") +
                      kServerHelp);
  auto create_options = std::make_shared<KeyOptions>();
  CLI::App* create =
      add(group, chosen, "create", "Make a key and print it.", key_create, create_options);
  create->add_option("NAME", create_options->name, "A name for people.")->required();
  create->add_option("--grant", create_options->grant, "What it may do. Default: modify.")
      ->check(CLI::IsMember({"view", "modify"}));
  create
      ->add_option_function<std::string>(
          "--subaccount",
          parsed_into(create_options->subaccount, "--subaccount", parse_number_of_subaccount),
          "The only subaccount it may act for.")
      ->type_name("NUMBER");
  add(group, chosen, "list", "List keys, without what is secret.", key_list,
      std::make_shared<KeyOptions>());
  auto revoke_options = std::make_shared<KeyOptions>();
  CLI::App* revoke = add(group, chosen, "revoke", "Revoke a key.", key_revoke, revoke_options);
  revoke->add_option("ID", revoke_options->id, "The key's id.")->required();
}

}  // namespace posthaste::cli
