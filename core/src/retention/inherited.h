/*
 * retention/inherited.h - puts right what a child has inherited of its parent's helper and purges.
 *
 * Layer: retention. Thread rule: any thread, no lock held by the caller.
 */
#ifndef HAK_RETENTION_INHERITED_H
#define HAK_RETENTION_INHERITED_H

/* In a child that was made without the fork hooks (_Fork, clone): the first caller puts right what the child has
 * inherited, the others wait. The child has no helper. Called before the helper is asked for anything, and before a
 * purge: among the slabs that the parent was purging must be none of the child's. */
void inherited_put_right(void);

/* For a forked child, before it allocates or frees: slabs that other threads were purging are free and backed again. */
void inherited_purges_abandon(void);

#endif
