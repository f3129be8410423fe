/*
 * python.i - keyword arguments, and signatures in the docstrings, since inspect cannot read them from compiled
 * functions.
 */
%feature("kwargs");
%feature("autodoc", "option_get(name)") hak_control_option_get;
%feature("autodoc", "option_set(name, value)") hak_control_option_set;
%feature("autodoc", "options()") hak_control_options;
%feature("autodoc", "options_json()") hak_control_options_json;
%feature("autodoc", "stats()") hak_control_stats;
%feature("autodoc", "stats_json()") hak_control_stats_json;
%feature("autodoc", "trim()") hak_control_trim;
%feature("autodoc", "heap_new(soft_limit_bytes, hard_limit_bytes, is_private=0)") hak_control_heap_new;
%feature("autodoc", "heap_destroy(number)") hak_control_heap_destroy;
%feature("autodoc", "heap_set_limit(number, soft_limit_bytes, hard_limit_bytes)") hak_control_heap_set_limit;
%feature("autodoc", "heap_stats(number)") hak_control_heap_stats;
%feature("autodoc", "heaps()") hak_control_heaps;
