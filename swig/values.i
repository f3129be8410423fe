/*
 * values.i - SWIG typemaps that convert arguments and results, the same for all languages.
 *
 * languages/NAME.h defines for its language: INPUT(value), argument_read, RAISE, RESULT_NONE, RESULT_COUNT,
 * RESULT_TEXT, RESULT_OWN_TEXT, own_text_begin, RESULT_ANSWER, Answer, answer_begin, answer_visitor. docs/control.md
 * describes them.
 */
%{
#include "argument.h"
#include HAKMEM_SWIG_LANGUAGE
%}

/* ---- Arguments ---- */

%typemap(in) const char *name (Argument argument, hak_error_t problem) {
    argument_read(INPUT($input), &argument);
    if (!argument_is_name(&argument, &problem)) RAISE(&problem);
    $1 = (char *)argument.text;
}

/* The value follows the name, which SWIG has read into arg1. */
%typemap(in) const char *value (Argument argument, hak_error_t problem) {
    argument_read(INPUT($input), &argument);
    if (!argument_is_value(&argument, arg1, &problem)) RAISE(&problem);
    $1 = (char *)argument.text;
}

%define NUMBER_ARGUMENT(name, what, wanted)
%typemap(in) uint64_t name (Argument argument, hak_error_t problem) {
    argument_read(INPUT($input), &argument);
    if (!argument_is_number(&argument, what, wanted, &$1, &problem)) RAISE(&problem);
}
%enddef
NUMBER_ARGUMENT(number, "the heap", "the number of a heap")
NUMBER_ARGUMENT(soft_limit_bytes, "the soft limit", "a whole number of bytes, or 0 for none")
NUMBER_ARGUMENT(hard_limit_bytes, "the hard limit", "a whole number of bytes, or 0 for none")

%typemap(in) int is_private (Argument argument, hak_error_t problem) {
    argument_read(INPUT($input), &argument);
    if (!argument_is_flag(&argument, "is_private", &$1, &problem)) RAISE(&problem);
}
%typemap(default) int is_private "$1 = 0;"

/* ---- Results. `result` is the hak_error_code: an error is raised in the language, and no result is set ---- */

%typemap(in, numinputs=0) hak_error_t *error (hak_error_t problem) {
    problem.code = HAK_ERROR_NONE;
    $1 = &problem;
}
%typemap(argout) hak_error_t *error {
    if (result != HAK_ERROR_NONE) RAISE($1);
}
%typemap(out) int { RESULT_NONE($result); }

%typemap(in, numinputs=0) uint64_t *OUTPUT_COUNT (uint64_t count) {
    count = 0;
    $1 = &count;
}
%typemap(argout) uint64_t *OUTPUT_COUNT {
    if (result == HAK_ERROR_NONE) RESULT_COUNT($result, *$1);
}
%apply uint64_t *OUTPUT_COUNT { uint64_t *number, uint64_t *given_back_bytes };

/* The wrapper frees the text, also where the language runs out of memory for its copy. */
%typemap(in, numinputs=0) char **text (char *own_text) {
    own_text = NULL;
    $1 = &own_text;
}
%typemap(check) char **text { $1 = own_text_begin(INPUT($1)); } /* SWIG has counted the arguments by then */
%typemap(argout) char **text {
    if (result == HAK_ERROR_NONE) RESULT_OWN_TEXT($result, $1);
}

%typemap(in, numinputs=0) hak_option_value_t *value (hak_option_value_t option_value) { $1 = &option_value; }
%typemap(argout) hak_option_value_t *value {
    if (result == HAK_ERROR_NONE) {
        if ($1->is_number)
            RESULT_COUNT($result, $1->number);
        else
            RESULT_TEXT($result, $1->text);
    }
}

%typemap(in, numinputs=0) const hak_visitor_t *visitor (Answer answer, hak_visitor_t builder) {
    answer_begin(INPUT(&answer));
    builder = answer_visitor(&answer);
    $1 = &builder;
}
%typemap(argout) const hak_visitor_t *visitor {
    if (result == HAK_ERROR_NONE) RESULT_ANSWER($result, &answer$argnum);
}

%typemap(out) const char * { RESULT_TEXT($result, $1); }
