/* access.c: what core.cdef.txt needs beyond the core's own functions: queries without callbacks, and the layout
 * of the structures that Python reads, so that a test can compare it with the cdef.
 *
 * It is compiled into the library of the tests only.
 */
#include <string.h>

#include "core.h"
#include "mem.h"

uint64_t bl_access_find(bl_registry *registry, uint64_t id);
size_t bl_access_walk(bl_registry *registry, uint64_t *ids, size_t room);
bl_hist *bl_access_new_hist(void);
void bl_access_free_hist(bl_hist *hist);
size_t bl_access_layout(const char *field);

static void note_index(bl_slot *slot, void *arg) { *(uint64_t *)arg = (uint64_t)slot->index + 1; }

/* Index of the slot in the pool + 1, 0: not there. */
uint64_t bl_access_find(bl_registry *registry, uint64_t id) {
    uint64_t found = 0;
    (void)bl_registry_find(registry, id, note_index, &found);
    return found;
}

typedef struct listing {
    uint64_t *ids;
    size_t count, room;
} listing;

static bool list(bl_slot *slot, void *arg) {
    listing *into = arg;
    if (into->count == into->room)
        return false;
    into->ids[into->count++] = slot->id;
    return true;
}

size_t bl_access_walk(bl_registry *registry, uint64_t *ids, size_t room) {
    listing into = {.ids = ids, .room = room};
    bl_registry_walk(registry, list, &into);
    return into.count;
}

bl_hist *bl_access_new_hist(void) { return bl_mem_alloc(sizeof(bl_hist)); }

void bl_access_free_hist(bl_hist *hist) { bl_mem_free(hist, sizeof *hist); }

#define FIELD(type, name) {#type "." #name, offsetof(type, name)}
#define SIZE(type) {#type, sizeof(type)}

/* Offset of "type.field", size of "type"; SIZE_MAX: unknown. */
size_t bl_access_layout(const char *field) {
    static const struct {
        const char *name;
        size_t value;
    } known[] = {
        SIZE(bl_slot), FIELD(bl_slot, word), FIELD(bl_slot, lane), FIELD(bl_slot, mark), FIELD(bl_slot, queue),
        FIELD(bl_slot, next), FIELD(bl_slot, seq), FIELD(bl_slot, id), FIELD(bl_slot, created),
        FIELD(bl_slot, started), FIELD(bl_slot, finished), FIELD(bl_slot, due), FIELD(bl_slot, expires),
        FIELD(bl_slot, timeout), FIELD(bl_slot, owner), FIELD(bl_slot, timer_at), FIELD(bl_slot, index),
        SIZE(bl_config), FIELD(bl_config, ring_size), FIELD(bl_config, aging), FIELD(bl_config, result_ttl),
        FIELD(bl_config, result_max), FIELD(bl_config, relay),
        SIZE(bl_take), FIELD(bl_take, kind), FIELD(bl_take, slot), FIELD(bl_take, attempt), FIELD(bl_take, seen),
        SIZE(bl_totals), FIELD(bl_totals, submitted), FIELD(bl_totals, completed), FIELD(bl_totals, failed),
        FIELD(bl_totals, cancelled), FIELD(bl_totals, retried), FIELD(bl_totals, expired), FIELD(bl_totals, done),
        FIELD(bl_totals, busy), FIELD(bl_totals, overflows), FIELD(bl_totals, conflicts),
        FIELD(bl_totals, scheduled), FIELD(bl_totals, retained), FIELD(bl_totals, submit_rate),
        FIELD(bl_totals, finish_rate), FIELD(bl_totals, queue_bytes), FIELD(bl_totals, pool_reserved),
        FIELD(bl_totals, pool_in_use), FIELD(bl_totals, other_bytes),
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, field) == 0)
            return known[i].value;
    return SIZE_MAX;
}
