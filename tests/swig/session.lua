-- The scripted session in Lua; session.* in the other languages do the same. Output: a name, a tab, a value per line.
local folder = arg[1]
package.cpath = folder .. "/hakmem/bindings/lua/lua54/?.so;" .. folder .. "/helper_lua54/?.so"
local control = require "hakmem".control
local helper = require "helper"

local function tell(name, value) print(name .. "\t" .. tostring(value)) end
local function kind(value) return math.type(value) or type(value) end

local function fail_with(name, action)
    local has_worked, message = pcall(action)
    tell("error " .. name, has_worked and "none" or message)
end

tell("version", control.version())
control.option_set("purge_delay_ms", 125)
tell("number", control.option_get("purge_delay_ms"))
tell("number is", kind(control.option_get("purge_delay_ms")))
tell("text", control.option_get("thp"))

local heap = control.heap_new(1 << 19, 1 << 20, 1)
helper.make_blocks(heap, 100, 1000)
control.heap_set_limit(heap, 0, 2.0 ^ 39)
tell("limit that is a whole float", control.heap_stats(heap).hard_limit_bytes)
control.heap_set_limit(heap, 0, 1 << 40)
tell("helper's own core serves", helper.own_core_serves())
tell("heap", heap)
local figures = control.heap_stats(heap)
tell("used", figures.used_bytes .. " " .. figures.used_blocks .. " " .. figures.hard_limit_bytes)
tell("used is", kind(figures.used_bytes))
tell("live is", kind(control.stats().live_bytes))
local found = 0
for _, row in ipairs(control.stats().classes) do
    if row.live >= 100 and row.block_bytes == 1024 then found = found + 1 end
end
tell("classes", found)
for _, row in ipairs(control.options()) do
    if row.name == "thp" then tell("options", table.concat(row.choices, " ")) end
end
tell("options json", control.options_json())
tell("stats json", control.stats_json())

fail_with("unknown option is set", function() control.option_set("purge_delay", 1) end)
fail_with("unknown option is read", function() control.option_get("purge_delay") end)
fail_with("number that is text", function() control.option_set("purge_delay_ms", "soon") end)
fail_with("number too large", function() control.option_set("purge_delay_ms", 3600001) end)
fail_with("number too small", function() control.option_set("purge_delay_ms", -1) end)
fail_with("choice that is none", function() control.option_set("on_error", "explode") end)
fail_with("at start only", function() control.option_set("thp", "never") end)
fail_with("no name to read", function() control.option_get(nil) end)
fail_with("no name to set", function() control.option_set(nil, 1) end)
fail_with("no value", function() control.option_set("counters", nil) end)
fail_with("limit that is text", function() control.heap_new("much", 0) end)
fail_with("limit below zero", function() control.heap_new(0, -1) end)
fail_with("limit beyond 64 bits", function() control.heap_new(0, "18446744073709551616") end)
fail_with("no limit", function() control.heap_set_limit(heap, nil, 0) end)
fail_with("soft above hard", function() control.heap_new(20, 10) end)
fail_with("private that is neither", function() control.heap_new(0, 0, 2) end)
fail_with("unknown heap", function() control.heap_stats(999) end)
fail_with("heap that is text", function() control.heap_stats("first") end)
fail_with("no heap", function() control.heap_destroy(nil) end)
fail_with("limit that is not whole", function() control.heap_new(2.5, 0) end)
fail_with("value that is not whole", function() control.option_set("purge_delay_ms", 2.5) end)
fail_with("limit that is not a number", function() control.heap_new(-(0 / 0), 0) end)
fail_with("limit with a point", function() control.heap_new("2.5", 0) end)
fail_with("limit with a NUL", function() control.heap_new("12\0", 0) end)
fail_with("name with a NUL", function() control.option_get("purge_delay_ms\0") end)
fail_with("value with a NUL", function() control.option_set("purge_delay_ms", "12\0") end)
fail_with("limit that is long", function() control.heap_new(("9"):rep(100), 0) end)
local controls = "\27[31m\194\155\226\128\174"
fail_with("limit with controls", function() control.heap_new(controls, 0) end)
fail_with("name with controls", function() control.option_get(controls) end)
fail_with("name that is long", function() control.option_get(("x"):rep(100)) end)
fail_with("long name without a value", function() control.option_set(("x"):rep(100), nil) end)
fail_with("list as a value", function() control.option_set("counters", {1}) end)
fail_with("list as a name", function() control.option_get({1}) end)
fail_with("list as a heap", function() control.heap_stats({1}) end)

local function grown_bytes(action)
    local before = control.stats().live_bytes
    for _ = 1, 200 do action() end
    collectgarbage()
    return control.stats().live_bytes - before
end
tell("texts leak", grown_bytes(control.stats_json) + grown_bytes(control.options_json) > 200000 and "True" or "False")

tell("number after all", control.option_get("purge_delay_ms"))
helper.free_blocks()
tell("used after all", control.heap_stats(heap).used_bytes)
control.heap_destroy(heap)
fail_with("destroyed heap", function() control.heap_stats(heap) end)
tell("heaps", #control.heaps())
tell("trim is", kind(control.trim()))
