/*
 * values.i - how values go in and out, once for all languages.
 *
 * A language brings languages/NAME.h with: INPUT(value), argument_read, RAISE, RESULT_NONE, RESULT_COUNT, RESULT_TEXT,
 * RESULT_OWN_TEXT, own_text_begin, RESULT_ANSWER, Answer, answer_begin, answer_visitor. What they are is said in
 * docs/control.md.
 */
%{
#include "argument.h"
#include HAKMEM_SWIG_LANGUAGE
%}

/* ---- In ---- */

%typemap(in) const char *name (Argument argument, hak_error_t problem) {
    argument_read(INPUT($input), &argument);
    if (!argument_is_name(&argument, &problem)) RAISE(&problem);
    $1 = (char *)argument.text;
}

/* Behind the name, which is the first argument then. */
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

/* ---- Out: the code is `result`; an error becomes the language's, and there are no results then ---- */

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

/* The text is ours to free, also where the language has no memory for its own. */
%typemap(in, numinputs=0) char **text (char *place) {
    place = NULL;
    $1 = &place;
}
%typemap(check) char **text { $1 = own_text_begin(INPUT($1)); } /* after the arguments were counted */
%typemap(argout) char **text {
    if (result == HAK_ERROR_NONE) RESULT_OWN_TEXT($result, $1);
}

%typemap(in, numinputs=0) hak_option_value_t *value (hak_option_value_t place) { $1 = &place; }
%typemap(argout) hak_option_value_t *value {
    if (result == HAK_ERROR_NONE) {
        if ($1->is_number)
            RESULT_COUNT($result, $1->number);
        else
            RESULT_TEXT($result, $1->text);
    }
}

%typemap(in, numinputs=0) const hak_visitor_t *visitor (Answer answer, hak_visitor_t teller) {
    answer_begin(INPUT(&answer));
    teller = answer_visitor(&answer);
    $1 = &teller;
}
%typemap(argout) const hak_visitor_t *visitor {
    if (result == HAK_ERROR_NONE) RESULT_ANSWER($result, &answer$argnum);
}

%typemap(out) const char * { RESULT_TEXT($result, $1); }
