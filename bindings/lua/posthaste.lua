-- posthaste: mail event webhooks for Lua programs, upon libposthaste. docs/lua.md is the manual.
--
-- Every function returns its result, or true when it has none; on failure `nil, message, code`. Time-outs are in
-- milliseconds, 10,000 when not given; only functions with one may block.
--
-- Threads: an engine belongs to the Lua state that made it; the library's own threads never call Lua. Ownership: what is
-- not freed is freed by the garbage collector. Fork: in a child an inherited engine answers E_FORKED.
local core = require("posthaste.core")
local Event = require("posthaste.event")
local json = require("posthaste.json")
local result = require("posthaste.result")
local text_of = require("posthaste.text")
local webhook = require("posthaste.webhook")

local constants = core.constants
local OK = constants.OK
local TIMEOUT_MS = 10000
local call, call_plain, guard = result.call, result.call_plain, result.guard

-- E_BAD_JSON, REPORT_DELIVERED and the like.
local posthaste = {}
for name, value in pairs(constants) do posthaste[name] = value end

posthaste.VERSION = core.version()
-- "ffi" or "c".
posthaste.CORE = core.kind
-- In a table, JSON's null; and what makes an empty table an array.
posthaste.null = json.null
posthaste.array = json.array

local Engine = {}
Engine.__index = Engine
Engine.__name = "posthaste.engine"

-- Text of JSON as a table; failures pass through.
local function decoded(text, ...)
  if type(text) ~= "string" then return text, ... end
  return guard(json.decode, text)
end

-- ---- Module

-- Returns the constant's name, such as "POSTHASTE_E_BAD_JSON".
function posthaste.error_name(code)
  return guard(core.error_name, code)
end

-- Returns one line that explains the code.
function posthaste.strerror(code)
  return guard(core.strerror, code)
end

-- Describes a configuration key, or all of them in an array.
function posthaste.describe(key)
  return decoded(call(core.conf_describe, key))
end

-- Makes a builder for an event of that type; see event.lua.
posthaste.event = Event.new

local function new_engine(settings)
  if settings ~= nil and type(settings) ~= "table" then error("conf must be a table, not " .. type(settings), 0) end
  local conf = core.conf_new()
  for key, value in next, settings or {} do
    if type(key) ~= "string" then error("configuration keys are strings, not " .. type(key), 0) end
    local code = core.conf_set(conf, key, text_of(key, value))
    if code ~= OK then return result.explained_failure(code) end
  end
  local code, handle = core.new(conf)
  core.conf_free(conf)
  if code ~= OK then return result.explained_failure(code) end
  return setmetatable({ _handle = handle }, Engine)
end

-- Makes an engine with configuration keys of a table, such as { ["batch.max_age"] = "1s" }. It has no thread yet, so a
-- host may fork between this and start.
function posthaste.new(conf)
  return guard(new_engine, conf)
end

-- ---- Life cycle

-- Starts the engine's threads.
function Engine:start()
  return call(core.start, self._handle)
end

-- Delivers what it can in that time and stops; reports can be polled afterwards. A second call does nothing.
function Engine:close(timeout_ms)
  return call(core.close, self._handle, timeout_ms or TIMEOUT_MS)
end

-- Likewise, but returns a ticket at once; a report of kind "ticket" tells the outcome. So do all functions *_ticket.
function Engine:close_ticket(timeout_ms)
  return call(core.close_ticket, self._handle, timeout_ms or TIMEOUT_MS)
end

-- Frees the engine, at most 100 ms after the call; reports not polled are lost. Calls after it are E_INVALID.
function Engine:free()
  local handle = self._handle
  self._handle = nil
  core.free(handle)
  return true
end

-- `local engine <close> = posthaste.new()` in Lua 5.4.
function Engine:__close()
  self:close()
  self:free()
end

-- Changes a live key of a running engine.
function Engine:set(key, value)
  return guard(function() return call(core.set, self._handle, key, text_of(key, value)) end)
end

-- Returns the text of a key, a secret as ****.
function Engine:get(key)
  return call(core.get, self._handle, key)
end

-- ---- Webhooks

-- Calls fn(handle of the described webhook).
local function with_webhook(description, fn)
  return guard(function()
    local code, handle = webhook.to_handle(description)
    if code ~= OK then return result.explained_failure(code) end
    return fn(handle)
  end)
end

local function to_table(handle, ...)
  if not handle then return handle, ... end
  return webhook.from_handle(handle)
end

-- Declares a webhook under the host's own id, at every start: no test request, active at once.
function Engine:put(id, description)
  return with_webhook(description, function(handle) return call(core.put, self._handle, id, handle) end)
end

