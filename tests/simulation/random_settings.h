// Configurations drawn at random, extremes included, through the real keys and texts.
#pragma once

#include <string>
#include <utility>

#include "config/conf.h"
#include "core/webhook.h"
#include "simulation/chance.h"

namespace posthaste::simulation {

// What webhooks authenticate themselves with.
inline constexpr const char* kSecrets[] = {"alpha", "beta"};

// Values that fit one another. is_tight: an intake and a quota that traffic fills at once.
core::EngineSettings random_settings(Chance& chance, bool is_tight);
// A key that may change while the engine runs, and a value that it may refuse.
std::pair<std::string, std::string> random_live_change(Chance& chance);
// Sets how requests authenticate themselves, all that belongs together.
void add_random_credentials(Chance& chance, core::WebhookSpec& spec);
// Sets how bodies are compressed and signed.
void add_random_coding(Chance& chance, core::WebhookSpec& spec);
// Some keys of webhook scope for one webhook.
void add_random_overrides(Chance& chance, core::WebhookSpec& spec);

}  // namespace posthaste::simulation
