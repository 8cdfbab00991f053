-- Events of the Lua binding: tables, texts of JSON and builders, as they arrive at a receiver or are refused.
local harness = require("harness")
local posthaste = require("posthaste")

local test, equal, same, fails = harness.test, harness.equal, harness.same, harness.fails

test("Lua table becomes an event with its fields in their wire types", function()
  local engine, path = harness.running()
  local event = harness.delivered(engine, path, "delivery", {
    msg_size = 1337, rcpt_to = "a@b.test", amp_enabled = true, transactional = true, timestamp = 1460989507.9,
    rcpt_meta = { depth = { 1, 2.5, "x" }, flag = false }, rcpt_tags = { "male", "US" }, my_number = 7,
  })
  equal(event.class, "message_event")
  equal(event.type, "delivery")
  equal(event.msg_size, "1337")
  equal(event.transactional, "1")
  equal(event.amp_enabled, true)
  equal(event.timestamp, "1460989507")
  equal(event.my_number, 7)
  same(event.rcpt_meta, { depth = { 1, 2.5, "x" }, flag = false })
  same(event.rcpt_tags, { "male", "US" })
  assert(#event.event_id > 0)
end)

test("Lua table may name its type itself", function()
  local engine, path = harness.running()
  equal(harness.delivered(engine, path, { type = "open", user_agent = "x" }).class, "track_event")
  equal(harness.delivered(engine, path, "bounce", { type = "bounce" }).type, "bounce")
  equal(harness.delivered(engine, path, { type = "inband", raw_reason = "550" }).type, "bounce")
  fails("E_TYPE_MISMATCH", "type", engine:push("delivery", { type = "bounce" }))
  fails("E_BAD_FIELD", "type", engine:push({ type = 5 }))
  fails("E_UNKNOWN_TYPE", "", engine:push({ rcpt_to = "a@b.test" }))
  fails("E_UNKNOWN_TYPE", "", engine:push("no_such_type", { rcpt_to = "a@b.test" }))
end)

test("Lua strings are escaped, and broken UTF-8 is repaired", function()
  local engine, path = harness.running()
  local hostile = 'quote " slash \\ line\r\n tab\t nul\0 bell\7 del\127 {[<'
  local event = harness.delivered(engine, path, "delivery", {
    subject = hostile, rcpt_to = "caf\195\169", raw_reason = "a\255b\237\160\128", ["key \" with"] = ("x"):rep(65536),
  })
  equal(event.subject, hostile)
  equal(event.rcpt_to, "caf\195\169")
  assert(event.raw_reason:find("^a\239\191\189+b[\239\191\189]+$"), event.raw_reason)
  equal(#event['key " with'], 65536)
end)

test("Lua arrays, empty ones and nulls are told from objects", function()
  local engine, path = harness.running()
  harness.delivered(engine, path, "delivery", {
    list = { "a", { "b" } }, none = posthaste.array(), object = {}, null = posthaste.null, holds = { posthaste.null, 1 },
  })
  local body = harness.requests(path)[1].body
  for _, text in ipairs({ '"list":["a",["b"]]', '"none":[]', '"object":{}', '"null":null', '"holds":[null,1]' }) do
    assert(body:find(text, 1, true), text .. " is not in " .. body)
  end
end)

test("Lua numbers keep their value", function()
  local engine, path = harness.running()
  local numbers = { 0, -1, 2 ^ 53, -2 ^ 53, 0.5, -1e-7, 1e300, 123456789.25 }
  local event = harness.delivered(engine, path, "delivery", { numbers = numbers })
  same(event.numbers, numbers)
  if math.type then
    harness.delivered(engine, path, "delivery", { large = math.maxinteger, small = math.mininteger, float = 3.0 })
    local body = harness.requests(path)[2].body
    for _, text in ipairs({ '"large":9223372036854775807', '"small":-9223372036854775808', '"float":3' }) do
      assert(body:find(text, 1, true), text .. " is not in " .. body)
    end
  end
end)

test("Lua values that JSON does not have are refused by the name of their field", function()
  local engine, path = harness.running()
  fails("E_BAD_FIELD", "score", engine:push("delivery", { score = 0 / 0 }))
  fails("E_BAD_FIELD", "score", engine:push("delivery", { score = math.huge }))
  fails("E_INVALID", "handler cannot be a function", engine:push("delivery", { handler = print }))
  fails("E_INVALID", "thread", engine:push("delivery", { a = { coroutine.create(function() end) } }))
  fails("E_INVALID", "holes", engine:push("delivery", { list = { 1, 2, nil, 4 } }))
  fails("E_INVALID", "not both", engine:push("delivery", { list = { 1, 2, x = 4 } }))
  fails("E_INVALID", "strings as keys", engine:push("delivery", { list = { [2] = 1 } }))
  fails("E_INVALID", "NUL", engine:push("delivery", { ["a\0b"] = 1 }))
  fails("E_INVALID", "key must be a string", engine:push("delivery", { [true] = 1 }))
  fails("E_BAD_FIELD", "rcpt_meta", engine:push("delivery", { rcpt_meta = "text" }))
  local cycle = {}
  cycle.one, cycle.two = cycle, cycle
  fails("E_TOO_DEEP", "nested", engine:push("delivery", { cycle = cycle }))
  equal(harness.delivered(engine, path, "delivery", { message_id = "after" }).message_id, "after")
  equal(#harness.events(path), 1)
end)

test("Lua text of JSON goes out byte for byte, and is explained when it is bad", function()
  local engine, path = harness.running()
  harness.delivered(engine, path, "delivery", '{"event_id":"1","timestamp":"2", "x" : 1.50,"type":"delivery"}')
  assert(harness.requests(path)[1].body:find('{"event_id":"1","timestamp":"2", "x" : 1.50,"type":"delivery"}', 1, true))
  fails("E_BAD_JSON", "at byte", engine:push("delivery", "{"))
  fails("E_BAD_UTF8", "", engine:push("delivery", '{"a":"\255"}'))
  fails("E_DUPLICATE_KEY", "", engine:push("delivery", '{"event_id":"1","event_id":"2"}'))
  fails("E_TYPE_MISMATCH", "", engine:push("delivery", '{"type":"bounce"}'))
  fails("E_TOO_LARGE", "", engine:push("delivery", '{"a":"' .. ("x"):rep(20000000) .. '"}'))
end)

test("Lua event builder pushes one message for many recipients", function()
  local engine, path = harness.running()
  local event = assert(posthaste.event("injection"))
  assert(event:set({ message_id = "m1", msg_size = 5 }))
  assert(event:set_json("rcpt_meta", '{"a":[1]}'))
  assert(event:mark())
  for i = 1, 3 do
    assert(event:rewind())
    assert(event:set("rcpt_to", ("r%d@b.test"):format(i)))
    assert(engine:push(event))
  end
  assert(engine:flush())
  local events = harness.events(path)
  equal(#events, 3)
  for i = 1, 3 do
    equal(events[i].rcpt_to, ("r%d@b.test"):format(i))
    equal(events[i].message_id, "m1")
    same(events[i].rcpt_meta, { a = { 1 } })
  end
end)

test("Lua event builder keeps its first error until it is reset or rewound", function()
  local engine, path = harness.running()
  local event = assert(posthaste.event("delivery"))
  assert(event:set("message_id", "1"))
  assert(event:mark())
  fails("E_INVALID", "subject cannot be a function", event:set("subject", print))
  fails("E_INVALID", "subject cannot be a function", event:set("rcpt_to", "a@b.test"))
  fails("E_INVALID", "subject cannot be a function", engine:push(event))
  fails("E_INVALID", "subject cannot be a function", event:check())
  assert(event:rewind())
  assert(event:check())
  fails("E_BAD_FIELD", "score", event:set("score", 0 / 0))
  fails("E_BAD_FIELD", "score", engine:push(event))
  assert(event:reset("bounce"))
  fails("E_DUPLICATE_KEY", "type", event:set({ type = "bounce" }))
  assert(event:reset())
  fails("E_INVALID", "type of its own", engine:push("bounce", event))
  equal(harness.delivered(engine, path, event).type, "bounce")
  fails("E_INVALID", "name of a field", event:set(5, 5))
  fails("E_INVALID", "", event:rewind())
  fails("E_INVALID", "type must be a string", posthaste.event(5))
end)

test("Lua lines of JSON are judged one by one", function()
  local engine, path = harness.running()
  local lines = '{"a":1}\n\n{bad}\n{"a":3}\n'
  local done, codes, first = engine:push_many("delivery", lines)
  equal(done, #lines)
  same(codes, { 0, posthaste.E_BAD_JSON, 0 })
  equal(first, posthaste.E_BAD_JSON)
  assert(engine:push_enveloped('{"msys":{"track_event":{"type":"open"}}}'))
  fails("E_TYPE_MISMATCH", "", engine:push_enveloped('{"msys":{"message_event":{"type":"open"}}}'))
  assert(engine:push_trusted("delivery", '{"type":"delivery","timestamp":"1","event_id":"2"}'))
  assert(engine:flush())
  equal(#harness.events(path), 4)
end)

test("Lua check judges as push does and queues nothing", function()
  local engine, path = harness.running()
  assert(engine:check("delivery", "{}"))
  assert(engine:check("delivery", { a = 1 }))
  assert(engine:check({ type = "delivery" }))
  assert(engine:check(posthaste.event("delivery")))
  fails("E_BAD_JSON", "at byte", engine:check("delivery", "{"))
  fails("E_BAD_FIELD", "score", engine:check("delivery", { score = 0 / 0 }))
  assert(engine:flush())
  equal(#harness.events(path), 0)
end)

test("Lua engine takes event types of the host's own", function()
  local engine = harness.engine()
  assert(engine:define_type("parked", "message_event"))
  fails("E_EXISTS", "", engine:define_type("delivery", "message_event"))
  equal(engine:wants("parked"), false)
  assert(engine:put("all", { name = "all", target = harness.url .. "/parked", events = { "parked" } }))
  assert(engine:start())
  equal(engine:wants("parked"), true)
  equal(engine:wants("delivery"), false)
  equal(engine:wants(), true)
  equal(harness.delivered(engine, "/parked", "parked", { a = 1 }).type, "parked")
end)

test("A thousand Lua events arrive once each, in order", function()
  local engine, path = harness.running()
  for i = 1, 1000 do assert(engine:push("delivery", { message_id = tostring(i) })) end
  assert(engine:flush())
  local events = harness.events(path)
  equal(#events, 1000)
  for i = 1, 1000 do equal(events[i].message_id, tostring(i)) end
end)

harness.finish()