-- Creates a webhook after a test request that was answered with 200; returns it, with its id.
function Engine:create(description, timeout_ms)
  return with_webhook(description, function(handle)
    return to_table(call(core.create, self._handle, handle, timeout_ms or TIMEOUT_MS))
  end)
end

function Engine:create_ticket(description)
  return with_webhook(description, function(handle) return call(core.create_ticket, self._handle, handle) end)
end

-- Changes the fields that are given; a changed target is verified first.
function Engine:update(id, description, timeout_ms)
  return with_webhook(description, function(handle)
    return call(core.update, self._handle, id, handle, timeout_ms or TIMEOUT_MS)
  end)
end

function Engine:update_ticket(id, description)
  return with_webhook(description, function(handle) return call(core.update_ticket, self._handle, id, handle) end)
end

-- Removes a webhook. how: posthaste.REMOVE_DRAIN, the default, or REMOVE_DROP.
function Engine:remove(id, how)
  return call(core.remove, self._handle, id, how or constants.REMOVE_DRAIN)
end

function Engine:pause(id)
  return call(core.pause, self._handle, id)
end

function Engine:resume(id)
  return call(core.resume, self._handle, id)
end

-- Sends the test request to a webhook's target.
function Engine:verify(id, timeout_ms)
  return call(core.verify, self._handle, id, timeout_ms or TIMEOUT_MS)
end

function Engine:verify_ticket(id)
  return call(core.verify_ticket, self._handle, id)
end

-- Returns a webhook as a table, secrets as ****.
function Engine:find(id)
  return guard(function() return to_table(call(core.find, self._handle, id)) end)
end

-- Returns all of them in the order of their registration.
function Engine:list()
  return guard(function()
    local list, message, failed = call(core.list, self._handle)
    if not list then return list, message, failed end
    local found = json.array()
    for i = 1, core.webhook_list_count(list) do
      found[i] = assert(webhook.from_handle(core.webhook_list_at(list, i - 1)))
    end
    core.webhook_list_free(list)
    return found
  end)
end

-- Loads a webhooks.json of Momentum; returns { added =, changed =, removed =, unchanged = }.
function Engine:load(path)
  return decoded(call(core.load, self._handle, path))
end

-- ---- Events

-- One builder serves all pushes of tables: there is one thread, and no push inside a push.
local scratch = assert(Event.new())

-- Builds the table in the scratch builder.
local function build(event_type, event)
  local own_type = rawget(event, "type")
  if own_type ~= nil and type(own_type) ~= "string" then
    return result.failure(constants.E_BAD_FIELD, "the event's type must be a string, not " .. type(own_type))
  end
  if event_type and own_type and event_type ~= own_type then
    return result.failure(constants.E_TYPE_MISMATCH, "the event's type is not the one that it is pushed as")
  end
  return scratch:build(event_type or own_type or "", event)
end

-- Why a text was refused. Only some codes are about its content.
local function push_failure(handle, event_type, text, code)
  if code >= constants.E_BAD_JSON and code <= constants.E_BAD_FIELD
     and core.check(handle, event_type, text) == code then
    return result.explained_failure(code)
  end
  return result.failure(code)
end

local function push(handle, event_type, event)
  if type(event) == "string" then
    local code = core.push(handle, event_type, event)
    if code == OK then return true end
    return push_failure(handle, event_type, event, code)
  end
  if type(event) ~= "table" then error("event must be a table or a text of JSON, not " .. type(event), 0) end
  if getmetatable(event) ~= Event then
    local is_built, message, code = build(event_type, event)
    if not is_built then return is_built, message, code end
    event = scratch
  elseif event_type ~= nil then
    error("a posthaste.event has a type of its own", 0)
  end
  local code = core.push_event(handle, event._handle)
  if code == OK then return true end
  local is_sound, message, fault = event:check()
  if is_sound then return result.failure(code) end
  return is_sound, message, fault
end

-- Pushes one event and never waits: a table, a text of JSON, or a posthaste.event. The type may be left out, when the
-- event has it: engine:push({ type = "delivery", rcpt_to = "a@b.test" }).
function Engine:push(event_type, event)
  if event == nil then event_type, event = nil, event_type end
  return guard(push, self._handle, event_type, event)
end

-- Likewise a text of JSON that is known to be valid and to have type, timestamp and event_id: it is not read.
function Engine:push_trusted(event_type, text)
  return call_plain(core.push_trusted, self._handle, event_type, text)
end

-- Likewise a whole record {"msys":{"<class>":{...}}}.
function Engine:push_enveloped(record)
  return call_plain(core.push_enveloped, self._handle, record)
end

