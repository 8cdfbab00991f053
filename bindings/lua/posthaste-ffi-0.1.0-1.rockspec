-- For LuaJIT alone: nothing is compiled, and the library is looked for when the module is loaded.
--   luarocks --lua-version=5.1 make posthaste-ffi-0.1.0-1.rockspec
rockspec_format = "3.0"
package = "posthaste-ffi"
version = "0.1.0-1"
source = { url = "." }
description = {
  summary = "Mail event webhooks: batching, delivery and retries by libposthaste, through LuaJIT's ffi",
  license = "MIT",
}
-- LuaJIT counts as Lua 5.1.
dependencies = { "lua == 5.1" }
build = {
  type = "builtin",
  modules = {
    ["posthaste"] = "posthaste.lua",
    ["posthaste.core"] = "posthaste/core.lua",
    ["posthaste.core_ffi"] = "posthaste/core_ffi.lua",
    ["posthaste.declarations"] = "posthaste/declarations.lua",
    ["posthaste.event"] = "posthaste/event.lua",
    ["posthaste.json"] = "posthaste/json.lua",
    ["posthaste.result"] = "posthaste/result.lua",
    ["posthaste.text"] = "posthaste/text.lua",
    ["posthaste.webhook"] = "posthaste/webhook.lua",
  },
}
