/* timer.c: see timer.h.
 *
 * DESIGN
 * A 4-ary heap in one array. An entry carries its time and a running number (so equal times leave in the
 * order they came and no slot is touched for comparing); the slot knows its place, so removal needs no
 * search. The earliest time is kept in an atomic for readers without the lock.
 *
 * It does not look at a slot's state and starts no thread: the core's keeper asks it.
 */
#include "timer.h"

#include <string.h>

#include "mem.h"
#include "park.h"

#define ARITY 4
#ifdef BL_TINY
#define FIRST_ROOM 2
#else
#define FIRST_ROOM 64
#endif

typedef struct entry {
    int64_t when;
    uint64_t order;
    bl_slot *slot;
} entry;

struct bl_timers {
    bl_ai64 earliest; /* stored under the lock, loaded by bl_timers_next without it */
    bl_a64 filled;    /* the same for `count` */
    bl_mutex lock;    /* guards what follows */
    size_t count;
    size_t room;
    uint64_t next_order;
    entry *heap;
};

bl_timers *bl_timers_new(void) {
    bl_timers *timers = bl_mem_alloc(sizeof *timers);
    if (timers != NULL) {
        atomic_init(&timers->earliest, BL_NEVER);
    }
    return timers;
}

void bl_timers_free(bl_timers *timers) {
    if (timers != NULL) {
        bl_mem_free(timers->heap, timers->room * sizeof(entry));
        bl_mem_free(timers, sizeof *timers);
    }
}

static int resize(bl_timers *timers, size_t room) {
    entry *heap = bl_mem_alloc(room * sizeof *heap);
    if (heap == NULL) {
        return BL_NOMEM;
    }
    if (timers->count > 0) {
        memcpy(heap, timers->heap, timers->count * sizeof *heap);
    }
    bl_mem_free(timers->heap, timers->room * sizeof *heap);
    timers->heap = heap;
    timers->room = room;
    return BL_OK;
}

static bool before(const entry *a, const entry *b) {
    return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static void place(bl_timers *timers, size_t at, entry e) {
    timers->heap[at] = e;
    e.slot->timer_at = (uint32_t)at;
}

static void rise(bl_timers *timers, size_t at, entry e) {
    while (at > 0) {
        size_t parent = (at - 1) / ARITY;
        if (!before(&e, &timers->heap[parent])) {
            break;
        }
        place(timers, at, timers->heap[parent]);
        at = parent;
    }
    place(timers, at, e);
}

static void sink(bl_timers *timers, size_t at, entry e) {
    for (;;) {
        size_t child = at * ARITY + 1;
        if (child >= timers->count) {
            break;
        }
        size_t end = child + ARITY < timers->count ? child + ARITY : timers->count;
        size_t least = child;
        while (++child < end) {
            if (before(&timers->heap[child], &timers->heap[least])) {
                least = child;
            }
        }
        if (!before(&timers->heap[least], &e)) {
            break;
        }
        place(timers, at, timers->heap[least]);
        at = least;
    }
    place(timers, at, e);
}

static void publish(bl_timers *timers) {
    /* Partners: the loads in bl_timers_next and bl_timers_count. */
    bl_store_seq(&timers->earliest, timers->count > 0 ? timers->heap[0].when : BL_NEVER);
    bl_store_release(&timers->filled, timers->count);
}

static void take_out(bl_timers *timers, size_t at) {
    timers->heap[at].slot->timer_at = BL_NO_TIMER;
    entry last = timers->heap[--timers->count];
    if (at < timers->count) {
        size_t parent = at > 0 ? (at - 1) / ARITY : 0;
        if (at > 0 && before(&last, &timers->heap[parent])) {
            rise(timers, at, last);
        } else {
            sink(timers, at, last);
        }
    }
    if (timers->room > FIRST_ROOM && timers->count < timers->room / 8) {
        (void)resize(timers, timers->room / 4); /* without memory it stays as big as it is */
    }
    publish(timers);
}

int bl_timers_add(bl_timers *timers, bl_slot *slot, int64_t when, bool *first) {
    int rc = BL_OK;
    *first = false;
    bl_mutex_lock(&timers->lock);
    if (timers->count >= BL_NO_TIMER) {
        rc = BL_NOMEM; /* timer_at cannot say more */
    } else if (timers->count == timers->room) {
        rc = resize(timers, timers->room > 0 ? timers->room * 2 : FIRST_ROOM);
    }
    if (rc == BL_OK) {
        entry e = {.when = when, .order = timers->next_order++, .slot = slot};
        rise(timers, timers->count++, e);
        *first = slot->timer_at == 0;
        publish(timers);
    }
    bl_mutex_unlock(&timers->lock);
    return rc;
}

int bl_timers_remove(bl_timers *timers, bl_slot *slot) {
    int rc = BL_EMPTY;
    bl_mutex_lock(&timers->lock);
    if (slot->timer_at != BL_NO_TIMER) {
        take_out(timers, slot->timer_at);
        rc = BL_OK;
    }
    bl_mutex_unlock(&timers->lock);
    return rc;
}

bl_slot *bl_timers_pop_due(bl_timers *timers, int64_t now) {
    bl_slot *slot = NULL;
    if (bl_load_seq(&timers->earliest) > now) { /* partner: publish; BL_NEVER is never due */
        return NULL;
    }
    bl_mutex_lock(&timers->lock);
    if (timers->count > 0 && timers->heap[0].when <= now) {
        slot = timers->heap[0].slot;
        take_out(timers, 0);
    }
    bl_mutex_unlock(&timers->lock);
    return slot;
}

int64_t bl_timers_next(bl_timers *timers) { return bl_load_seq(&timers->earliest); /* partner: publish */ }

size_t bl_timers_count(bl_timers *timers) { return (size_t)bl_load_acquire(&timers->filled); /* partner: publish */ }

size_t bl_timers_bytes(bl_timers *timers) {
    bl_mutex_lock(&timers->lock);
    size_t bytes = sizeof *timers + timers->room * sizeof(entry);
    bl_mutex_unlock(&timers->lock);
    return bytes;
}
