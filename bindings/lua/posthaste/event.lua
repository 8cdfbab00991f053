-- posthaste.event: the builder of one event's payload. It writes each documented field in its wire type (msg_size = 512
-- becomes "512"), escapes everything and repairs UTF-8. engine:push makes and forgets one for each table; a host that
-- pushes one message for many recipients keeps one, with `mark` and `rewind`.
--
-- The first error sticks: nothing is pushed until `reset`, or `rewind` to a mark before it.
local core = require("posthaste.core")
local json = require("posthaste.json")
local result = require("posthaste.result")

local constants = core.constants
local OK = constants.OK

local Event = {}
Event.__index = Event
Event.__name = "posthaste.event"

local add

local function add_items(handle, value)
  for i = 1, #value do
    local code = add(handle, nil, value[i])
    if code ~= OK then return code end
  end
  return OK
end

local function add_members(handle, value, skipped)
  for key, member in next, value do
    local code = key == skipped and OK or add(handle, key, member)
    if code ~= OK then return code end
  end
  return OK
end

local function add_table(handle, key, value)
  local is_array = json.is_array(value, key or "an array")
  -- A table that holds itself ends here, at the depth that the library takes.
  local code = (is_array and core.event_begin_array or core.event_begin_object)(handle, key)
  if code ~= OK then return code end
  code = (is_array and add_items or add_members)(handle, value)
  if code ~= OK then return code end
  return core.event_end(handle)
end

-- Adds a member of the open object (key) or an element of the open array (key nil).
function add(handle, key, value)
  local kind = type(value)
  if kind == "string" then return core.event_set_text(handle, key, value) end
  if kind == "number" then
    return (json.is_whole(value) and core.event_set_int or core.event_set_double)(handle, key, value)
  end
  if kind == "boolean" then return core.event_set_bool(handle, key, value and 1 or 0) end
  if value == json.null then return core.event_set_json(handle, key, "null") end
  if kind == "table" then return add_table(handle, key, value) end
  error((key or "an element") .. " cannot be a " .. kind, 0)
end

-- Returns an event of that type; without one it needs a field `type`. E_INVALID for a type that is no string.
function Event.new(event_type)
  return result.guard(function()
    local handle = core.event_new(event_type or "")
    if not handle then return result.failure(constants.E_NO_MEMORY) end
    return setmetatable({ _handle = handle }, Event)
  end)
end

-- What went wrong here, not in the library, sticks there too, so that no event goes out without a field of its own.
local function settle(self, key, is_called, code)
  if is_called and code == OK then return true end
  if not is_called then
    self._fault = tostring(code)
    core.event_set_json(self._handle, type(key) == "string" and not key:find("\0", 1, true) and key or nil, nil)
    return result.failure(constants.E_INVALID, self._fault)
  end
  return self:check()
end

-- Sets one field, or all of a table's.
function Event:set(key, value)
  if type(key) == "table" and value == nil then return settle(self, nil, pcall(add_members, self._handle, key)) end
  if type(key) ~= "string" then
    return settle(self, nil, false, "the name of a field must be a string, not " .. type(key))
  end
  return settle(self, key, pcall(add, self._handle, key, value))
end

-- Begins again with that type, and sets all fields of the table but `type`.
function Event:build(event_type, fields)
  self._fault = nil
  core.event_reset(self._handle, event_type)
  return settle(self, nil, pcall(add_members, self._handle, fields, "type"))
end

-- Sets a field to a text of JSON, which is checked.
function Event:set_json(key, text)
  return settle(self, key, pcall(core.event_set_json, self._handle, key, text))
end

-- Empties it for another event; without a type it keeps the last one.
function Event:reset(event_type)
  self._fault = nil
  return result.call_plain(core.event_reset, self._handle, event_type)
end

-- Remembers what was set so far, to go back to.
function Event:mark()
  return result.call_plain(core.event_mark, self._handle)
end

-- Goes back to the mark, as often as wanted; errors made since are forgotten.
function Event:rewind()
  local code = core.event_rewind(self._handle)
  if code ~= OK then return self:check() end
  self._fault = nil
  return true
end

-- Returns true, or explains the first error.
function Event:check()
  local code = core.event_check(self._handle)
  if code == OK then return true end
  if self._fault and code == constants.E_INVALID then return result.failure(code, self._fault) end
  return result.explained_failure(code)
end

return Event
