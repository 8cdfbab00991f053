-- The frame of the Lua tests: named tests, checks that say what they found, the receiver's record, engines that are freed
-- at the end of their test. run.py sets the environment: POSTHASTE_TEST_URL, _RECORD, _FOLDER and _CORE.
if os.getenv("POSTHASTE_TEST_CORE") == "c" then package.loaded["posthaste.core"] = require("posthaste.core_c") end

local helper = require("posthaste_test_helper")
local json = require("posthaste.json")
local posthaste = require("posthaste")

local harness = { failed = 0, count = 0, url = os.getenv("POSTHASTE_TEST_URL"), helper = helper }
assert(posthaste.CORE == os.getenv("POSTHASTE_TEST_CORE"))

local made = {}

function harness.test(name, fn)
  made = {}
  harness.count = harness.count + 1
  local is_good, message = xpcall(fn, debug.traceback)
  for _, engine in ipairs(made) do engine:free() end
  if not is_good then
    harness.failed = harness.failed + 1
    print("FAILED " .. name .. "\n" .. tostring(message))
  end
end

function harness.finish()
  print(("%s, %s core: %d tests, %d failed"):format(_VERSION, posthaste.CORE, harness.count, harness.failed))
  io.stdout:flush()
  os.exit(harness.failed == 0 and 0 or 1)
end

local function shown(value)
  return type(value) == "table" and json.encode(value, "value") or tostring(value)
end

function harness.equal(found, wanted, what)
  if found ~= wanted then error((what or "found") .. ": " .. shown(found) .. ", wanted " .. shown(wanted), 2) end
end

-- The whole of two values.
function harness.same(found, wanted, what)
  local function compare(one, other)
    if type(one) ~= "table" or type(other) ~= "table" then return one == other end
    for key, value in pairs(one) do
      if not compare(value, other[key]) then return false end
    end
    for key in pairs(other) do
      if one[key] == nil then return false end
    end
    return true
  end
  if not compare(found, wanted) then error((what or "found") .. ": " .. shown(found) .. ", wanted " .. shown(wanted), 2) end
end

-- harness.fails("E_BAD_JSON", "payload", engine:push(...)): a failure with that code whose message has that text.
function harness.fails(code, text, found, message, found_code)
  if found ~= nil then error("no failure but " .. shown(found), 2) end
  if found_code ~= posthaste[code] then
    error(("code %s (%s), wanted %s"):format(tostring(found_code), tostring(message), code), 2)
  end
  if type(message) ~= "string" or message == "" or not message:find(text, 1, true) then
    error("message: " .. tostring(message) .. ", wanted " .. text, 2)
  end
end

function harness.wait_until(condition, what)
  for _ = 1, 3000 do
    local value = condition()
    if value then return value end
    helper.pause_ms(10)
  end
  error("waited 30 s for " .. what, 2)
end

-- A name that no test of any process had before: of a folder, and of a path at the receiver.
local serial = 0
function harness.unused(prefix)
  serial = serial + 1
  return ("%s-%d-%d"):format(prefix, helper.pid(), serial)
end

function harness.folder()
  return os.getenv("POSTHASTE_TEST_FOLDER") .. "/" .. harness.unused("spool")
end

-- An engine that is freed with its test.
function harness.engine(conf)
  local engine = assert(posthaste.new(conf))
  made[#made + 1] = engine
  return engine
end

-- A started one with a webhook for all events; returns it and the path at which its batches come.
function harness.running(conf, description)
  local engine, path = harness.engine(conf), "/" .. harness.unused("hook")
  local settings = { name = "all", target = harness.url .. path, events = "*" }
  for key, value in pairs(description or {}) do settings[key] = value end
  assert(engine:put("all", settings))
  assert(engine:start())
  return engine, path
end

-- The requests that came at a path, as the receiver recorded them.
function harness.requests(path)
  local found = {}
  for line in io.lines(os.getenv("POSTHASTE_TEST_RECORD")) do
    if line:find('"target":"' .. path .. '"', 1, true) then found[#found + 1] = json.decode(line) end
  end
  return found
end

-- The events that came there, in order, each with its class as `class`.
function harness.events(path)
  local found = {}
  for _, request in ipairs(harness.requests(path)) do
    for _, record in ipairs(json.decode(request.body)) do
      for class, event in pairs(record.msys) do
        event.class = class
        found[#found + 1] = event
      end
    end
  end
  return found
end

-- Pushes one event and returns what came of it.
function harness.delivered(engine, path, ...)
  local before = #harness.events(path)
  assert(engine:push(...))
  assert(engine:flush())
  local events = harness.wait_until(function()
    local now = harness.events(path)
    return #now > before and now
  end, "the event")
  return events[#events]
end

-- The oldest waiting report of a kind.
function harness.report(engine, kind)
  while true do
    local report = assert(engine:poll(30000))
    if report.kind == kind then return report end
  end
end

return harness
