/*
 * hakmem.i - control of hakmem for every language of SWIG: the functions of hakmem_control.h without hak_control_ in
 * front.
 *
 * values.i converts arguments, results and errors. docs/control.md says how to add a language.
 */
%module hakmem

%{
#include <hakmem_control.h>
%}

%include <stdint.i>
%include "values.i"

%define HAK_EXPORT
%enddef

/* Only functions are wrapped; types, macros and the two functions below are for C. */
%rename("%(regex:/^hak_control_(.*)$/\\1/)s", %$isfunction) "";
%ignore hak_control_text_free;
%ignore hak_control_heap;
%ignore hak_error_code;
%ignore hak_error;
%ignore hak_visitor;
%ignore hak_option_value;
%ignore HAK_ERROR_MESSAGE_BYTES;
%ignore HAKMEM_CONTROL_H;

%feature("docstring") hak_control_version
"The version of the hakmem that serves this process, as text: MAJOR.MINOR.PATCH.";

%feature("docstring") hak_control_option_get
"The value of the option `name`: a whole number where all its values are numbers, else text.";

%feature("docstring") hak_control_option_set
"Sets the option `name` for the whole process to `value`, a whole number or text.";

%feature("docstring") hak_control_options
"The option table: a list of maps, one per option, with its current value.";

%feature("docstring") hak_control_options_json
"The option table as JSON.";

%feature("docstring") hak_control_stats
"The figures of this process: a map of whole numbers (bytes where the name says so), the list `classes` of the size
classes, and the map `counters` of the debug counters.";

%feature("docstring") hak_control_stats_json
"The figures of this process and of every heap that has a number, as JSON.";

%feature("docstring") hak_control_trim
"Gives back to the OS all that holds no live block. Returns the bytes of resident memory given back.";

%feature("docstring") hak_control_heap_new
"Makes a heap whose blocks are counted and limited, and returns its number. Limits are in bytes, 0 is none. With
`is_private` 1 its blocks lie in slabs of its own, and heap_destroy frees all of them.";

%feature("docstring") hak_control_heap_destroy
"Destroys the heap `number`: the blocks of a private heap are freed, those of another stay valid.";

%feature("docstring") hak_control_heap_set_limit
"Sets the limits of the heap `number`, in bytes, 0 is none. Blocks that it holds already stay.";

%feature("docstring") hak_control_heap_stats
"The figures of the heap `number`: bytes and blocks in use, limits, refused requests; a map of whole numbers.";

%feature("docstring") hak_control_heaps
"The figures of all heaps that have a number: a list of maps as heap_stats returns them.";

#ifdef SWIGPYTHON
%include "languages/python.i"
#endif

%include <hakmem_control.h>

#ifdef SWIGLUA
%include "languages/lua.i"
#endif
