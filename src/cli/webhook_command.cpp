// `posthaste webhook`: its subcommands and their arguments.
#include "cli/server_flags.h"
#include "cli/webhook_tool.h"

namespace posthaste::cli {
namespace {

using Options = std::shared_ptr<WebhookOptions>;

void add_text(CLI::App* command, const char* flag, std::optional<std::string>& out,
              const char* text, const char* type = "TEXT") {
  command
      ->add_option_function<std::string>(
          flag, [&out](const std::string& value) { out = value; }, text)
      ->type_name(type);
}

void add_auth_flags(CLI::App* command, WebhookFields& fields) {
  command
      ->add_option_function<std::string>(
          "--auth", [&fields](const std::string& value) { fields.auth_type = value; },
          "What the Authorization header holds.")
      ->check(CLI::IsMember({"none", "basic", "bearer", "oauth2"}));
  add_text(command, "--auth-user", fields.auth_user, "User of --auth basic.");
  add_text(command, "--auth-password", fields.auth_password, "Password of --auth basic.",
           "SECRET_OR_@FILE");
  add_text(command, "--auth-bearer", fields.auth_bearer, "Token of --auth bearer.",
           "SECRET_OR_@FILE");
  add_text(command, "--oauth2-url", fields.oauth2_url, "Where --auth oauth2 gets its tokens.");
  add_text(command, "--oauth2-client-id", fields.oauth2_client_id, "Its client id.");
  add_text(command, "--oauth2-client-secret", fields.oauth2_client_secret, "Its client secret.",
           "SECRET_OR_@FILE");
  add_text(command, "--oauth2-scope", fields.oauth2_scope, "The scope to ask for.");
}

void add_fields(CLI::App* command, WebhookFields& fields) {
  add_text(command, "--name", fields.name, "A name for people.");
  add_text(command, "--target", fields.target, "The URL that batches are sent to.");
  add_text(command, "--events", fields.events, "Event types between commas; see posthaste events.",
           "TYPES");
  add_text(command, "--token", fields.token, "What X-MessageSystems-Webhook-Token holds.",
           "SECRET_OR_@FILE");
  add_auth_flags(command, fields);
  command
      ->add_option_function<std::vector<std::string>>(
          "--header", parsed_onto(fields.headers, "--header", parse_setting),
          "A header of every batch; may be given several times, and replaces all there are.")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command->add_flag("--no-headers", fields.clears_headers, "No headers of one's own.");
  command
      ->add_option_function<std::vector<std::string>>(
          "--set", parsed_onto(fields.settings, "--set", parse_setting),
          "A configuration key of the webhook, see posthaste config; may be given several times; "
          "an empty value restores the server's.")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  auto* active = command->add_flag_callback(
      "--active", [&fields] { fields.is_active = true; }, "It takes events.");
  command
      ->add_flag_callback(
          "--inactive", [&fields] { fields.is_active = false; }, "It takes and sends nothing.")
      ->excludes(active);
  add_text(command, "--exception-subaccounts", fields.exception_subaccounts,
           "Subaccounts whose events it does not get, between commas.", "NUMBERS");
}

struct Maker {
  CLI::App* group;
  Chosen& chosen;

  std::pair<CLI::App*, Options> add(const char* name, const char* summary,
                                    Exit (*run)(const WebhookOptions&), bool has_id = true) const {
    auto options = std::make_shared<WebhookOptions>();
    CLI::App* command = add_command(*group, name, summary);
    if (has_id) command->add_option("ID", options->id, "The webhook's id.")->required();
    add_server_flags(command, options->server);
    command
        ->add_option_function<std::string>(
            "--subaccount",
            parsed_into(options->server.subaccount, "--subaccount", parse_subaccount),
            "Act for this subaccount; 0 is the primary one.")
        ->type_name("NUMBER");
    on_chosen(command, chosen, [run, options] { return run(*options); });
    return {command, options};
  }
};

void define_views(const Maker& maker) {
  const auto add_zone = [](CLI::App* command, const Options& options) {
    command->add_option("--timezone", options->time_zone, "Of the times, such as Europe/Berlin.")
        ->type_name("ZONE");
  };
  const auto [list, list_options] = maker.add("list", "List webhooks.", webhook_list, false);
  add_zone(list, list_options);
  const auto [show, show_options] = maker.add("show", "Show a webhook.", webhook_show);
  add_zone(show, show_options);
  const auto [batches, batch_options] = maker.add(
      "batches", "List the batches of the last 24 hours that had failures.", webhook_batches);
  batches->add_flag("--all", batch_options->is_all, "Those without failures, too.");
  batches
      ->add_option_function<std::string>("--limit",
                                         parsed_into(batch_options->limit, "--limit", parse_number),
                                         "How many at most. Default: 1000.")
      ->type_name("NUMBER");
}

}  // namespace

void define_webhook(CLI::App& app, Chosen& chosen) {
  CLI::App* group = add_command(
      app, "webhook", "List, make, change and test the webhooks of a running server.",
      std::string("When the receiver fails a test request, the phase in which it failed (dns, "
                  "connect, tls, timeout or http), what was sent and what came back is printed, "
                  "headers and body. A secret that begins with @ is the first line of "
                  "that file, since other users of the machine can see arguments.\n\n") +
          kServerHelp);
  const Maker maker{group, chosen};
  define_views(maker);
  const auto [create, create_options] = maker.add(
      "create", "Make a webhook, after a test request, and print its id.", webhook_create, false);
  add_fields(create, create_options->fields);
  for (const char* needed : {"--name", "--target", "--events"})
    create->get_option(needed)->required();
  const auto [update, update_options] = maker.add("update", "Change a webhook.", webhook_update);
  add_fields(update, update_options->fields);
  const auto [remove, remove_options] = maker.add(
      "delete", "Delete a webhook; what is queued for it still goes out.", webhook_delete);
  remove->add_flag("--drop", remove_options->drops, "Drop what is queued for it.");
  const auto [test, test_options] =
      maker.add("test", "Send a test request and print the answer.", webhook_test);
  test->add_option("--message", test_options->message_file, "Send this JSON instead.")
      ->type_name("FILE");
  maker.add("pause", "Hold batches back; events are still taken.", webhook_pause);
  maker.add("resume", "End a pause, or a disabling.", webhook_resume);
  maker.add("retry", "Try at once what waits for its next attempt.", webhook_retry);
}

}  // namespace posthaste::cli
