-- The shortest useful host: one webhook, three events, and what became of them.
--   luajit quickstart.lua http://127.0.0.1:8080/hook
local posthaste = require("posthaste")

if #arg ~= 1 then
  io.stderr:write("usage: quickstart.lua URL\n")
  os.exit(2)
end

-- Ends the program when a call failed, with the library's one line about the culprit.
local function check(result, message, code)
  if result then return result end
  io.stderr:write(posthaste.error_name(code), ": ", message, "\n")
  os.exit(1)
end

-- put declares the webhook under an id of our own, at every start: active at once, no test request.
local engine = check(posthaste.new({ ["batch.max_age"] = "1s" }))
check(engine:put("quickstart", {
  target = arg[1],
  name = "quickstart",
  events = { "injection", "delivery", "bounce" },
}))
check(engine:start())

-- push copies the event and never waits; type, timestamp and event_id are added.
local event = { message_id = "0000d0678854f761a402", rcpt_to = "a@b.test" }
check(engine:push("injection", event))
check(engine:push("delivery", '{"message_id":"0000d0678854f761a402","rcpt_to":"a@b.test"}'))
check(engine:push("bounce", event))

-- A batch leaves after 10,000 events or batch.max_age; flush sends it now.
check(engine:flush())
engine:close(2000)

-- Reports tell the fate of every batch: delivered, retrying, dropped.
for report in engine:reports() do
  print(report.kind .. ": " .. report.message)
end
engine:free()