-- Pushes lines of JSON, each judged alone. Returns how many bytes are done and the codes of the lines, in order; it stops
-- before a line that finds the queue full: go on with lines:sub(done + 1). The third result is the first code that is not
-- OK, or OK.
function Engine:push_many(event_type, lines)
  return guard(function()
    if type(lines) ~= "string" then error("lines must be a string, not " .. type(lines), 0) end
    local _, count = lines:gsub("\n", "\n")
    local code, done, codes = core.push_many(self._handle, event_type, lines, count + 1)
    if codes[1] == nil and code ~= OK then return result.failure(code) end
    return done, codes, code
  end)
end

-- Judges an event as push would, and queues nothing.
function Engine:check(event_type, event)
  if event == nil then event_type, event = nil, event_type end
  if type(event) == "string" then return call(core.check, self._handle, event_type, event) end
  return guard(function()
    if type(event) ~= "table" then error("event must be a table or a text of JSON, not " .. type(event), 0) end
    if getmetatable(event) == Event then return event:check() end
    return build(event_type, event)
  end)
end

-- Whether some webhook wants this type (any type, without one): for hosts that save the work of an event nobody wants.
function Engine:wants(event_type)
  return guard(function() return core.wants(self._handle, event_type) == 1 end)
end

-- Defines a further event type, before start.
function Engine:define_type(event_type, event_class)
  return call(core.define_type, self._handle, event_type, event_class)
end

-- ---- Batches

-- Seals what is open and waits until each batch had its first outcome.
function Engine:flush(timeout_ms)
  return call(core.flush, self._handle, timeout_ms or TIMEOUT_MS)
end

function Engine:flush_ticket()
  return call(core.flush_ticket, self._handle)
end

-- Waits until everything pushed before is on disk. E_STATE in memory mode.
function Engine:sync(timeout_ms)
  return call(core.sync, self._handle, timeout_ms or TIMEOUT_MS)
end

function Engine:sync_ticket()
  return call(core.sync_ticket, self._handle)
end

-- Returns how many events and bytes wait in a webhook's open batch.
function Engine:open_batch(id)
  return call(core.open_batch, self._handle, id)
end

-- Returns the last attempts of a webhook's batches. which: posthaste.STATUS_FAILED, the default, or STATUS_ALL.
function Engine:batch_status(id, limit, which)
  return decoded(call(core.batch_status, self._handle, id, limit or 0, which or constants.STATUS_FAILED))
end

-- Makes what waits due at once; of every webhook without an id.
function Engine:retry_now(id)
  return call(core.retry_now, self._handle, id)
end

-- ---- Spool, in durable mode

-- Calls fn(filter) with the filter that a table makes, such as { webhook_id = "mine", status = 503 }.
local function with_filter(conditions, fn)
  return guard(function()
    if conditions == nil then return fn(nil) end
    if type(conditions) ~= "table" then error("filter must be a table, not " .. type(conditions), 0) end
    local filter = core.filter_new()
    for key, value in next, conditions do
      local code = core.filter_set(filter, key, text_of(key, value))
      if code ~= OK then return result.explained_failure(code) end
    end
    return fn(filter)
  end)
end

-- Lists batches that wait. after: the `sequence` of the last one of the page before.
function Engine:waiting_list(filter, after, limit)
  return with_filter(filter, function(handle)
    return decoded(call(core.waiting_list, self._handle, handle, after or 0, limit or 0))
  end)
end

function Engine:waiting_find(batch_id)
  return decoded(call(core.waiting_find, self._handle, batch_id))
end

-- Lists dead letters likewise.
function Engine:dead_letter_list(filter, after, limit)
  return with_filter(filter, function(handle)
    return decoded(call(core.dead_letter_list, self._handle, handle, after or 0, limit or 0))
  end)
end

function Engine:dead_letter_find(batch_id)
  return decoded(call(core.dead_letter_find, self._handle, batch_id))
end

-- Makes dead letters batches again; an empty filter, { }, means all. Returns how many.
function Engine:dead_letter_replay(filter, timeout_ms)
  return with_filter(filter, function(handle)
    return call(core.dead_letter_replay, self._handle, handle, timeout_ms or TIMEOUT_MS)
  end)
end

-- Deletes dead letters. Returns how many.
function Engine:dead_letter_remove(filter, timeout_ms)
  return with_filter(filter, function(handle)
    return call(core.dead_letter_remove, self._handle, handle, timeout_ms or TIMEOUT_MS)
  end)
end

-- Gives up what waits for a webhook. Returns how many batches and events.
function Engine:purge(id, timeout_ms)
  return call(core.purge, self._handle, id, timeout_ms or TIMEOUT_MS)
end

