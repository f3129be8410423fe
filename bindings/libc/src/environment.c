/*
 * environment.c - see environment.h.
 *
 * Layer: bindings/libc, bottom. Allocates nothing.
 */
#include "environment.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

extern char **environ;

static char **entry_of(const char *variable) {
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++)
        if (environment_value(*entry, variable) != NULL) return entry;
    return NULL;
}

static void forget(char **entry) {
    for (; *entry != NULL; entry++) entry[0] = entry[1];
}

static bool has_word(const char *words, const char *word) {
    size_t length = strlen(word);
    for (const char *rest = words;; rest += strcspn(rest, ",") + 1) {
        if (strcspn(rest, ",") == length && memcmp(rest, word, length) == 0) return true;
        if (rest[strcspn(rest, ",")] == '\0') return false;
    }
}

const char *environment_value(const char *entry, const char *variable) {
    size_t length = strlen(variable);
    return strncmp(entry, variable, length) == 0 ? entry + length : NULL;
}

const char *environment_find(const char *variable, char *const *variables) {
    const char *value = NULL;
    for (; value == NULL && *variables != NULL; variables++) value = environment_value(*variables, variable);
    return value;
}

static bool is_zero(const char *variable, char *const *variables) {
    const char *value = environment_find(variable, variables);
    return value != NULL && strcmp(value, "0") == 0;
}

bool environment_is_switched_off(char *const *variables, bool with_objects) {
    return is_zero("HAKMEM=", variables) || (with_objects && is_zero("HAKMEM_TINY_USE_SUPERSLAB=", variables));
}

static bool names_this_program(const char *words) {
    char word[64];
    struct stat status;
    if (stat("/proc/self/exe", &status) != 0) return false;
    (void)snprintf(word, sizeof word, "program=%jx.%jx", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return has_word(words, word);
}

Launch environment_launch(void) {
    char **entry = entry_of(LAUNCH_VARIABLE);
    if (entry == NULL) return (Launch){0};
    const char *words = environment_value(*entry, LAUNCH_VARIABLE);
    bool is_interpreter = names_this_program(words);
    return (Launch){
        .is_known = true,
        .was_unset = has_word(words, "unset"),
        .with_children = has_word(words, "children"),
        .with_stats = has_word(words, "stats"),
        .is_required = has_word(words, "require"),
        .is_followed = has_word(words, "follow"),
        .follows_itself = is_interpreter || has_word(words, "itself"),
        .is_interpreter = is_interpreter,
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

void environment_restore(const Launch *launch) {
    if (!launch->is_known || launch->with_children) return;
    char **preload = entry_of(PRELOAD_VARIABLE);
    if (launch->was_unset && preload != NULL)
        forget(preload);
    else
        forget_first_preload();
    char **entry = entry_of(LAUNCH_VARIABLE);
    if (entry != NULL) forget(entry);
}
