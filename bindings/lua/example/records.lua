-- records.lua - builds 250,000 records, drops and collects them, and says what is resident, by the kernel.
--
--     lua5.4 records.lua        and:  lua5.4 -l hakmem records.lua

local function resident()
  for line in io.lines("/proc/self/smaps_rollup") do
    local kib = line:match("^Rss:%s+(%d+)")
    if kib then return kib / 1024 end
  end
end

local before = resident()
local records = {}
for number = 1, 250000 do
  records[number] = {id = number, name = "record " .. number, tags = {"a", "b", number}, score = number / 2}
end
local peak = resident()
records = nil
collectgarbage()
local dropped = resident()
os.execute("sleep 0.5")

local later = resident()
print(string.format("MiB resident: %.1f before, %.1f peak, %.1f collected, %.1f half a second later",
  before, peak, dropped, later))
