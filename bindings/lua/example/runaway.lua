-- runaway.lua - a script that runs away under a limit of 16 MiB, and the next one in the same state.
local hakmem = require "hakmem"
hakmem.limit(0, 16 * 2^20)
print(pcall(function()
  local held = {}
  for number = 1, 1e9 do held[number] = {number} end
end))
local parts = {}
for number = 1, 1000 do parts[number] = "part " .. number end
print(#table.concat(parts), hakmem.stats().state.peak_bytes, hakmem.stats().state.hard_refusals)
