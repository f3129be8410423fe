/*
 * environment.c - see environment.h.
 *
 * Layer: bindings/libc, bottom. Allocates nothing.
 */
#include "environment.h"

#include <string.h>

#define LAUNCH_VARIABLE "_HAKMEM_EXEC="
#define PRELOAD_VARIABLE "LD_PRELOAD="

extern char **environ;

static char **entry_of(const char *variable) {
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++)
        if (strncmp(*entry, variable, strlen(variable)) == 0) return entry;
    return NULL;
}

static void forget(char **entry) {
    for (; *entry != NULL; entry++) entry[0] = entry[1];
}

/* What follows `word`, which begins one of the words; NULL: none does. */
static char *after_word(char *words, const char *word) {
    size_t length = strlen(word);
    for (char *rest = words;; rest += strcspn(rest, ",") + 1) {
        if (strncmp(rest, word, length) == 0) return rest + length;
        if (rest[strcspn(rest, ",")] == '\0') return NULL;
    }
}

Launch environment_launch(void) {
    char **entry = entry_of(LAUNCH_VARIABLE);
    if (entry == NULL) return (Launch){0};
    char *words = *entry + strlen(LAUNCH_VARIABLE);
    return (Launch){
        .is_known = true,
        .was_unset = after_word(words, "unset") != NULL,
        .with_children = after_word(words, "children") != NULL,
        .with_stats = after_word(words, "stats") != NULL,
        .is_required = after_word(words, "require") != NULL,
        .passes = after_word(words, "pass"),
        .is_followed = after_word(words, "follow") != NULL,
        .follows_itself = after_word(words, "itself") != NULL,
    };
}

/* The loader separates entries by colons and by spaces. The name is written again right before the second entry. */
static void forget_first_preload(void) {
    char **entry = entry_of(PRELOAD_VARIABLE);
    if (entry == NULL) return;
    size_t name_length = strlen(PRELOAD_VARIABLE), first_length = strcspn(*entry + name_length, ": ");
    char *rest = *entry + name_length + first_length;
    if (*rest != '\0') rest++;
    *entry = memcpy(rest - name_length, PRELOAD_VARIABLE, name_length);
}

bool environment_restore(const Launch *launch) {
    if (launch->passes != NULL && *launch->passes > '0' && *launch->passes <= '9') {
        --*launch->passes;
        return false;
    }
    if (!launch->is_known || launch->with_children) return true;
    char **preload = entry_of(PRELOAD_VARIABLE);
    if (launch->was_unset && preload != NULL)
        forget(preload);
    else
        forget_first_preload();
    char **entry = entry_of(LAUNCH_VARIABLE);
    if (entry != NULL) forget(entry);
    return true;
}
