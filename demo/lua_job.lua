-- The Lua demo's job: build 250,000 records, keep one in a thousand, drop the rest, collect, sit idle.
--
--     lua lua_job.lua MARKS_FILE SCALE IDLE_SECONDS
--
-- An ordinary program: it knows nothing of allocators. At the start of each phase it appends a line to MARKS_FILE (name,
-- seconds since the machine was started), and at the end it prints what it kept, so that two runs can be compared.

local marks_file, scale, idle_seconds = arg[1], tonumber(arg[2]), tonumber(arg[3])

local function mark(name)
  local uptime = assert(io.open("/proc/uptime"))
  local seconds = uptime:read("*l"):match("^%S+")
  uptime:close()
  local file = assert(io.open(marks_file, "a"))
  file:write(name, " ", seconds, "\n")
  file:close()
end

local function sleep(seconds)
  os.execute("sleep " .. seconds)
end

sleep(0.1)
mark("build")
local records = {}
for number = 1, math.floor(250000 * scale) do
  records[number] = {
    id = number,
    name = "record " .. number,
    tags = {"tag " .. number % 1000, "tag " .. number % 77},
    describe = function() return number end,
    note = number % 10 == 0 and ("x"):rep(400 + number % 800) or nil,
  }
end

mark("drop")
local kept = {}
for number = 1000, #records, 1000 do kept[#kept + 1] = records[number] end
local count = #records
records = nil
collectgarbage()
collectgarbage()

mark("idle")
sleep(idle_seconds)
mark("end")

local sum = 0
for _, record in ipairs(kept) do sum = sum + record.describe() + #record.name + #record.note end
print(count .. " records, " .. #kept .. " kept, sum " .. string.format("%.0f", sum))
