/*
 * host.c - a process with one core, in which Ruby and Tcl have their control modules loaded: both must see its blocks.
 *
 *     host FOLDER      prints what the two say, a name, a tab and a value per line
 *
 * The host makes a heap and blocks. Ruby reads the figures and sets a limit, Tcl reads them and trims.
 */
#include <ruby.h>
#include <tcl.h>

#include <hakmem_control.h>
#include <stdio.h>

#define RUN(command) \
    if ((command) != 0) return fprintf(stderr, "host.c:%d: %s\n", __LINE__, #command), 1

static char script[8192];

static int run_ruby(void) {
    int state = 0;
    (void)rb_eval_string_protect(script, &state);
    if (state == 0) return 0;
    VALUE text = rb_obj_as_string(rb_errinfo());
    fprintf(stderr, "ruby: %s\n", StringValueCStr(text));
    return 1;
}

static int run_tcl(Tcl_Interp *interp) {
    if (Tcl_Eval(interp, script) == TCL_OK) return 0;
    fprintf(stderr, "tcl: %s\n", Tcl_GetStringResult(interp));
    return 1;
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    const char *folder = arguments[1];
    hak_error_t error;
    uint64_t number;
    RUN(hak_control_heap_new(0, 1 << 20, 1, &number, &error));
    for (int block = 0; block < 100; block++) RUN(hak_heap_malloc(hak_control_heap(number), 1000) == NULL);

    char *text;
    RUN(hak_control_stats_json(&text, &error));
    printf("host\t%s\n", text);
    hak_control_text_free(text);
    fflush(stdout);

    ruby_sysinit(&count, &arguments);
    RUN(ruby_setup());
    snprintf(script, sizeof script,
             "require '%s/hakmem/swig/ruby/hakmem.so'\n"
             "STDOUT.syswrite(\"ruby\\t#{Hakmem.stats_json}\\n\")\n"
             "Hakmem.heap_set_limit(%d, 0, 2 << 20)\n",
             folder, (int)number);
    RUN(run_ruby());

    Tcl_Interp *interp = Tcl_CreateInterp();
    snprintf(script, sizeof script,
             "load %s/hakmem/swig/tcl/hakmem.so Hakmem\n"
             "puts \"tcl\\t[hakmem::stats_json]\"\n"
             "puts \"trim\\t[hakmem::trim]\"\n",
             folder);
    RUN(run_tcl(interp));

    /* The limit that Ruby set is the host's heap's. */
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    RUN(hak_heap_stats_get(hak_control_heap(number), &stats));
    printf("limit\t%llu\n", (unsigned long long)stats.hard_limit_bytes);
    return 0;
}
