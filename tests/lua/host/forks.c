/*
 * forks.c - a host forks while its threads open, run and close states: the child goes on with the states that it has,
 * closes them, and opens new ones.
 *
 *     forks COUNT
 *
 * Exit code 0 when every child did; otherwise one line says what did not hold.
 */
#include <hakmem_lua.h>
#include <lauxlib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KINDS = 3, THREADS = 3, CHILD_SECONDS_MAX = 60 };

static atomic_bool is_over;

/* LuaJIT registers what it compiles with the compiler's library, whose lock a child may inherit from a thread that it
 * has not. */
static const char *const work =
    "if jit then jit.off() end "
    "local held = {} for number = 1, 2000 do held[number] = {tostring(number)} end kept = (kept or 0) + #held";

/* Shared heap, private heap, limited. NULL: it could not be opened. */
static lua_State *open_kind(unsigned kind) {
    hak_lua_options options = HAK_LUA_OPTIONS_INIT;
    options.private_heap = kind == 1;
    if (kind == 2) options.hard_limit_bytes = 8u << 20;
    return hak_lua_open(&options);
}

static int run_work(lua_State *L) { return luaL_loadstring(L, work) != 0 || lua_pcall(L, 0, 0, 0) != 0; }

static int open_run_close(unsigned kind) {
    lua_State *L = open_kind(kind);
    if (L == NULL) return 1;
    int error = run_work(L);
    hak_lua_close(L);
    return error;
}

static void *keep_busy(void *unused) {
    for (unsigned kind = 0; !atomic_load(&is_over); kind = (kind + 1) % KINDS)
        if (open_run_close(kind) != 0) return &is_over;
    return unused;
}

/* The code of its exit: what did not hold. */
static int child(lua_State *const *states) {
    (void)alarm(CHILD_SECONDS_MAX);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        if (run_work(states[kind]) != 0) return 1;
        hak_lua_close(states[kind]);
    }
    for (unsigned kind = 0; kind < KINDS; kind++)
        if (open_run_close(kind) != 0) return 2;
    return hak_check() == 0 ? 0 : 3;
}

static int fork_once(lua_State *const *states) {
    static const char *const what[] = {"", "a state of the parent's ran", "a new state ran", "hak_check found nothing"};
    int status;
    pid_t process = fork();
    if (process == 0) _exit(child(states));
    if (process < 0 || waitpid(process, &status, 0) != process) {
        fprintf(stderr, "no child\n");
        return 1;
    }
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "a child ended by signal %d\n", WTERMSIG(status));
        return 1;
    }
    if (WEXITSTATUS(status) != 0) fprintf(stderr, "does not hold in a child: %s\n", what[WEXITSTATUS(status) & 3]);
    return WEXITSTATUS(status);
}

int main(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 1, failures = 0;
    lua_State *states[KINDS];
    pthread_t threads[THREADS];
    for (unsigned kind = 0; kind < KINDS; kind++)
        if ((states[kind] = open_kind(kind)) == NULL || run_work(states[kind]) != 0) return 1;
    for (unsigned number = 0; number < THREADS; number++)
        if (pthread_create(&threads[number], NULL, keep_busy, NULL) != 0) return 1;
    for (int number = 0; number < count && failures == 0; number++) failures += fork_once(states) != 0;
    atomic_store(&is_over, 1);
    for (unsigned number = 0; number < THREADS; number++) {
        void *failed;
        (void)pthread_join(threads[number], &failed);
        failures += failed != NULL;
    }
    for (unsigned kind = 0; kind < KINDS; kind++) {
        failures += run_work(states[kind]) != 0;
        hak_lua_close(states[kind]);
    }
    return failures != 0 || hak_check() != 0;
}
