-- posthaste.webhook: a table that describes a webhook, to the library's own description and back. A table has the fields
-- of the REST API (name, target, events, custom_headers, settings, ...) and, beside them, configuration keys of webhook
-- scope ("batch.max_age") and headers ("header.X-Site"). What `find` gave can be changed and given back.
local core = require("posthaste.core")
local json = require("posthaste.json")
local text_of = require("posthaste.text")

local webhook = {}

local FIELDS = { name = true, target = true, events = true, auth_token = true, auth_type = true, auth_credentials = true,
                 auth_request_details = true, custom_headers = true, active = true, subaccount_id = true,
                 exception_subaccounts = true, settings = true }
-- What find and list add.
local SHOWN = { id = true, state = true, created = true, last_successful = true, last_failure = true }

-- Sets one key; `events` may be a text with commas, or "*".
local function set(handle, key, value)
  if type(key) ~= "string" then error("a webhook's keys are strings, not " .. type(key), 0) end
  local text = value
  if value == json.null then text = nil else text = text_of(key, value) end
  return core.webhook_set(handle, key, text)
end

-- Returns E_OK and the description that a table, or a text of JSON, makes; else a code that the error object explains.
-- Raises an error for what no description can hold.
function webhook.to_handle(description)
  local handle = core.webhook_new()
  if type(description) == "string" then return core.webhook_set_json(handle, description), handle end
  if type(description) ~= "table" then error("webhook must be a table, not " .. type(description), 0) end
  local fields = {}
  for key, value in next, description do
    if FIELDS[key] and not (key == "events" and type(value) == "string") then
      fields[key] = value
    elseif not SHOWN[key] then
      local code = set(handle, key, value)
      if code ~= core.constants.OK then return code end
    end
  end
  if next(fields) == nil then return core.constants.OK, handle end
  -- Lua has no empty array: these are no objects.
  for _, key in ipairs({ "events", "exception_subaccounts" }) do
    if type(fields[key]) == "table" and next(fields[key]) == nil then fields[key] = json.array() end
  end
  return core.webhook_set_json(handle, json.encode(fields, "webhook")), handle
end

-- Returns the table of a description, which is freed.
function webhook.from_handle(handle)
  local code, text = core.webhook_json(handle)
  core.webhook_free(handle)
  if code ~= core.constants.OK then return nil, core.strerror(code), code end
  return json.decode(text)
end

return webhook
