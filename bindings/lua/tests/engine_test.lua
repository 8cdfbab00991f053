-- Engines of the Lua binding: life cycle, misuse, webhooks, reports, tickets, the spool, fork and garbage collection.
local harness = require("harness")
local json = require("posthaste.json")
local posthaste = require("posthaste")

local test, equal, same, fails, helper = harness.test, harness.equal, harness.same, harness.fails, harness.helper
-- Nobody listens there.
local DEAD = "http://127.0.0.1:9/"

-- ---- Life cycle and misuse

test("Lua engine is made, started, closed and freed, and second calls do no harm", function()
  local engine = harness.engine({ ["batch.max_events"] = 5 })
  equal(engine:get("batch.max_events"), "5")
  equal(engine:report_fd(), -1)
  fails("E_STATE", "", engine:flush(0))
  assert(engine:start())
  fails("E_STATE", "", engine:start())
  assert(engine:set("log.level", "debug"))
  fails("E_NOT_CHANGEABLE", "role", engine:set("role", "producer"))
  assert(engine:close(1000))
  assert(engine:close(1000))
  fails("E_STATE", "", engine:push("delivery", {}))
  fails("E_STATE", "", engine:push("delivery", "{}"))
  fails("E_STATE", "", engine:flush())
  assert(engine:free())
  assert(engine:free())
  fails("E_INVALID", "", engine:push("delivery", {}))
  fails("E_INVALID", "", engine:start())
  fails("E_INVALID", "", engine:poll())
  equal(engine:wants("delivery"), false)
  equal(engine:report_fd(), -1)
end)

