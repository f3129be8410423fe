"""The measuring side: resident memory as the kernel counts it, never as hakmem's own counters do.

Layers, bottom up; each imports only those above it in this list:

    measure_error, extras MeasureError; the libraries that come with `pip install hakmem[measure]`
    interrupts, output_tail
                          signals that are only noted; the end of what a program prints
    kernel, languages     one process in /proc: sums, mappings, processor time; which interpreter it is
    marks, server         inside the measured process: named moments; the socket that `hakmem stats` asks. They import
                          nothing from outside the standard library
    sampler, files        a process tree over time; outputs that are not overwritten by accident
    launcher, child_program
                          the small process between compare and a program; that program, seen from here
    curve_file, allocators, programs, runs, figures
                          the file of `hakmem record`; what compare runs, under what, once; medians and spread
    client, prometheus    the other end of the socket
    remote, pools, glibc_heap, breakdown, diagnosis
                          reads the memory of a process; where resident memory is, and what that means
    tables, chart, page   text, picture, HTML; what comes from outside goes through hakmem/shown.py
    presentation          all forms of a comparison's result, so that none costs another
    verdict, compare, record, doctor
                          the commands as a whole

Importing this package, or `hakmem`, imports none of them.
"""
