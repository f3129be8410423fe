/*
 * superslab/supply_lists.c - the lists of SuperSlabs by the number of their used slabs, and slabs that become free.
 *
 * Layer: superslab. Does not decide which SuperSlab serves, stays or goes (superslab.c). Thread rule: everything under
 * the supply lock.
 */
#include "superslab/registry.h"
#include "superslab/superslab.h"
#include "superslab/supply.h"

static SuperSlab **list_of(const SuperSlab *superslab) {
    unsigned used = supply_used_slabs(superslab);
    return used == 0 ? &supply.spare : &supply.active_by_used[used];
}

void supply_list_insert(SuperSlab *superslab) {
    SuperSlab **head = list_of(superslab);
    superslab->previous = NULL;
    superslab->next = *head;
    if (*head != NULL) (*head)->previous = superslab;
    if (head == &supply.spare && *head == NULL) supply.spare_last = superslab;
    *head = superslab;
    supply.lists_in_use |= (uint64_t)1 << supply_used_slabs(superslab);
}

void supply_list_remove(SuperSlab *superslab) {
    SuperSlab **head = list_of(superslab);
    if (superslab->previous != NULL)
        superslab->previous->next = superslab->next;
    else
        *head = superslab->next;
    if (superslab->next != NULL) superslab->next->previous = superslab->previous;
    if (superslab == supply.spare_last) supply.spare_last = superslab->previous;
    if (superslab == supply.spare_refused) supply.spare_refused = superslab->next;
    if (*head == NULL) supply.lists_in_use &= ~((uint64_t)1 << supply_used_slabs(superslab));
}

void supply_list_insert_refused(SuperSlab *superslab) {
    superslab->next = supply.spare_refused;
    superslab->previous = superslab->next != NULL ? superslab->next->previous : supply.spare_last;
    if (superslab->previous != NULL)
        superslab->previous->next = superslab;
    else
        supply.spare = superslab;
    if (superslab->next != NULL)
        superslab->next->previous = superslab;
    else
        supply.spare_last = superslab;
    supply.spare_refused = superslab;
    supply.lists_in_use |= 1;
}

void supply_slabs_free(SuperSlab *superslab, uint32_t slabs, uint32_t since_ms) {
    supply_list_remove(superslab);
    superslab->free_slabs |= slabs;
    for (uint32_t rest = slabs; rest != 0; rest &= rest - 1) {
        Slab *slab = &superslab->slab[lowest_bit_index(rest)];
        slab->purge_since_ms = since_ms;
        slab->free_pages = os_page_set_all();
        if (slab->unbacked_pages != os_page_set_all()) superslab->backed_free_slabs |= (uint32_t)1 << slab->slab_index;
        registry_slab_class_set(slab_address(slab), SLAB_CLASS_FREE);
        STORE_RELAXED(slab->owner, NULL);
    }
}
