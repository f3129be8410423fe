/*
 * helper.i - helper.h for the scripts of the sessions.
 */
%module helper

%{
#include "helper.h"
%}

%include <stdint.i>
%include "values.i"
NUMBER_ARGUMENT(count, "the count", "a whole number")
NUMBER_ARGUMENT(size_bytes, "the size", "a whole number")

%rename("%(regex:/^helper_(.*)$/\\1/)s", %$isfunction) "";
%ignore SWIG_HELPER_H;
%include "helper.h"
