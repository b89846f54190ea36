/* ring.c: see ring.h.
 *
 * DESIGN
 * Cell `p & mask` serves position p. Its number is p when the cell waits for the push of p, p + 1 when it
 * holds the item of p, and p + capacity once that was taken (which is "waits for the push" one lap on).
 * A push or pop owns a position from the moment its compare-and-swap moved the counter.
 *
 * Two consequences callers have to know:
 *   - a push that has its position but not yet stored its item hides later items: pop says empty until
 *     it has returned (and whoever pushes notifies after it has);
 *   - a pop that has its position but not yet released the cell makes push say full.
 *
 * The counters and the published number are seq_cst, for two handshakes of the form "store mine, then
 * load yours": publish then bl_ec_notify's look at the waiters against bl_ec_prepare then look here
 * (park.h), and the same for the sticky bits of queue.c. On x86 this costs one locked store in place of
 * a plain one.
 *
 * It does not block, allocate, or know what the items are.
 */
#include "ring.h"

#include "mem.h"

#ifndef BL_RING_START
#ifdef BL_TINY
#define BL_RING_START (UINT64_MAX - 2)
#else
#define BL_RING_START 0
#endif
#endif

typedef struct cell {
    bl_a64 number; /* push: acquire load, seq store; pop: seq load, release store. Partners of each other. */
    void *item;    /* belongs to the owner of the position; handed on by `number` */
} cell;

struct bl_ring {
    _Alignas(BL_CACHE_LINE) uint64_t mask;
    cell *cells;
    _Alignas(BL_CACHE_LINE) bl_a64 head; /* next position to push; moved by pushers, read by bl_ring_idle */
    _Alignas(BL_CACHE_LINE) bl_a64 tail; /* next position to pop; moved by poppers, read by bl_ring_idle */
    _Alignas(BL_CACHE_LINE) bl_a64 conflicts; /* a figure: relaxed, no partner */
    char pad[BL_CACHE_LINE - sizeof(bl_a64)];
};

_Static_assert(offsetof(struct bl_ring, tail) - offsetof(struct bl_ring, head) >= BL_CACHE_LINE,
               "pushers and poppers write different cache lines");
_Static_assert(offsetof(struct bl_ring, conflicts) - offsetof(struct bl_ring, tail) >= BL_CACHE_LINE,
               "the figure shares no line with a counter");

static size_t cells_size(uint64_t mask) { return ((size_t)mask + 1) * sizeof(cell); }

bl_ring *bl_ring_new(size_t capacity) {
    size_t size = 2;
    while (size < capacity) {
        if (size > SIZE_MAX / (4 * sizeof(cell))) {
            return NULL;
        }
        size *= 2;
    }
    bl_ring *ring = bl_mem_alloc(sizeof *ring);
    if (ring == NULL) {
        return NULL;
    }
    ring->mask = size - 1;
    ring->cells = bl_mem_alloc(cells_size(ring->mask));
    if (ring->cells == NULL) {
        bl_mem_free(ring, sizeof *ring);
        return NULL;
    }
    uint64_t start = BL_RING_START;
    for (uint64_t i = 0; i < size; i++) {
        atomic_init(&ring->cells[(start + i) & ring->mask].number, start + i);
    }
    atomic_init(&ring->head, start);
    atomic_init(&ring->tail, start);
    return ring;
}

void bl_ring_free(bl_ring *ring) {
    if (ring != NULL) {
        bl_mem_free(ring->cells, cells_size(ring->mask));
        bl_mem_free(ring, sizeof *ring);
    }
}

int bl_ring_push(bl_ring *ring, void *item) {
    uint64_t at = bl_load_relaxed(&ring->head); /* a hint: `number` and the swap decide */
    for (;;) {
        cell *place = &ring->cells[at & ring->mask];
        /* Partner: the release store in bl_ring_pop; the popper is done with the cell. */
        uint64_t number = bl_load_acquire(&place->number);
        int64_t ahead = (int64_t)(number - at);
        if (ahead == 0) {
            /* seq: precedes the publishing store below in the single order, for bl_ring_idle. */
            if (bl_cas_seq(&ring->head, &at, at + 1)) {
                place->item = item;
                bl_store_seq(&place->number, at + 1); /* partner: the seq load in bl_ring_pop */
                return BL_OK;
            }
            bl_add_relaxed(&ring->conflicts, 1);
        } else if (ahead < 0) {
            return BL_FULL;
        } else {
            at = bl_load_relaxed(&ring->head);
        }
    }
}

void *bl_ring_pop(bl_ring *ring) {
    uint64_t at = bl_load_relaxed(&ring->tail); /* a hint, as above: a stale one shows a number that is ahead */
    for (;;) {
        cell *place = &ring->cells[at & ring->mask];
        /* Partner: the publishing seq store in bl_ring_push. */
        uint64_t number = bl_load_seq(&place->number);
        int64_t ahead = (int64_t)(number - (at + 1));
        if (ahead == 0) {
            if (bl_cas_seq(&ring->tail, &at, at + 1)) {
                void *item = place->item;
                /* Partner: the acquire load in bl_ring_push. */
                bl_store_release(&place->number, at + ring->mask + 1);
                return item;
            }
            bl_add_relaxed(&ring->conflicts, 1);
        } else if (ahead < 0) {
            return NULL;
        } else {
            at = bl_load_relaxed(&ring->tail);
        }
    }
}

bool bl_ring_idle(const bl_ring *ring) {
    /* tail first: if head still equals it afterwards, nothing was between them at that moment. Partners:
     * the swaps in push and pop. */
    uint64_t tail = bl_load_seq(&ring->tail);
    uint64_t head = bl_load_seq(&ring->head);
    return head == tail;
}

size_t bl_ring_capacity(const bl_ring *ring) { return (size_t)ring->mask + 1; }

size_t bl_ring_bytes(const bl_ring *ring) { return sizeof *ring + cells_size(ring->mask); }

uint64_t bl_ring_conflicts(const bl_ring *ring) { return bl_load_relaxed(&ring->conflicts); }
