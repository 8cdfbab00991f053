// `posthaste spool`: its subcommands and their arguments.
#include <chrono>

#include "cli/server_flags.h"
#include "cli/spool_tool.h"

namespace posthaste::cli {
namespace {

constexpr char kDetails[] =
    "These work on a spool directory whose server is stopped; while one runs they name its process "
    "and end with status 5: that server itself tells what waits (GET /api/v1/stats) and what died "
    "(/api/v1/dead-letters, and its web page). Nothing is sent, and nothing expires meanwhile: the "
    "engine is opened with the "
    "key `delivery` at off. Run them as the user that the spool belongs to.";

using Options = std::shared_ptr<SpoolOptions>;

core::Result<int64_t> parse_time_before_now(const std::string& text) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return parse_time(text, std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

void add_filters(CLI::App* command, const Options& options) {
  command
      ->add_option_function<std::string>("--webhook",
                                         parsed_into(options->webhook_id, "--webhook", parse_text),
                                         "Only of this webhook.")
      ->type_name("ID");
  command
      ->add_option_function<std::string>(
          "--from", parsed_into(options->from_ms, "--from", parse_time_before_now),
          "Only those of then or later: 2026-01-31, 2026-01-31T12:00:00Z, or 2h for two hours ago.")
      ->type_name("TIME");
  command
      ->add_option_function<std::string>(
          "--before", parsed_into(options->before_ms, "--before", parse_time_before_now),
          "Only those of earlier.")
      ->type_name("TIME");
  command
      ->add_option_function<std::string>(
          "--status", parsed_into(options->status, "--status", parse_number),
          "Only dead letters whose last attempt was answered with this HTTP status; 0: with none.")
      ->type_name("NUMBER");
}

void add_timeout(CLI::App* command, const Options& options) {
  command
      ->add_option_function<std::string>(
          "--timeout", parsed_into(options->timeout_ms, "--timeout", parse_timeout),
          "How long to wait for the disk. Default: 1m.")
      ->type_name("TIME");
}

CLI::App* add(CLI::App* parent, Chosen& chosen, const char* name, const char* summary,
              Exit (*run)(const SpoolOptions&), const Options& options) {
  CLI::App* command = add_command(*parent, name, summary);
  command->add_option("--spool-dir", options->directory, "The spool directory.")
      ->required()
      ->type_name("DIR");
  command
      ->add_option_function<std::vector<std::string>>(
          "--set", parsed_onto(options->settings, "--set", parse_setting),
          "Set a configuration key of the engine, such as spool.on_damage=quarantine.")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_flag("--json", options->is_json, "Print JSON.");
  on_chosen(command, chosen, [run, options] { return run(*options); });
  return command;
}

void add_batches(CLI::App* command, const Options& options, const char* text) {
  // An empty one would be no filter at all.
  command->add_option_function<std::vector<std::string>>(
      "BATCH", parsed_onto(options->batch_ids, "BATCH", parse_text), text);
}

void define_lists(CLI::App* group, Chosen& chosen) {
  add(group, chosen, "stats", "Show how full the spool is and what waits in it.", spool_stats,
      std::make_shared<SpoolOptions>());

  auto list_options = std::make_shared<SpoolOptions>();
  CLI::App* list = add(group, chosen, "list", "List waiting batches and dead letters.", spool_list,
                       list_options);
  add_filters(list, list_options);
  auto* waiting = list->add_flag_callback(
      "--waiting", [=] { list_options->kind = SpoolOptions::Kind::Waiting; },
      "Only waiting batches.");
  list->add_flag_callback(
          "--dead", [=] { list_options->kind = SpoolOptions::Kind::Dead; }, "Only dead letters.")
      ->excludes(waiting);
  list->add_option_function<std::string>("--limit",
                                         parsed_into(list_options->limit, "--limit", parse_number),
                                         "How many of each to list. Default: 1000.")
      ->type_name("NUMBER");

  auto show_options = std::make_shared<SpoolOptions>();
  CLI::App* show =
      add(group, chosen, "show", "Show a batch and its first records.", spool_show, show_options);
  add_batches(show, show_options, "The batch's id.");
  show->get_option("BATCH")->required()->expected(1);
  show->add_option_function<std::string>(
          "--events", parsed_into(show_options->events_shown, "--events", parse_number),
          "How many records to show. Default: 10.")
      ->type_name("NUMBER");
}

void define_changes(CLI::App* group, Chosen& chosen) {
  const auto add_change = [&](const char* name, const char* summary,
                              Exit (*run)(const SpoolOptions&)) {
    auto options = std::make_shared<SpoolOptions>();
    CLI::App* command = add(group, chosen, name, summary, run, options);
    add_batches(command, options, "Ids of dead letters.");
    add_filters(command, options);
    add_timeout(command, options);
    command->add_flag("--all", options->is_all, "All of them.");
  };
  add_change("replay", "Make dead letters batches again, which go out once the server runs.",
             spool_replay);
  add_change("drop", "Delete dead letters for good.", spool_drop);

  auto purge_options = std::make_shared<SpoolOptions>();
  CLI::App* purge =
      add(group, chosen, "purge", "Give up all that waits for a webhook; its dead letters stay.",
          spool_purge, purge_options);
  purge->add_option("WEBHOOK", purge_options->webhook_id, "The webhook's id.")->required();
  add_timeout(purge, purge_options);
}

}  // namespace

void define_spool(CLI::App& app, Chosen& chosen) {
  CLI::App* group =
      add_command(app, "spool", "Look at a spool and mend it, with its server stopped.", kDetails);
  define_lists(group, chosen);
  define_changes(group, chosen);

  auto check_options = std::make_shared<SpoolOptions>();
  add_timeout(add(group, chosen, "check", "Check that the spool is sound; status 1 when it is not.",
                  spool_check, check_options),
              check_options);

  auto export_options = std::make_shared<SpoolOptions>();
  CLI::App* command = add(group, chosen, "export",
                          "Write the events of batches as lines of JSON, which push takes back.",
                          spool_export, export_options);
  add_batches(command, export_options, "Ids of waiting batches or dead letters.");
  command->get_option("BATCH")->required();
  command
      ->add_option("--output", export_options->output,
                   "A file to make, instead of standard output.")
      ->type_name("FILE");
}

}  // namespace posthaste::cli
