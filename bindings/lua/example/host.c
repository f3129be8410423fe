/*
 * host.c - an example host: many Lua states with limits, served by a pool of threads.
 *
 *     host [STATES] [THREADS]         (64 states, 4 threads)
 *
 * Every state is a tenant with 16 MiB at most. Each turn of a tenant runs a small script in its state, on whichever
 * thread is free: half of the tenants load a document and drop it, some keep a little, one runs away. The program
 * prints what each kind of tenant holds, and resident memory before, at the peak, after the tenants were idle, and
 * after they were closed.
 *
 * Build:  cc host.c $(pkg-config --cflags --libs hakmem-lua54) -pthread
 */
#include <hakmem_lua.h>
#include <lauxlib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_BYTES ((uint64_t)16 << 20)
enum { STATES_MAX = 10000, THREADS_MAX = 64, TURNS = 6 };

/* ---- Tenants ---- */

typedef struct Kind {
    const char *name, *script;
} Kind;

static const Kind kinds[] = {
    {"loads and drops", "local records = {} "
                        "for number = 1, 6000 do records[number] = {id = number, name = 'record ' .. number} end "
                        "total = (total or 0) + #records"},
    {"keeps a little", "kept = kept or {} "
                       "for number = 1, 200 do kept[#kept + 1] = {id = number, text = ('x'):rep(20)} end"},
    {"calculates", "local sum = 0 for number = 1, 20000 do sum = sum + number % 7 end total = sum"},
    {"runs away", "local held = {} for number = 1, 1e9 do held[number] = {number} end"},
};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds, RUNS_AWAY = KIND_COUNT - 1 };

typedef struct Tenant {
    lua_State *L;
    unsigned kind, turns, errors;
    char message[80]; /* of the last error */
} Tenant;

static Tenant tenants[STATES_MAX];
static size_t tenant_count;

static void take_turn(Tenant *tenant) {
    lua_State *L = tenant->L;
    tenant->turns++;
    if (luaL_loadstring(L, kinds[tenant->kind].script) != 0 || lua_pcall(L, 0, 0, 0) != 0) {
        const char *message = lua_tostring(L, -1);
        snprintf(tenant->message, sizeof tenant->message, "%s",
                 message != NULL ? message : "an error without a message");
        tenant->errors++;
    }
    lua_settop(L, 0);
}

/* ---- The pool: a queue of tenants, each in it at most once, so that one thread at a time uses a state ---- */

static struct {
    pthread_mutex_t lock;
    size_t next, turns_left;
} queue = {PTHREAD_MUTEX_INITIALIZER, 0, 0};

static Tenant *queue_take(void) {
    pthread_mutex_lock(&queue.lock);
    Tenant *tenant = queue.next < tenant_count ? &tenants[queue.next++] : NULL;
    pthread_mutex_unlock(&queue.lock);
    return tenant;
}

static void *worker(void *unused) {
    (void)unused;
    for (Tenant *tenant = queue_take(); tenant != NULL; tenant = queue_take()) take_turn(tenant);
    return NULL;
}

static int run_turns(size_t thread_count) {
    for (int turn = 0; turn < TURNS; turn++) {
        pthread_t threads[THREADS_MAX];
        queue.next = 0;
        for (size_t number = 0; number < thread_count; number++)
            if (pthread_create(&threads[number], NULL, worker, NULL) != 0) return -1;
        for (size_t number = 0; number < thread_count; number++) pthread_join(threads[number], NULL);
    }
    return 0;
}

/* ---- Figures ---- */

static double resident_mib(const char *field) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    double kib = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, field, strlen(field)) == 0) kib = strtod(line + strlen(field), NULL);
    if (file != NULL) fclose(file);
    return kib / 1024;
}

static void print_kind(unsigned kind) {
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    uint64_t used = 0, peak = 0, refused = 0;
    unsigned count = 0, errors = 0;
    const char *message = "";
    for (size_t index = 0; index < tenant_count; index++) {
        if (tenants[index].kind != kind) continue;
        if (hak_lua_stats_get(hak_lua_state_of(tenants[index].L), &stats) != 0) continue;
        count++;
        used += stats.used_bytes;
        if (stats.peak_bytes > peak) peak = stats.peak_bytes;
        refused += stats.hard_refusals;
        errors += tenants[index].errors;
        if (tenants[index].errors != 0) message = tenants[index].message;
    }
    if (count == 0) return;
    printf("%-16s %6u %10.1f %10.1f %9llu %7u  %s\n", kinds[kind].name, count, (double)used / count / 1024,
           (double)peak / 1024, (unsigned long long)refused, errors, message);
}

static void collect_all(void) {
    for (size_t index = 0; index < tenant_count; index++) {
        (void)lua_gc(tenants[index].L, LUA_GCCOLLECT, 0);
        (void)lua_gc(tenants[index].L, LUA_GCCOLLECT, 0); /* what finalizers let go */
    }
    (void)hak_trim();
}

/* A whole number from 1 to `maximum`, or 0 after a message. */
static size_t read_count(const char *text, const char *what, size_t maximum) {
    char *end;
    long count = strtol(text, &end, 10);
    if (*text != '\0' && *end == '\0' && count >= 1 && (size_t)count <= maximum) return (size_t)count;
    fprintf(stderr, "host: %s must be a number from 1 to %zu, not %s\n", what, maximum, text);
    return 0;
}

int main(int argument_count, char **arguments) {
    tenant_count = argument_count > 1 ? read_count(arguments[1], "STATES", STATES_MAX) : 64;
    size_t thread_count = argument_count > 2 ? read_count(arguments[2], "THREADS", THREADS_MAX) : 4;
    if (tenant_count == 0 || thread_count == 0) return 2;

    double before = resident_mib("VmRSS:");
    hak_lua_options options = HAK_LUA_OPTIONS_INIT;
    options.hard_limit_bytes = LIMIT_BYTES;
    for (size_t index = 0; index < tenant_count; index++) {
        /* One runaway; the others by turns. */
        tenants[index].kind = index == 0 ? RUNS_AWAY : (unsigned)(index % RUNS_AWAY);
        tenants[index].L = hak_lua_open(&options);
        if (tenants[index].L == NULL) {
            perror("host: a state could not be opened");
            return 1;
        }
    }
    double opened = resident_mib("VmRSS:");
    if (run_turns(thread_count) != 0) {
        fprintf(stderr, "host: a thread could not be started\n");
        return 1;
    }
    double peak = resident_mib("VmHWM:");
    collect_all();
    printf("%zu states, at most %.0f MiB each, on %zu threads, %d turns each\n\n", tenant_count,
           (double)LIMIT_BYTES / (1 << 20), thread_count, TURNS);
    printf("%-16s %6s %10s %10s %9s %7s\n", "tenants", "states", "used KiB", "peak KiB", "refusals", "errors");
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) print_kind(kind);
    double idle = resident_mib("VmRSS:");
    for (size_t index = 0; index < tenant_count; index++) hak_lua_close(tenants[index].L);
    (void)hak_trim();
    printf("\nMiB resident: %.1f before, %.1f all open, %.1f peak, %.1f collected and idle, %.1f all closed\n", before,
           opened, peak, idle, resident_mib("VmRSS:"));
    return 0;
}
