/*
 * states.c - what a C host sees: the allocator's contract, limits, private heaps, threads. One case per call:
 *
 *     states CASE
 *
 * Exit code 0 when the case holds; otherwise one line says which requirement did not, and where.
 */
#include <errno.h>
#include <hakmem_lua.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define HAS_TAGS (LUA_VERSION_NUM >= 502)

static hak_heap_stats_t stats_of(lua_State *L) {
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    REQUIRE(hak_lua_stats_get(hak_lua_state_of(L), &stats) == 0);
    return stats;
}

static uint64_t live_blocks(void) {
    hak_stats_t stats = HAK_STATS_INIT;
    REQUIRE(hak_stats_get(&stats) == 0);
    return stats.live_blocks;
}

static lua_State *open_with(uint64_t soft, uint64_t hard, int private_heap) {
    hak_lua_options options = HAK_LUA_OPTIONS_INIT;
    options.soft_limit_bytes = soft;
    options.hard_limit_bytes = hard;
    options.private_heap = private_heap;
    lua_State *L = hak_lua_open(&options);
    REQUIRE(L != NULL);
    return L;
}

/* 0, or the error, whose message is then on the stack. */
static int run_text(lua_State *L, const char *text) {
    int error = luaL_loadstring(L, text);
    return error != 0 ? error : lua_pcall(L, 0, 0, 0);
}

static const char *const runaway = "local held = {} for number = 1, 1e9 do held[number] = {number} end";
static const char *const modest = "local held = {} for number = 1, 1000 do held[number] = {number} end kept = #held";

/* ---- The allocator ---- */

static void contract_with(void *ud) {
    REQUIRE(hak_lua_alloc(ud, NULL, 0, 0) == NULL);
    REQUIRE(hak_lua_alloc(ud, NULL, LUA_TTABLE, 0) == NULL);
    for (size_t size = 1; size < 100000; size += 1 + size / 7) {
        unsigned char *block = hak_lua_alloc(ud, NULL, LUA_TSTRING, size); /* a tag, not a size */
        REQUIRE(block != NULL && (uintptr_t)block % 8 == 0 && hak_usable_size(block) >= size);
        memset(block, 0x5a, size);
        block = hak_lua_alloc(ud, block, size, size * 3);
        REQUIRE(block != NULL && block[0] == 0x5a && block[size - 1] == 0x5a);
        block = hak_lua_alloc(ud, block, size * 3, size);
        REQUIRE(block != NULL && block[0] == 0x5a && block[size - 1] == 0x5a);
        block = hak_lua_alloc(ud, block, size, size); /* as it is */
        REQUIRE(block != NULL && block[size / 2] == 0x5a);
        REQUIRE(hak_lua_alloc(ud, block, size, 0) == NULL);
    }
    REQUIRE(hak_lua_alloc(ud, NULL, 0, (size_t)-1) == NULL);
}

static void test_contract(void) {
    contract_with(NULL);
    hak_lua_options options = HAK_LUA_OPTIONS_INIT;
    for (options.private_heap = 0; options.private_heap < 2; options.private_heap++) {
        hak_lua_state_t *state = hak_lua_state_new(&options);
        REQUIRE(state != NULL);
        contract_with(state);
        hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
        REQUIRE(hak_lua_stats_get(state, &stats) == 0 && stats.used_bytes == 0 && stats.used_blocks == 0);
        REQUIRE(stats.peak_bytes > 200000);
        hak_lua_state_free(state);
    }
}

/* Beyond the limit: NULL, the block untouched; shrinking goes on to work. */
static void test_refused(void) {
    hak_lua_options options = HAK_LUA_OPTIONS_INIT;
    options.hard_limit_bytes = 10000;
    hak_lua_state_t *state = hak_lua_state_new(&options);
    unsigned char *block = hak_lua_alloc(state, NULL, 0, 8000);
    REQUIRE(block != NULL);
    memset(block, 0x5a, 8000);
    REQUIRE(hak_lua_alloc(state, NULL, 0, 8000) == NULL);
    REQUIRE(hak_lua_alloc(state, block, 8000, 20000) == NULL);
    REQUIRE(block[0] == 0x5a && block[7999] == 0x5a);
    REQUIRE(hak_lua_set_limit(state, 0, 100) == 0);
    for (size_t size = 8000; size > 500; size /= 2) {
        block = hak_lua_alloc(state, block, size, size / 2);
        REQUIRE(block != NULL && block[size / 2 - 1] == 0x5a);
    }
    hak_lua_state_free(state);
}

