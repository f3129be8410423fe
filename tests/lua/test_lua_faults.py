"""OS calls for memory fail in a stock interpreter, each once, then three in a row, then all from it on.

The script gets Lua's error or none, its data is whole, and the state works when the calls no longer fail. What fails is
chosen from outside, at the start: the interpreter's own start is reached, too.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from lua_support import Interpreter

SCRIPT = """
local hakmem = require "hakmem"
local function build()
  local kept = {}
  for number = 1, 20000 do kept[number] = {number} end
  for number = 1, 20000, 3 do kept[number] = ("x"):rep(number % 3000) end
  local sum = 0
  for number = 1, 20000 do
    local value = kept[number]
    sum = sum + (type(value) == "string" and #value or value[1])
  end
  return sum
end
local words = {}
for round = 1, 3 do
  local ok, answer = pcall(build)
  words[#words + 1] = ok and tostring(answer) or answer
  collectgarbage()
end
print(table.concat(words, " "))
"""
SUM = sum(n % 3000 if n % 3 == 1 else n for n in range(1, 20001))
REFUSED = "not enough memory"


@pytest.mark.parametrize("count", [1, 3, 0])
def test_calls_fail_one_after_another(lua: Interpreter, os_faults: Path, count: int) -> None:
    outcomes = {"done": 0, "refused": 0, "not started": 0}
    for first in [*range(1, 40), *range(40, 90, 7)]:
        result = lua.run(SCRIPT, LD_PRELOAD=str(os_faults), OS_FAULTS_FROM=f"{first},{count}", HAKMEM_DEBUG="1")
        assert result.returncode in (0, 1), (first, result)  # never by a signal
        if result.returncode == 1:
            # A failure before the script: the loader, or Lua itself, says so and ends.
            assert len(result.stderr.splitlines()) > 0, (first, result)
            outcomes["not started"] += 1
        elif REFUSED in result.stdout:
            outcomes["refused"] += 1
            if count > 0:
                assert result.stdout.endswith(f"{SUM}\n"), (first, result)  # the failure is over: it works
        else:
            assert result.stdout.split() == [str(SUM)] * 3, (first, result)
            outcomes["done"] += 1
    assert outcomes["done"] > 10, outcomes
    # What fewer calls refuse, hakmem mostly gets from what it can give back.
    assert outcomes["refused"] + outcomes["not started"] > 0 or count > 0, outcomes