test("Lua configuration is refused by the name of its key", function()
  fails("E_UNKNOWN_KEY", "no.such.key", posthaste.new({ ["no.such.key"] = 1 }))
  fails("E_BAD_VALUE", "batch.max_age", posthaste.new({ ["batch.max_age"] = "soon" }))
  fails("E_INVALID", "batch.max_age must be", posthaste.new({ ["batch.max_age"] = {} }))
  fails("E_INVALID", "conf must be a table", posthaste.new("x"))
  fails("E_INVALID", "strings", posthaste.new({ "x" }))
  equal(posthaste.describe("batch.max_age").default, "30s")
  assert(#posthaste.describe() > 50)
  fails("E_UNKNOWN_KEY", "", posthaste.describe("no.such.key"))
  equal(posthaste.error_name(posthaste.E_BAD_JSON), "POSTHASTE_E_BAD_JSON")
  equal(posthaste.strerror(posthaste.E_FORKED), "the engine was started in the parent of this process")
  fails("E_INVALID", "code must be a number", posthaste.strerror("x"))
end)

test("No function of a Lua engine raises an error or crashes, whatever it is given", function()
  local engine = harness.running()
  local methods = getmetatable(engine).__index
  local arguments = { nil, true, 5, 0.25, 1.5, 0 / 0, 2 ^ 60, "x", "a\0b", {}, { 1 }, { x = 1 }, print, engine, coroutine.create(function() end) }
  for name, method in pairs(methods) do
    if type(method) == "function" and name ~= "free" and name ~= "close" and name ~= "reports" and name:sub(1, 2) ~= "__"
       and name ~= "close_ticket" then
      for i = 1, 15 do
        for k = 1, 15 do
          local is_called, found, message, code = pcall(method, engine, arguments[i], arguments[k], 0)
          assert(is_called, name .. " raised " .. tostring(found))
          if found == nil then
            assert(type(message) == "string" and type(code) == "number" and code > 0, name .. " failed without a code")
          end
        end
      end
    end
  end
  assert(engine:push("delivery", {}))
end)

test("Lua arguments of a wrong type are named", function()
  local engine = harness.running()
  fails("E_INVALID", "id must be a string, not table", engine:pause({}))
  fails("E_INVALID", "id holds a NUL", engine:pause("a\0b"))
  fails("E_INVALID", "timeout_ms must be a number, not string", engine:flush("x"))
  fails("E_INVALID", "timeout_ms is out of range", engine:flush(2 ^ 31))
  fails("E_INVALID", "timeout_ms is out of range", engine:flush(0 / 0))
  fails("E_INVALID", "timeout_ms must be a whole number", engine:flush(1.5))
  fails("E_INVALID", "webhook must be a table, not number", engine:put("x", 5))
  fails("E_INVALID", "event must be a table or a text of JSON, not boolean", engine:push("delivery", true))
  fails("E_INVALID", "write must be a function", engine:batch_export("x", {}))
end)

if _VERSION == "Lua 5.4" then
  test("Lua 5.4 closes an engine at the end of its scope", function()
    local outer
    local run = assert(load([[
      local posthaste = ...
      local engine <close> = posthaste.new()
      engine:start()
      return engine]]))
    outer = run(posthaste)
    fails("E_INVALID", "", outer:push("delivery", {}))
  end)
end

-- ---- Webhooks

test("Lua webhooks are found, listed, changed and given back", function()
  local engine = harness.engine()
  local description = {
    name = "one", target = harness.url, events = { "bounce", "delivery" }, auth_token = "secret", active = true,
    custom_headers = { ["X-Site"] = "a" }, settings = { ["batch.max_age"] = "1s" }, ["retry.max_age"] = "2h", subaccount_id = 5,
    exception_subaccounts = {},
  }
  assert(engine:put("one", description))
  local found = assert(engine:find("one"))
  equal(found.id, "one")
  equal(found.auth_token, "****")
  same(found.events, { "bounce", "delivery" })
  same(found.settings, { ["batch.max_age"] = "1s", ["retry.max_age"] = "2h" })
  equal(found.custom_headers["X-Site"], "****")
  equal(found.subaccount_id, 5)
  assert(engine:put("one", found))
  same(engine:find("one"), found)
  assert(engine:put("two", { name = "two", target = harness.url, events = "bounce,delivery", ["header.X-A"] = "b" }))
  local list = assert(engine:list())
  equal(#list, 2)
  equal(list[2].custom_headers["X-A"], "****")
  assert(engine:put("three", '{"name":"three","target":"' .. harness.url .. '","events":["open"]}'))
  assert(engine:start())
  assert(engine:update("two", { name = "zwei" }))
  equal(engine:find("two").name, "zwei")
  assert(engine:pause("two"))
  equal(engine:find("two").state, "paused")
  assert(engine:resume("two"))
  assert(engine:retry_now("two"))
  assert(engine:remove("two"))
  assert(engine:remove("three", posthaste.REMOVE_DROP))
  fails("E_NOT_FOUND", "two", engine:find("two"))
end)

test("Lua webhooks are refused with the library's codes", function()
  local engine = harness.engine()
  local good = { name = "x", target = harness.url, events = "*" }
  local function with(key, value)
    local changed = { [key] = value }
    for name, old in pairs(good) do if changed[name] == nil then changed[name] = old end end
    return engine:put("x", changed)
  end
  fails("E_BAD_TARGET", "ftp", with("target", "ftp://x"))
  fails("E_BAD_EVENTS", "nonsense", with("events", { "nonsense" }))
  fails("E_BAD_EVENTS", "", with("events", {}))
  fails("E_BAD_HEADER", "", with("custom_headers", { ["Content-Length"] = "5" }))
  fails("E_UNKNOWN_KEY", "no.such.key", with("no.such.key", "5"))
  fails("E_BAD_VALUE", "", with("batch.max_age", "soon"))
  fails("E_BAD_VALUE", "active", with("active", "perhaps"))
  fails("E_INVALID", "cannot be a function", with("settings", { x = print }))
  fails("E_MISSING_FIELD", "", engine:put("x", { name = "x" }))
  fails("E_BAD_JSON", "", engine:put("x", "{"))
  fails("E_INVALID", "", engine:put("a b", good))
  fails("E_BAD_FILE", "", engine:load("/no/such/file"))
  equal(#engine:list(), 0)
end)

test("Lua create verifies the target and explains a failure", function()
  local engine = harness.running()
  local made = assert(engine:create({ name = "made", target = harness.url .. "/verified", events = { "open" } }))
  assert(#made.id > 20)
  assert(engine:verify(made.id))
  local found, message, code, details = engine:create({ name = "x", target = harness.url .. "/verify-404", events = "*" })
  fails("E_VERIFY_FAILED", "404", found, message, code)
  equal(details.status, 404)
  equal(details.phase, "http")
  equal(details.body, "not here")
  local header
  for _, each in ipairs(details.headers) do if each.name == "X-Reason" then header = each.value end end
  equal(header, "test")
  found, message, code, details = engine:update(made.id, { target = DEAD })
  fails("E_VERIFY_FAILED", "", found, message, code)
  equal(details.network_name, "ECONNREFUSED")
  equal(details.phase, "connect")
  equal(engine:find(made.id).target, harness.url .. "/verified")
end)

-- ---- Reports and tickets

test("Lua reports tell what became of batches", function()
  local engine, path = harness.running()
  assert(engine:put("dead", { name = "dead", target = DEAD, events = "bounce" }))
  assert(engine:push("delivery", { a = 1 }))
  assert(engine:push("bounce", { a = 1 }))
  assert(engine:flush())
  local kinds = {}
  for report in engine:reports() do
    kinds[report.kind .. " " .. report.webhook_id] = report
  end
  local delivered, retrying = kinds["delivered all"], kinds["retrying dead"]
  equal(delivered.events, 2)
  equal(delivered.status, 200)
  equal(delivered.reached, "yes")
  equal(delivered.batch_id, harness.requests(path)[1].headers[4][2])
  assert(delivered.timing_us.total > 0)
  equal(retrying.network_name, "ECONNREFUSED")
  equal(retrying.reached, "no")
  fails("E_EMPTY", "", engine:poll())
  assert(engine:close(0) == nil)
  local dropped = harness.report(engine, "dropped")
  equal(dropped.reason, "closed")
  equal(dropped.events, 1)
  local status = engine:stats()
  equal(status.events.accepted, 2)
end)

test("Lua report descriptor becomes readable", function()
  local engine = harness.running()
  local fd = engine:report_fd()
  assert(fd > 2)
  equal(helper.readable(fd, 0), false)
  assert(engine:push("delivery", {}))
  assert(engine:flush())
  equal(helper.readable(fd, 10000), true)
  assert(helper.drain(fd) >= 1)
  harness.report(engine, "delivered")
end)

test("Lua tickets complete with the code of their call", function()
  local engine, path = harness.running()
  assert(engine:push("delivery", {}))
  local ticket = assert(engine:flush_ticket())
  local report = harness.report(engine, "ticket")
  equal(report.ticket, ticket)
  equal(report.code, posthaste.OK)
  equal(#harness.events(path), 1)
  ticket = assert(engine:create_ticket({ name = "x", target = harness.url .. "/verify-404", events = "*" }))
  report = harness.report(engine, "ticket")
  equal(report.ticket, ticket)
  equal(report.code, posthaste.E_VERIFY_FAILED)
  equal(report.error.status, 404)
  equal(report.error.body, "not here")
  assert(engine:verify_ticket("all") > ticket)
  equal(harness.report(engine, "ticket").code, posthaste.OK)
  fails("E_STATE", "", engine:sync_ticket())
  ticket = assert(engine:close_ticket(1000))
  equal(harness.report(engine, "ticket").ticket, ticket)
end)

test("Lua engine tells its log by reports", function()
  local engine = harness.running({ ["log.reports"] = "debug", ["log.level"] = "debug" })
  assert(engine:log(posthaste.LOG_WARNING, "a line of the host"))
  local report
  repeat report = harness.report(engine, "log") until report.message:find("a line of the host", 1, true)
  equal(report.level, posthaste.LOG_WARNING)
  fails("E_INVALID", "", engine:log(77, "x"))
end)

test("Lua REST handler answers, and keys are made and revoked", function()
  local engine = harness.running()
  local answer = assert(engine:api_handle({ method = "GET", target = "/api/v1/webhooks", grant = posthaste.GRANT_VIEW }))
  equal(answer.status, 200)
  assert(answer.body:find('"all"', 1, true))
  assert(#answer.headers > 0)
  local key = assert(engine:key_create("mine", posthaste.GRANT_MODIFY))
  equal(engine:key_list()[1].name, "mine")
  answer = assert(engine:api_handle({ method = "GET", target = "/api/v1/webhooks", headers = { Authorization = key.key } }))
  equal(answer.status, 200)
  assert(engine:key_revoke(key.id))
  answer = assert(engine:api_handle({ method = "GET", target = "/api/v1/webhooks", headers = { Authorization = key.key } }))
  equal(answer.status, 401)
  local body = json.encode({ name = "n", target = harness.url .. "/rest", events = { "open" } }, "body")
  assert(engine:api_handle_ticket({ method = "POST", target = "/api/v1/webhooks", body = body, grant = posthaste.GRANT_MODIFY,
                                    headers = { ["Content-Type"] = "application/json" } }))
  equal(harness.report(engine, "ticket").response.status, 200)
  assert(engine:key_put("own", ("k"):rep(30), posthaste.GRANT_VIEW, 7))
  fails("E_INVALID", "method and target", engine:api_handle({}))
end)

-- ---- Durable mode and producers

test("Lua engine in durable mode goes on where the last one ended", function()
  local folder = harness.folder()
  local first = harness.running({ ["spool.dir"] = folder }, { target = DEAD })
  for i = 1, 10 do assert(first:push("delivery", { message_id = tostring(i) })) end
  assert(first:sync())
  assert(first:flush())
  local waiting = harness.wait_until(function()
    local list = assert(first:waiting_list({ webhook_id = "all" }))
    return list[1] and list
  end, "a waiting batch")
  equal(waiting[1].events, 10)
  equal(first:waiting_find(waiting[1].batch_id).webhook_id, "all")
  same(first:waiting_list(nil, waiting[1].sequence), {})
  local text = assert(first:batch_export(waiting[1].batch_id))
  local _, lines = text:gsub("\n", "\n")
  equal(lines, 10)
  equal(first:batch_export(waiting[1].batch_id, function() end), 10)
  fails("E_SYSTEM", "", first:batch_export(waiting[1].batch_id, function() return false end))
  fails("E_SYSTEM", "", first:batch_export(waiting[1].batch_id, function() error("x") end))
  same(first:spool_check(), {})
  fails("E_NOT_FOUND", "", first:waiting_find("none"))
  fails("E_UNKNOWN_KEY", "colour", first:waiting_list({ colour = "red" }))
  equal(first:batch_status("all")[1].attempts, 1)
  assert(first:close())
  first:free()
  local second = harness.running({ ["spool.dir"] = folder }, { target = DEAD })
  equal(#second:waiting_list(), 1)
  local batches, events = second:purge("all")
  equal(batches, 1)
  equal(events, 10)
  equal(second:dead_letter_replay({}), 0)
  equal(second:dead_letter_remove({}), 0)
  same(second:dead_letter_list(), {})
  fails("E_NOT_FOUND", "", second:dead_letter_find("none"))
end)

test("Lua producer's events are delivered by another engine", function()
  local folder = harness.folder()
  local engine, path = harness.running({ ["spool.dir"] = folder })
  local producer = harness.engine({ role = "producer", ["spool.dir"] = folder })
  assert(producer:start())
  equal(producer:wants("delivery"), true)
  assert(producer:push("delivery", { message_id = "p" }))
  assert(producer:sync())
  fails("E_STATE", "", producer:put("x", { name = "x", target = harness.url, events = "*" }))
  harness.wait_until(function()
    engine:flush()
    return #harness.events(path) == 1
  end, "the producer's event")
  equal(harness.events(path)[1].message_id, "p")
end)

-- ---- Fork and garbage collection

-- Runs fn in a child; returns how it ended.
local function in_child(fn)
  io.stdout:flush()
  local pid = helper.fork()
  if pid == 0 then
    local is_good, message = xpcall(fn, debug.traceback)
    if not is_good then io.stderr:write(tostring(message), "\n") end
    helper.leave(is_good and 0 or 1)
  end
  return helper.wait(pid)
end

test("Lua engine answers E_FORKED in a child, which may make one of its own", function()
  local engine, path = harness.running()
  assert(engine:push("delivery", { message_id = "parent" }))
  equal(in_child(function()
    fails("E_FORKED", "", engine:push("delivery", {}))
    fails("E_FORKED", "", engine:flush())
    fails("E_FORKED", "", engine:poll())
    assert(engine:free())
    local own, own_path = harness.running()
    harness.delivered(own, own_path, "delivery", {})
    own:free()
    collectgarbage()
  end), 0)
  assert(engine:flush())
  equal(#harness.events(path), 1)
end)

test("Lua engine that was not started before a fork is the child's", function()
  local engine = harness.engine()
  assert(engine:put("all", { name = "all", target = harness.url .. "/child", events = "*" }))
  equal(in_child(function()
    assert(engine:start())
    harness.delivered(engine, "/child", "delivery", {})
    assert(engine:close())
  end), 0)
  assert(engine:start())
end)

test("Lua producer goes on in a child of its own", function()
  local folder = harness.folder()
  local engine, path = harness.running({ ["spool.dir"] = folder })
  local producer = harness.engine({ role = "producer", ["spool.dir"] = folder })
  assert(producer:start())
  assert(producer:push("delivery", {}))
  equal(in_child(function() assert(producer:push("delivery", {})) end), 0)
  assert(producer:push("delivery", {}))
  harness.wait_until(function()
    engine:flush()
    return #harness.events(path) == 3
  end, "three events")
end)

local function threads()
  local count = 0
  for line in io.lines("/proc/self/status") do count = tonumber(line:match("^Threads:%s*(%d+)")) or count end
  return count
end

test("Lua garbage collector ends engines that nobody holds", function()
  collectgarbage()
  collectgarbage()
  local before = threads()
  for _ = 1, 20 do
    local engine = assert(posthaste.new())
    assert(engine:put("all", { name = "all", target = DEAD, events = "*" }))
    assert(engine:start())
    assert(engine:push("delivery", {}))
    engine:poll()
    assert(posthaste.event("delivery"))
  end
  collectgarbage()
  collectgarbage()
  assert(threads() <= before, ("%d threads, before %d"):format(threads(), before))
end)

test("Lua reports outlive their engine", function()
  local engine = harness.running()
  assert(engine:push("delivery", {}))
  assert(engine:flush())
  local report = harness.report(engine, "delivered")
  engine:free()
  engine = nil
  collectgarbage()
  equal(report.kind, "delivered")
end)

harness.finish()