/* A buffer, which cannot collect, is served at the soft limit; the next object is refused in its place, once. */
static void test_soft_limit_of_requests(void) {
    hak_lua_options options = HAK_LUA_OPTIONS_INIT;
    options.soft_limit_bytes = 1000;
    options.hard_limit_bytes = 10000;
    hak_lua_state_t *state = hak_lua_state_new(&options);
    REQUIRE(hak_lua_alloc(state, NULL, 0, 2000) != NULL);
    REQUIRE((hak_lua_alloc(state, NULL, LUA_TTABLE, 64) == NULL) == HAS_TAGS);
    REQUIRE(hak_lua_alloc(state, NULL, LUA_TTABLE, 64) != NULL);
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    REQUIRE(hak_lua_stats_get(state, &stats) == 0 && stats.soft_refusals == 1 && stats.soft_limit_bytes == 1000);
    hak_lua_state_free(state);
}

/* Dies, or reports, when osize does not fit: the caller looks at stderr. */
static void test_wrong_size(void) {
    void *block = hak_lua_alloc(NULL, NULL, 0, 40);
    REQUIRE(hak_lua_alloc(NULL, block, 4000, 0) == NULL);
    hak_lua_state_t *state = hak_lua_state_new(NULL);
    block = hak_lua_alloc(state, NULL, 0, 40);
    REQUIRE(hak_lua_alloc(state, block, 5000, 0) == NULL);
    REQUIRE(hak_lua_alloc(state, block, 6000, 50) == NULL);
    REQUIRE(hak_lua_alloc(state, block, 40, 0) == NULL);
    hak_lua_state_free(state);
}

/* ---- States ---- */

static void test_open_and_close(void) {
    uint64_t before = live_blocks();
    for (int private_heap = 0; private_heap < 2; private_heap++) {
        lua_State *L = open_with(0, 0, private_heap);
        REQUIRE(run_text(L, modest) == 0);
        hak_heap_stats_t stats = stats_of(L);
        REQUIRE(stats.used_bytes > 20000 && stats.used_blocks > 100 && stats.peak_bytes >= stats.used_bytes);
        lua_State *thread = lua_newthread(L);
        REQUIRE(hak_lua_state_of(thread) == hak_lua_state_of(L));
        hak_lua_close(thread); /* closes the state, as lua_close does */
    }
    lua_State *plain = hak_lua_open(NULL);
    REQUIRE(plain != NULL && run_text(plain, "return string.format('%d', #table.concat({'a', 'b'}))") == 0);
    hak_lua_close(plain);
    hak_lua_close(NULL);
    hak_lua_state_free(NULL);
    REQUIRE(live_blocks() == before);
}

static void test_bad_options(void) {
    hak_lua_options options = HAK_LUA_OPTIONS_INIT;
    options.size = 0;
    REQUIRE(hak_lua_open(&options) == NULL && errno == EINVAL);
    options.size = sizeof options;
    options.private_heap = 2;
    REQUIRE(hak_lua_open(&options) == NULL && errno == EINVAL);
    options.private_heap = -1;
    REQUIRE(hak_lua_state_new(&options) == NULL && errno == EINVAL);
    options.private_heap = 0;
    options.soft_limit_bytes = 2000, options.hard_limit_bytes = 1000;
    REQUIRE(hak_lua_open(&options) == NULL && errno == EINVAL);
    options.hard_limit_bytes = 0; /* none: any soft limit is below */
    lua_State *L = hak_lua_open(&options);
    REQUIRE(L != NULL);
    REQUIRE(hak_lua_set_limit(hak_lua_state_of(L), 2, 1) == EINVAL && hak_lua_set_limit(NULL, 1, 2) == EINVAL);
    REQUIRE(hak_lua_stats_get(hak_lua_state_of(L), NULL) == EINVAL);
    hak_heap_stats_t stats = {0};
    REQUIRE(hak_lua_stats_get(NULL, &stats) == EINVAL && hak_lua_stats_get(hak_lua_state_of(L), &stats) == EINVAL);
    REQUIRE(stats_of(L).soft_limit_bytes == 2000);
    hak_lua_close(L);
    lua_State *stock = luaL_newstate();
    REQUIRE(hak_lua_state_of(stock) == NULL);
    lua_close(stock);
}

