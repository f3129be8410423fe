/*
 * private_threads.c - threads open and close private states, whose memory then serves the next ones: none of them is
 * taken for one that was closed before.
 *
 *     private_threads ROUNDS
 */
#include <hakmem_lua.h>
#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 6 };

static void *open_and_close(void *rounds) {
    for (int round = 0; round < *(const int *)rounds; round++) {
        hak_lua_options options = HAK_LUA_OPTIONS_INIT;
        options.private_heap = 1;
        lua_State *L = hak_lua_open(&options);
        if (L == NULL) return rounds;
        hak_lua_close(L);
    }
    return NULL;
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1, failures = 0;
    pthread_t threads[THREADS];
    for (unsigned number = 0; number < THREADS; number++)
        if (pthread_create(&threads[number], NULL, open_and_close, &rounds) != 0) return 1;
    for (unsigned number = 0; number < THREADS; number++) {
        void *failed;
        (void)pthread_join(threads[number], &failed);
        failures += failed != NULL;
    }
    return failures != 0 || hak_check() != 0;
}
