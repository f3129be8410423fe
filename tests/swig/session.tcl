# The scripted session in Tcl; session.* in the other languages do the same. Output: a name, a tab, a value per line.
set folder [lindex $argv 0]
load $folder/hakmem/swig/tcl/hakmem.so Hakmem
load $folder/helper_tcl/helper.so Helper

proc tell_value {name value} { puts "$name\t$value" }
proc kind {value} { expr {[string is wideinteger -strict $value] ? "integer" : "text"} }
proc fail_with {name script} {
    if {[catch {uplevel #0 $script} message]} { tell_value "error $name" $message } else { tell_value "error $name" none }
}

tell_value version [hakmem::version]
hakmem::option_set purge_delay_ms 125
tell_value number [hakmem::option_get purge_delay_ms]
tell_value "number is" [kind [hakmem::option_get purge_delay_ms]]
tell_value text [hakmem::option_get thp]

set heap [hakmem::heap_new [expr {1 << 19}] [expr {1 << 20}] 1]
helper::make_blocks $heap 100 1000
hakmem::heap_set_limit $heap 0 [expr {2.0 ** 39}]
tell_value "limit that is a whole float" [dict get [hakmem::heap_stats $heap] hard_limit_bytes]
hakmem::heap_set_limit $heap 0 [expr {1 << 40}]
tell_value "helper's own core serves" [helper::own_core_serves]
tell_value heap $heap
set figures [hakmem::heap_stats $heap]
tell_value used "[dict get $figures used_bytes] [dict get $figures used_blocks] [dict get $figures hard_limit_bytes]"
tell_value "used is" [kind [dict get $figures used_bytes]]
tell_value "live is" [kind [dict get [hakmem::stats] live_bytes]]
set found 0
foreach row [dict get [hakmem::stats] classes] {
    if {[dict get $row live] >= 100 && [dict get $row block_bytes] == 1024} { incr found }
}
tell_value classes $found
foreach row [hakmem::options] {
    if {[dict get $row name] eq "thp"} { tell_value options [dict get $row choices] }
}
tell_value "options json" [hakmem::options_json]
tell_value "stats json" [hakmem::stats_json]

fail_with "unknown option is set" {hakmem::option_set purge_delay 1}
fail_with "unknown option is read" {hakmem::option_get purge_delay}
fail_with "number that is text" {hakmem::option_set purge_delay_ms soon}
fail_with "number too large" {hakmem::option_set purge_delay_ms 3600001}
fail_with "number too small" {hakmem::option_set purge_delay_ms -1}
fail_with "choice that is none" {hakmem::option_set on_error explode}
fail_with "at start only" {hakmem::option_set thp never}
fail_with "no name to read" {hakmem::option_get {}}
fail_with "no name to set" {hakmem::option_set {} 1}
fail_with "no value" {hakmem::option_set counters {}}
fail_with "limit that is text" {hakmem::heap_new much 0}
fail_with "limit below zero" {hakmem::heap_new 0 -1}
fail_with "limit beyond 64 bits" {hakmem::heap_new 0 18446744073709551616}
fail_with "no limit" {hakmem::heap_set_limit $heap {} 0}
fail_with "soft above hard" {hakmem::heap_new 20 10}
fail_with "private that is neither" {hakmem::heap_new 0 0 2}
fail_with "unknown heap" {hakmem::heap_stats 999}
fail_with "heap that is text" {hakmem::heap_stats first}
fail_with "no heap" {hakmem::heap_destroy {}}
fail_with "limit with a point" {hakmem::heap_new 2.5 0}
fail_with "limit with a NUL" {hakmem::heap_new "12\0" 0}
fail_with "name with a NUL" {hakmem::option_get "purge_delay_ms\0"}
fail_with "value with a NUL" {hakmem::option_set purge_delay_ms "12\0"}
fail_with "limit that is long" {hakmem::heap_new [string repeat 9 100] 0}
set controls "\x1b\[31m\u009b\u202e"
fail_with "limit with controls" {hakmem::heap_new $controls 0}
fail_with "name with controls" {hakmem::option_get $controls}
fail_with "name that is long" {hakmem::option_get [string repeat x 100]}
fail_with "long name without a value" {hakmem::option_set [string repeat x 100] {}}

proc grown_bytes {script} {
    set before [dict get [hakmem::stats] live_bytes]
    for {set number 0} {$number < 200} {incr number} $script
    expr {[dict get [hakmem::stats] live_bytes] - $before}
}
set leaked [expr {[grown_bytes hakmem::stats_json] + [grown_bytes hakmem::options_json]}]
tell_value "texts leak" [expr {$leaked > 200000 ? "True" : "False"}]

tell_value "number after all" [hakmem::option_get purge_delay_ms]
helper::free_blocks
tell_value "used after all" [dict get [hakmem::heap_stats $heap] used_bytes]
hakmem::heap_destroy $heap
fail_with "destroyed heap" {hakmem::heap_stats $heap}
tell_value heaps [llength [hakmem::heaps]]
tell_value "trim is" [kind [hakmem::trim]]