static void test_runaway(void) {
    lua_State *L = open_with(0, 16 << 20, 0);
    for (int round = 0; round < 3; round++) {
        REQUIRE(run_text(L, runaway) == LUA_ERRMEM);
        REQUIRE(strcmp(lua_tostring(L, -1), "not enough memory") == 0);
        lua_pop(L, 1);
        REQUIRE(stats_of(L).peak_bytes <= 16 << 20 && stats_of(L).peak_bytes > 8 << 20);
        REQUIRE(run_text(L, modest) == 0);
    }
    hak_lua_close(L);
}

/* Every limit from one byte up: an error, never a crash, and a higher limit makes the state useful. */
static void test_tiny_limits(void) {
    uint64_t before = live_blocks();
    size_t opened = 0;
    for (uint64_t grace = 1; grace < 100000; grace += 1 + grace / 16) {
        for (int private_heap = 0; private_heap < 2; private_heap++) {
            hak_lua_options options = HAK_LUA_OPTIONS_INIT;
            options.hard_limit_bytes = 1;
            options.grace_bytes = grace;
            options.private_heap = private_heap;
            lua_State *L = hak_lua_open(&options);
            REQUIRE(L != NULL || errno == ENOMEM);
            if (L == NULL) continue;
            opened++;
            REQUIRE(run_text(L, modest) == LUA_ERRMEM);
            lua_settop(L, 0);
            REQUIRE(hak_lua_set_limit(hak_lua_state_of(L), 0, 1 << 20) == 0);
            REQUIRE(run_text(L, modest) == 0);
            hak_lua_close(L);
        }
    }
    REQUIRE(opened > 4);
    REQUIRE(live_blocks() == before);
    lua_State *L = open_with(0, 1, 0); /* the default grace suffices for all libraries */
    REQUIRE(run_text(L, "x = 1") == LUA_ERRMEM);
    hak_lua_close(L);
}

/* ---- Private heaps ---- */

static int finalizers_run;

static int count_finalizer(lua_State *L) {
    finalizers_run++;
    lua_newtable(L); /* memory is there until the end */
    for (int number = 1; number < 100; number++) {
        lua_pushfstring(L, "late %d", number);
        lua_rawseti(L, -2, number);
    }
    return 0;
}

static void test_private_heap(void) {
    for (int round = 0; round < 20; round++) {
        uint64_t before = live_blocks();
        finalizers_run = 0;
        lua_State *L = open_with(0, 0, 1);
        for (int number = 0; number < 10; number++) {
            (void)lua_newuserdata(L, 100);
            lua_newtable(L);
            lua_pushcfunction(L, count_finalizer);
            lua_setfield(L, -2, "__gc");
            lua_setmetatable(L, -2);
            lua_setfield(L, LUA_REGISTRYINDEX, "finalized");
        }
        REQUIRE(run_text(L, "held = {} for number = 1, 100000 do held[number] = {number} end") == 0);
        REQUIRE(run_text(L, "text = ('x'):rep(5000000)") == 0);
        hak_lua_close(L);
        REQUIRE(finalizers_run == 10);
        REQUIRE(live_blocks() == before);
        REQUIRE(hak_check() == 0);
    }
}

/* ---- Threads ---- */

enum { THREADS = 4, STATES = 24, ROUNDS = 60 };

static struct {
    lua_State *L;
    pthread_mutex_t lock;
} shared[STATES];

static void *use_states(void *number_pointer) {
    size_t number = *(size_t *)number_pointer;
    for (size_t round = 0; round < ROUNDS * STATES; round++) {
        size_t index = (round * 7 + number * 5) % STATES;
        pthread_mutex_lock(&shared[index].lock);
        REQUIRE(run_text(shared[index].L,
                         "turns = (turns or 0) + 1 held = held or {} "
                         "for number = 1, 40 do held[(turns * 40 + number) % 500] = {turns, tostring(number)} end") ==
                0);
        pthread_mutex_unlock(&shared[index].lock);
    }
    return NULL;
}

