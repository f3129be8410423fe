# The scripted session in Ruby; session.* in the other languages do the same. Output: a name, a tab, a value per line.
folder = ARGV[0]
require "#{folder}/hakmem/swig/ruby/hakmem.so"
require "#{folder}/helper_ruby/helper.so"

def tell(name, value) = puts("#{name}\t#{value}")
def kind(value) = value.is_a?(Integer) ? "integer" : value.class.name

def fail_with(name)
  yield
  tell("error #{name}", "none")
rescue StandardError => error
  tell("error #{name}", error.message)
end

tell("version", Hakmem.version)
Hakmem.option_set("purge_delay_ms", 125)
tell("number", Hakmem.option_get("purge_delay_ms"))
tell("number is", kind(Hakmem.option_get("purge_delay_ms")))
tell("text", Hakmem.option_get("thp"))

heap = Hakmem.heap_new(1 << 19, 1 << 20, 1)
Helper.make_blocks(heap, 100, 1000)
Hakmem.heap_set_limit(heap, 0, 2.0**39)
tell("limit that is a whole float", Hakmem.heap_stats(heap)["hard_limit_bytes"])
Hakmem.heap_set_limit(heap, 0, 1 << 40)
tell("helper's own core serves", Helper.own_core_serves)
tell("heap", heap)
figures = Hakmem.heap_stats(heap)
tell("used", "#{figures["used_bytes"]} #{figures["used_blocks"]} #{figures["hard_limit_bytes"]}")
tell("used is", kind(figures["used_bytes"]))
tell("live is", kind(Hakmem.stats["live_bytes"]))
tell("classes", Hakmem.stats["classes"].select { |row| row["live"] >= 100 && row["block_bytes"] == 1024 }.length)
tell("options", Hakmem.options.find { |row| row["name"] == "thp" }["choices"].join(" "))
tell("options json", Hakmem.options_json)
tell("stats json", Hakmem.stats_json)

fail_with("unknown option is set") { Hakmem.option_set("purge_delay", 1) }
fail_with("unknown option is read") { Hakmem.option_get("purge_delay") }
fail_with("number that is text") { Hakmem.option_set("purge_delay_ms", "soon") }
fail_with("number too large") { Hakmem.option_set("purge_delay_ms", 3600001) }
fail_with("number too small") { Hakmem.option_set("purge_delay_ms", -1) }
fail_with("choice that is none") { Hakmem.option_set("on_error", "explode") }
fail_with("at start only") { Hakmem.option_set("thp", "never") }
fail_with("no name to read") { Hakmem.option_get(nil) }
fail_with("no name to set") { Hakmem.option_set(nil, 1) }
fail_with("no value") { Hakmem.option_set("counters", nil) }
fail_with("limit that is text") { Hakmem.heap_new("much", 0) }
fail_with("limit below zero") { Hakmem.heap_new(0, -1) }
fail_with("limit beyond 64 bits") { Hakmem.heap_new(0, 18446744073709551616) }
fail_with("no limit") { Hakmem.heap_set_limit(heap, nil, 0) }
fail_with("soft above hard") { Hakmem.heap_new(20, 10) }
fail_with("private that is neither") { Hakmem.heap_new(0, 0, 2) }
fail_with("unknown heap") { Hakmem.heap_stats(999) }
fail_with("heap that is text") { Hakmem.heap_stats("first") }
fail_with("no heap") { Hakmem.heap_destroy(nil) }
fail_with("limit that is not whole") { Hakmem.heap_new(2.5, 0) }
fail_with("value that is not whole") { Hakmem.option_set("purge_delay_ms", 2.5) }
fail_with("limit that is not a number") { Hakmem.heap_new(Float::NAN, 0) }
fail_with("limit with a point") { Hakmem.heap_new("2.5", 0) }
fail_with("limit with a NUL") { Hakmem.heap_new("12\0", 0) }
fail_with("name with a NUL") { Hakmem.option_get("purge_delay_ms\0") }
fail_with("value with a NUL") { Hakmem.option_set("purge_delay_ms", "12\0") }
fail_with("limit that is long") { Hakmem.heap_new("9" * 100, 0) }
controls = "\e[31m\u009b\u202e"
fail_with("limit with controls") { Hakmem.heap_new(controls, 0) }
fail_with("name with controls") { Hakmem.option_get(controls) }
fail_with("name that is long") { Hakmem.option_get("x" * 100) }
fail_with("long name without a value") { Hakmem.option_set("x" * 100, nil) }
fail_with("list as a value") { Hakmem.option_set("counters", [1]) }
fail_with("list as a name") { Hakmem.option_get([1]) }
fail_with("list as a heap") { Hakmem.heap_stats([1]) }

def grown_bytes
  before = Hakmem.stats["live_bytes"]
  200.times { yield }
  Hakmem.stats["live_bytes"] - before
end
leaked = grown_bytes { Hakmem.stats_json } + grown_bytes { Hakmem.options_json }
tell("texts leak", leaked > 200000 ? "True" : "False")

tell("number after all", Hakmem.option_get("purge_delay_ms"))
Helper.free_blocks
tell("used after all", Hakmem.heap_stats(heap)["used_bytes"])
Hakmem.heap_destroy(heap)
fail_with("destroyed heap") { Hakmem.heap_stats(heap) }
tell("heaps", Hakmem.heaps.length)
tell("trim is", kind(Hakmem.trim))
