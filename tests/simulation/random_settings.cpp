#include "simulation/random_settings.h"

#include <vector>

namespace posthaste::simulation {
namespace {

// "whsec_" and base64 of 24 bytes.
constexpr const char* kSigning = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";
constexpr const char* kSigningOfTwo =
    "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3 whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4";

struct Choices {
  const char* key;
  bool is_webhooks;
  bool is_live;
  std::vector<const char*> values;
};

// Beside the default, which is what most keys have in most runs.
const std::vector<Choices>& all_choices() {
  static const std::vector<Choices> choices = {
      {"batch.max_events", true, true, {"1", "2", "7", "100", "1000000"}},
      {"batch.max_age", true, true, {"1ms", "20ms", "1s", "10m", "24h"}},
      {"batch.max_bytes", true, true, {"2KiB", "20KiB", "300KiB", "1MiB"}},
      {"connect.timeout", true, true, {"1ms", "500ms", "60s"}},
      {"request.timeout", true, true, {"10ms", "1s", "50s"}},
      {"request.max_time", true, true, {"1s", "10m"}},
      {"request.max_in_flight", true, true, {"2", "5", "256"}},
      {"retry.base", true, true, {"1ms", "100ms", "10s", "5m"}},
      {"retry.max", true, true, {"50ms", "1s", "1h", "24h"}},
      {"retry.jitter", true, true, {"none", "equal"}},
      {"retry.max_age", true, true, {"1ms", "2s", "1m", "1h", "24h"}},
      {"retry.schedule", true, true, {"momentum", "1ms", "1s,5s,2m", "10m"}},
      {"webhook.activation_delay", true, true, {"0ms", "1ms", "5s", "1h"}},
      {"verify.accept", true, true, {"200", "2xx"}},
      {"http.gone", true, true, {"retry", "disable"}},
      {"disable.after", true, true, {"0s", "1s", "10m", "2h"}},
      {"rate.requests", true, true, {"0", "1", "20"}},
      {"rate.events", true, true, {"0", "50", "5000"}},
      {"compression", true, true, {"none", "gzip", "zstd", "zstd"}},
      {"signing.secrets", true, true, {"", kSigning, kSigningOfTwo}},
      {"webhook.max_waiting_bytes", true, true, {"8KiB", "100KiB", "1MiB", "4MiB"}},
      {"event.max_bytes", false, false, {"1KiB", "16KiB", "256KiB"}},
      {"intake.max_bytes", false, false, {"4MiB", "5MiB", "16MiB"}},
      {"waiting.max_bytes", false, true, {"64KiB", "500KiB", "4MiB", "16MiB"}},
      {"connections.max", false, false, {"2", "3", "7"}},
      {"verify.max_in_flight", false, true, {"1", "2"}},
      {"report.max_bytes", false, true, {"64KiB", "100KiB"}},
      {"log.reports", false, true, {"off", "warning", "debug"}},
      {"attempts.max_bytes", false, false, {"64KiB"}},
  };
  return choices;
}

}  // namespace

core::EngineSettings random_settings(Chance& chance, bool is_tight) {
  // Small intakes and quotas come in combinations that fit only when the event is small as well, so
  // drawing again until all fit would hardly ever give them.
  for (;;) {
    config::Conf conf;
    if (chance.one_in(2)) {
      (void)conf.set("event.max_bytes", chance.of({"1KiB", "16KiB", "256KiB"}));
      (void)conf.set("intake.max_bytes", "4MiB");
      (void)conf.set("batch.max_bytes", chance.of({"20KiB", "300KiB", "1MiB"}));
    }
    for (const Choices& choices : all_choices()) {
      if (!chance.one_in(4)) continue;
      const auto done = conf.set(choices.key, chance.of(choices.values));
      if (!done) continue;
      if (!conf.finalize()) (void)conf.set(choices.key, std::nullopt);
    }
    if (is_tight) {
      (void)conf.set("event.max_bytes", "16KiB");
      (void)conf.set("intake.max_bytes", "4MiB");
      (void)conf.set("batch.max_bytes", chance.of({"20KiB", "100KiB"}));
      (void)conf.set("webhook.max_waiting_bytes", "400KiB");
    }
    if (auto settings = conf.finalize()) return *settings;
  }
}

std::pair<std::string, std::string> random_live_change(Chance& chance) {
  if (chance.one_in(20)) return {"report.kinds", chance.of({"all", "dropped,state", "none"})};
  for (;;) {
    const Choices& choices = chance.of(all_choices());
    if (choices.is_live) return {choices.key, chance.of(choices.values)};
  }
}

void add_random_credentials(Chance& chance, core::WebhookSpec& spec) {
  const char* const secret = chance.of(kSecrets);
  switch (chance.below(6)) {
    case 0:
      spec.overrides["auth.type"] = "none";
      break;
    case 1:
      spec.auth_token = secret;
      break;
    case 2:
      spec.overrides["auth.type"] = "basic";
      spec.overrides["auth.user"] = "user";
      spec.overrides["auth.password"] = secret;
      break;
    case 3:
      spec.overrides["auth.type"] = "bearer";
      spec.overrides["auth.bearer"] = secret;
      break;
    default:
      spec.overrides["auth.type"] = "oauth2";
      spec.overrides["oauth2.url"] =
          chance.of({"http://tokens-0.example/", "http://tokens-1.example/"});
      spec.overrides["oauth2.client_id"] = "posthaste";
      spec.overrides["oauth2.client_secret"] = secret;
      spec.overrides["oauth2.body"] = chance.of({"form", "json"});
      break;
  }
}

void add_random_coding(Chance& chance, core::WebhookSpec& spec) {
  spec.overrides["compression"] = chance.of({"none", "gzip", "zstd"});
  spec.overrides["signing.secrets"] = chance.of({"", kSigning, kSigningOfTwo});
}

void add_random_overrides(Chance& chance, core::WebhookSpec& spec) {
  while (chance.one_in(3)) {
    const Choices& choices = chance.of(all_choices());
    if (!choices.is_webhooks) continue;
    if (chance.one_in(4)) {
      spec.overrides[choices.key] = std::nullopt;
    } else {
      spec.overrides[choices.key] = chance.of(choices.values);
    }
  }
}

}  // namespace posthaste::simulation
