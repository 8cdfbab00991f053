-- The C module, for Lua 5.1 to 5.4, and the files for LuaJIT's ffi, which are taken there instead.
--   luarocks make posthaste-0.1.0-1.rockspec      (POSTHASTE_DIR=/prefix where the library is elsewhere)
rockspec_format = "3.0"
package = "posthaste"
version = "0.1.0-1"
source = { url = "." }
description = {
  summary = "Mail event webhooks: batching, delivery and retries by libposthaste",
  license = "MIT",
}
dependencies = { "lua >= 5.1, < 5.5" }
external_dependencies = { POSTHASTE = { header = "posthaste/posthaste.h", library = "posthaste" } }
build = {
  type = "builtin",
  modules = {
    ["posthaste"] = "posthaste.lua",
    ["posthaste.core"] = "posthaste/core.lua",
    ["posthaste.core_c"] = {
      sources = { "src/posthaste_core.c" },
      libraries = { "posthaste" },
      incdirs = { "$(POSTHASTE_INCDIR)" },
      libdirs = { "$(POSTHASTE_LIBDIR)" },
    },
    ["posthaste.core_ffi"] = "posthaste/core_ffi.lua",
    ["posthaste.declarations"] = "posthaste/declarations.lua",
    ["posthaste.event"] = "posthaste/event.lua",
    ["posthaste.json"] = "posthaste/json.lua",
    ["posthaste.result"] = "posthaste/result.lua",
    ["posthaste.text"] = "posthaste/text.lua",
    ["posthaste.webhook"] = "posthaste/webhook.lua",
  },
}