static void test_states_move_between_threads(void) {
    uint64_t before = live_blocks();
    for (size_t index = 0; index < STATES; index++) {
        shared[index].L = open_with(0, 64 << 20, index % 2);
        pthread_mutex_init(&shared[index].lock, NULL);
    }
    pthread_t threads[THREADS];
    size_t numbers[THREADS];
    for (size_t number = 0; number < THREADS; number++) {
        numbers[number] = number;
        REQUIRE(pthread_create(&threads[number], NULL, use_states, &numbers[number]) == 0);
    }
    for (size_t number = 0; number < THREADS; number++) pthread_join(threads[number], NULL);
    double turns = 0;
    for (size_t index = 0; index < STATES; index++) {
        lua_getglobal(shared[index].L, "turns");
        turns += lua_tonumber(shared[index].L, -1);
        hak_lua_close(shared[index].L);
    }
    REQUIRE(turns == THREADS * ROUNDS * STATES);
    REQUIRE(live_blocks() == before && hak_check() == 0);
}

/* ---- The module in a state of the host's ---- */

static void test_module_in_a_state(void) {
    lua_State *L = open_with(0, 32 << 20, 0);
    lua_pushcfunction(L, hak_lua_module);
    REQUIRE(lua_pcall(L, 0, 1, 0) == 0);
    lua_setglobal(L, "hakmem");
    REQUIRE(run_text(L, "assert(hakmem.is_enabled() and select(2, hakmem.limit()) == 32 * 2^20)") == 0);
    REQUIRE(run_text(L, "hakmem.limit(0, 16 * 2^20)") == 0 && stats_of(L).hard_limit_bytes == 16 << 20);
    REQUIRE(run_text(
                L, "local ok, message = pcall(hakmem.disable) assert(not ok and message:find('no other allocator'))") ==
            0);
    REQUIRE(run_text(L, "assert(hakmem.enable() and hakmem.stats().state.private_heap == false)") == 0);
    hak_lua_close(L);
}

/* A state of another allocator that was moved to hakmem may be closed by hak_lua_close, too. */
static void test_moved_state(void) {
    uint64_t before = live_blocks();
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    lua_pushcfunction(L, hak_lua_module);
    REQUIRE(lua_pcall(L, 0, 0, 0) == 0);
    REQUIRE(run_text(L, modest) == 0 && live_blocks() > before && stats_of(L).used_blocks > 0);
    hak_lua_close(L);
    REQUIRE(live_blocks() == before);
}

/* Warnings are as in the stock interpreter; the caller looks at stderr. */
static void test_warnings(void) {
#if LUA_VERSION_NUM >= 504
    lua_State *L = open_with(0, 0, 0);
    REQUIRE(run_text(L, "warn('not seen') warn('@on') warn('one ', 'message') warn('@off') warn('not seen')") == 0);
    hak_lua_close(L);
#endif
}

/* An error outside of any protected call ends the process, after a message on stderr. */
static void test_panic(void) {
    lua_State *L = open_with(0, 0, 0);
    lua_pushstring(L, "nobody catches this");
    lua_error(L);
}

/* Dies with one line; the caller looks at stderr. */
static void close_twice(int private_heap) {
    lua_State *other = open_with(0, 0, 0), *L = open_with(0, 0, private_heap);
    hak_lua_close(L);
    hak_lua_close(L);
    hak_lua_close(other);
}

static void test_closed_twice(void) { close_twice(0); }
static void test_closed_twice_private(void) { close_twice(1); }

/* ---- */

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {
        {"contract", test_contract},
        {"refused", test_refused},
        {"soft_limit_of_requests", test_soft_limit_of_requests},
        {"wrong_size", test_wrong_size},
        {"open_and_close", test_open_and_close},
        {"bad_options", test_bad_options},
        {"runaway", test_runaway},
        {"tiny_limits", test_tiny_limits},
        {"private_heap", test_private_heap},
        {"states_move_between_threads", test_states_move_between_threads},
        {"module_in_a_state", test_module_in_a_state},
        {"moved_state", test_moved_state},
        {"warnings", test_warnings},
        {"panic", test_panic},
        {"closed_twice", test_closed_twice},
        {"closed_twice_private", test_closed_twice_private},
    };
    for (size_t index = 0; count == 2 && index < sizeof cases / sizeof *cases; index++) {
        if (strcmp(arguments[1], cases[index].name) != 0) continue;
        cases[index].run();
        return 0;
    }
    fprintf(stderr, "usage: states CASE\n");
    return 2;
}