-- Calls write(piece) with the records of a batch as lines of JSON, piece by piece; without it, returns all of them in one
-- text. write ends the export by returning false, or by an error. Returns how many events there were.
function Engine:batch_export(batch_id, write)
  if write ~= nil then return call(core.batch_export, self._handle, batch_id, write) end
  local pieces = {}
  local events, message, code = call(core.batch_export, self._handle, batch_id, function(piece)
    pieces[#pieces + 1] = piece
  end)
  if not events then return events, message, code end
  return table.concat(pieces)
end

-- Returns what is wrong with the spool, in an array of texts.
function Engine:spool_check(timeout_ms)
  return decoded(call(core.spool_check, self._handle, timeout_ms or TIMEOUT_MS))
end

-- ---- Reports

-- The REST API's answer as a table, or nil.
local function response_table(handle)
  if not handle then return nil end
  local headers = {}
  for i = 0, core.response_header_count(handle) - 1 do
    headers[i + 1] = { name = core.response_header_name(handle, i), value = core.response_header_value(handle, i) }
  end
  local response = { status = core.response_status(handle), headers = headers, body = core.response_body(handle) }
  core.response_free(handle)
  return response
end

local function report_table(handle)
  local code, text = core.report_json(handle)
  if code ~= OK then return result.failure(code) end
  local report = json.decode(text)
  if report.ticket ~= 0 then
    local _, response = core.report_response(handle)
    report.response = response_table(response)
  end
  core.report_free(handle)
  return report
end

-- Takes the oldest report, a table with `kind` ("delivered", "retrying", "dropped", ...), `webhook_id`, `batch_id`,
-- `message` and more; of a ticket that failed, also `error`. E_EMPTY when none comes in time, which is 0 when not given.
function Engine:poll(timeout_ms)
  return guard(function()
    local handle, message, code = call_plain(core.poll, self._handle, timeout_ms or 0)
    if not handle then return nil, message, code end
    return report_table(handle)
  end)
end

-- for report in engine:reports() do ... end: all that wait; with a time-out it waits so long for each.
function Engine:reports(timeout_ms)
  return function() return (self:poll(timeout_ms)) end
end

-- Returns a descriptor that is readable when reports wait; -1 before start. Read it empty, then poll until E_EMPTY.
function Engine:report_fd()
  return guard(core.report_fd, self._handle)
end

-- Returns counters and gauges of the engine and each webhook.
function Engine:stats()
  return decoded(call_plain(core.stats_json, self._handle))
end

-- Writes a line to the engine's log. level: posthaste.LOG_INFO and the like. Lines of the library come as reports of kind
-- "log" when the key `log.reports` names a level.
function Engine:log(level, line)
  return call_plain(core.log, self._handle, level, line)
end

-- ---- REST API

-- Calls fn(request) with what a table describes: method, target, headers ({ name = value }), body, peer, scheme, and
-- grant with subaccount of a host that has found out itself who asks.
local function with_request(description, fn)
  return guard(function()
    if type(description) ~= "table" then error("request must be a table, not " .. type(description), 0) end
    local request = core.request_new(description.method, description.target)
    if not request then return result.failure(constants.E_INVALID, "a request needs method and target") end
    for name, value in next, description.headers or {} do core.request_add_header(request, name, text_of(name, value)) end
    if description.body then core.request_set_body(request, description.body) end
    if description.peer then core.request_set_peer(request, description.peer) end
    if description.scheme then core.request_set_scheme(request, description.scheme) end
    if description.grant then core.request_set_identity(request, description.grant, description.subaccount or -1) end
    return fn(request)
  end)
end

-- Answers one request of the REST API with { status =, headers = { { name =, value = } }, body = }.
function Engine:api_handle(request, timeout_ms)
  return with_request(request, function(handle)
    local response, message, code = call(core.api_handle, self._handle, handle, timeout_ms or TIMEOUT_MS)
    if not response then return response, message, code end
    return response_table(response)
  end)
end

-- Likewise by a ticket, whose report has `response`.
function Engine:api_handle_ticket(request)
  return with_request(request, function(handle) return call(core.api_handle_ticket, self._handle, handle) end)
end

-- Makes an API key: a table, whose `key` is never shown again. grant: posthaste.GRANT_VIEW or GRANT_MODIFY; subaccount:
-- -1, the default, for all.
function Engine:key_create(name, grant, subaccount)
  return decoded(call(core.key_create, self._handle, name, grant, subaccount or -1))
end

-- Likewise for a key that the host made.
function Engine:key_put(name, key, grant, subaccount)
  return decoded(call(core.key_put, self._handle, name, key, grant, subaccount or -1))
end

function Engine:key_list()
  return decoded(call(core.key_list, self._handle))
end

function Engine:key_revoke(id)
  return call(core.key_revoke, self._handle, id)
end

return posthaste
