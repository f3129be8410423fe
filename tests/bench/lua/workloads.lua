-- The measured process: builds a heap, drops all of it but a share of survivors, collects, idles.
--
--     lua workloads.lua NAME SCALE SURVIVORS_PER_THOUSAND [still [ROUNDS]]
--
-- With `still` it writes the marks base, held and dropped, each on a line, and stands still at each until a line comes in.
-- With ROUNDS each of so many is dropped and collected before the next one; else there are three, the earlier ones garbage.
-- At the end it prints the cpu seconds of building and dropping, a sum over the survivors that is the same in every run,
-- and the cpu seconds at the beginning and after each round.

local name, scale, per_thousand, still, churned = ...
scale, per_thousand = tonumber(scale), tonumber(per_thousand)
local rounds = tonumber(churned) or 3

local function stand_still(mark)
  if still then
    io.write(mark, "\n")
    io.flush()
    io.read("*l")
  end
end

-- Numbers that look random and are the same everywhere.
local seed = 20
local function random(limit)
  seed = (seed * 16807) % 2147483647
  return seed % limit + 1
end

-- Each builds item `number`; weight() is what the sum counts of it.
local builders = {}

function builders.tables(number)
  return {id = number, name = number % 100, tags = {number, number + 1}, position = {x = number, y = -number}}
end

function builders.closures(number)
  local step, calls = number % 7, 0
  local function inner() calls = calls + step return calls end
  return {run = function(times) for _ = 1, times do inner() end return calls end}
end

function builders.strings(number)
  return "item " .. number .. ("abcdefgh"):rep(random(random(60)))
end

local function tree(depth)
  if depth == 0 then return {false, false} end
  return {tree(depth - 1), tree(depth - 1)}
end

function builders.tree(number)
  return tree(5)
end

-- A document is written as text, read back, and looked at: strings, tables, closures, a coroutine.
function builders.mixed(number)
  local parts = {}
  for field = 1, 6 do parts[field] = "field" .. field .. "=" .. number * field .. ";" end
  local text = table.concat(parts)
  local document = {text = text, fields = {}}
  for key, value in text:gmatch("(%w+)=(%d+);") do document.fields[key] = tonumber(value) end
  document.get = function(key) return document.fields[key] end
  if number % 16 == 0 then
    document.each = coroutine.wrap(function() for key in pairs(document.fields) do coroutine.yield(key) end end)
    document.each()
  end
  return document
end

local counts = {tables = 150000, closures = 150000, strings = 250000, tree = 12000, mixed = 25000}

local function weight(item)
  if type(item) == "string" then return #item end
  if name == "tree" then
    local function count(node) return node and 1 + count(node[1]) + count(node[2]) or 0 end
    return count(item)
  end
  if item.run then return item.run(3) end
  return item.id and item.id + item.position.y + item.tags[2] or item.get("field6")
end

local build, count = assert(builders[name], "no such workload"), math.floor(counts[name] * scale)

collectgarbage()
collectgarbage()
stand_still("base")

local start = os.clock()
local marks = {string.format("%.6f", start)}
local items, sum = nil, 0
for round = 1, rounds do -- without `churned` the rounds before the last are garbage while the next ones are built
  if churned and items then
    sum = sum + weight(items[count])
    items = nil
    collectgarbage()
  end
  items = {}
  for number = 1, count do items[number] = build(number) end
  marks[round + 1] = string.format("%.6f", os.clock())
end
local seconds = os.clock() - start
stand_still("held")

start = os.clock()
local survivors = {}
if per_thousand > 0 then
  local distance = math.floor(1000 / per_thousand)
  for number = distance, count, distance do survivors[#survivors + 1] = items[number] end
end
items = nil
collectgarbage()
collectgarbage()
seconds = seconds + os.clock() - start
stand_still("dropped")

for _, item in ipairs(survivors) do sum = sum + weight(item) end
local figures = '{"seconds": %.6f, "survivors": %d, "sum": %d, "cpu_marks": [%s]}'
print(string.format(figures, seconds, #survivors, sum, table.concat(marks, ", ")))
