/*
 * hakmem.i - control of hakmem for every language that SWIG speaks: the functions of hakmem_control.h, without their prefix.
 *
 * How a language is added: docs/control.md. Values and errors: values.i.
 */
%module hakmem

%{
#include <hakmem_control.h>
%}

%include <stdint.i>
%include "values.i"

%define HAK_EXPORT
%enddef

/* Of the header, the functions: all else is C's own. */
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
"The figures of this process: a map of whole numbers, bytes where the name says so, with the size classes as the list
`classes` and the debug counters as the map `counters`.";

%feature("docstring") hak_control_stats_json
"The figures of this process and of every heap that has a number, as JSON.";

%feature("docstring") hak_control_trim
"Gives back to the OS all that holds no live block; the bytes of resident memory that this call gave back.";

%feature("docstring") hak_control_heap_new
"Makes a heap whose blocks are counted and limited; its number. Limits are bytes, 0 is none. With `is_private` 1 its blocks
lie in slabs that serve no other heap, and go back to the OS with it.";

%feature("docstring") hak_control_heap_destroy
"Ends the heap `number`. What a private one holds goes with it; the blocks of another live on.";

%feature("docstring") hak_control_heap_set_limit
"Sets the limits of the heap `number`, in bytes, 0 is none. What it holds already stays.";

%feature("docstring") hak_control_heap_stats
"What the heap `number` holds, its limits, and how often they refused: a map of whole numbers.";

%feature("docstring") hak_control_heaps
"A list of such maps, one for each heap that has a number.";

#ifdef SWIGPYTHON
%include "languages/python.i"
#endif

%include <hakmem_control.h>

#ifdef SWIGLUA
%include "languages/lua.i"
#endif
