/* lane.c: see lane.h.
 *
 * DESIGN
 * `listed` counts the slots of the overflow list. It falls only after the slots that left the list are in
 * the ring, so a producer that reads 0 pushes behind everything it pushed before.
 *
 * A pop that finds the ring empty and the list not moves slots over, under the lock. A slot is taken from
 * the list directly only if the ring is idle and yet full (a popper was stopped between taking its cell
 * and releasing it): anything still in the ring is older.
 *
 * Guarantee of pop: a slot whose push returned before the pop began is not overlooked, unless a push that
 * has not returned stands before it (ring.c).
 *
 * It does not wake anybody and does not count what is live: see queue.c and park.c.
 */
#include "lane.h"

#include "mem.h"
#include "park.h"
#include "ring.h"

#ifdef BL_TINY
#define REFILL 3
#else
#define REFILL 256 /* slots moved from list to ring under one hold of the lock */
#endif

struct bl_lane {
    _Alignas(BL_CACHE_LINE) bl_aptr ring; /* stored once by create_ring, loaded by all; seq pairs for park.h's handshake */
    bl_a64 listed; /* stored under the lock, loaded by push (acquire) and pop (seq) without it */
    _Alignas(BL_CACHE_LINE) bl_mutex lock; /* guards what follows, and the storing of the two above */
    bl_pool *links;
    size_t ring_size;
    bl_slot *first;
    bl_slot *last;
    bl_a64 overflows; /* a figure; written under the lock, read without */
    char pad[BL_CACHE_LINE - 6 * sizeof(uint64_t)];
};

_Static_assert(sizeof(struct bl_lane) == 2 * BL_CACHE_LINE, "readers' line and lock line are apart");

bl_lane *bl_lane_new(size_t ring_size, bl_pool *links) {
    bl_lane *lane = bl_mem_alloc(sizeof *lane);
    if (lane != NULL) {
        lane->ring_size = ring_size;
        lane->links = links;
    }
    return lane;
}

static bl_slot *next_of(const bl_lane *lane, const bl_slot *slot) {
    return lane->links != NULL ? bl_pool_link(lane->links, slot) : slot->next;
}

static void set_next(const bl_lane *lane, bl_slot *slot, bl_slot *next) {
    if (lane->links != NULL) {
        bl_pool_set_link(lane->links, slot, next);
    } else {
        slot->next = next;
    }
}

void bl_lane_free(bl_lane *lane) {
    if (lane != NULL) {
        bl_ring_free(bl_load_relaxed(&lane->ring));
        bl_mem_free(lane, sizeof *lane);
    }
}

static bl_ring *create_ring(bl_lane *lane) {
    bl_mutex_lock(&lane->lock);
    bl_ring *ring = bl_load_relaxed(&lane->ring);
    if (ring == NULL) {
        ring = bl_ring_new(lane->ring_size);
        if (ring != NULL) {
            bl_store_seq(&lane->ring, ring); /* partners: the loads in push and pop */
        }
    }
    bl_mutex_unlock(&lane->lock);
    return ring;
}

static void append(bl_lane *lane, bl_ring *ring, bl_slot *slot) {
    bl_mutex_lock(&lane->lock);
    uint64_t listed = bl_load_relaxed(&lane->listed);
    if (listed > 0 || bl_ring_push(ring, slot) != BL_OK) {
        set_next(lane, slot, NULL);
        if (lane->first == NULL) {
            lane->first = slot;
        } else {
            set_next(lane, lane->last, slot);
        }
        lane->last = slot;
        bl_store_seq(&lane->listed, listed + 1); /* partners: the loads in push and pop */
        bl_store_relaxed(&lane->overflows, bl_load_relaxed(&lane->overflows) + 1);
    }
    bl_mutex_unlock(&lane->lock);
}

int bl_lane_push(bl_lane *lane, bl_slot *slot) {
    bl_ring *ring = bl_load_acquire(&lane->ring); /* partner: create_ring */
    if (ring == NULL) {
        ring = create_ring(lane);
        if (ring == NULL) {
            return BL_NOMEM;
        }
    }
    /* Partner: the store at the end of refill; reading its 0 means its slots are in the ring. */
    if (bl_load_acquire(&lane->listed) > 0 || bl_ring_push(ring, slot) != BL_OK) {
        append(lane, ring, slot);
    }
    return BL_OK;
}

static bl_slot *unlink_first(bl_lane *lane, uint64_t *listed) {
    bl_slot *slot = lane->first;
    lane->first = next_of(lane, slot);
    if (lane->first == NULL) {
        lane->last = NULL;
    }
    --*listed;
    return slot;
}

static bl_slot *refill(bl_lane *lane, bl_ring *ring) {
    bl_mutex_lock(&lane->lock);
    uint64_t listed = bl_load_relaxed(&lane->listed);
    bl_slot *slot = bl_ring_pop(ring); /* somebody else may have refilled it */
    while (slot == NULL && lane->first != NULL) {
        unsigned moved = 0;
        while (lane->first != NULL && moved < REFILL) {
            bl_slot *rest = next_of(lane, lane->first); /* read before the push: then the slot is a popper's */
            if (bl_ring_push(ring, lane->first) != BL_OK) {
                break;
            }
            lane->first = rest;
            moved++;
            listed--;
        }
        if (lane->first == NULL) {
            lane->last = NULL;
        }
        slot = bl_ring_pop(ring);
        if (slot == NULL && moved == 0) {
            if (!bl_ring_idle(ring)) {
                break; /* behind a push that has not returned; it will notify */
            }
            slot = unlink_first(lane, &listed);
        }
    }
    bl_store_seq(&lane->listed, listed); /* partner: the acquire load in bl_lane_push */
    bl_mutex_unlock(&lane->lock);
    return slot;
}

bl_slot *bl_lane_pop(bl_lane *lane) {
    bl_ring *ring = bl_load_seq(&lane->ring); /* partner: create_ring */
    if (ring == NULL) {
        return NULL;
    }
    bl_slot *slot = bl_ring_pop(ring);
    if (slot != NULL) {
        return slot;
    }
    if (bl_load_seq(&lane->listed) > 0) { /* partner: append */
        return refill(lane, ring);
    }
    /* Between the look at the ring and the look at the list another pop may have moved everything over. */
    return bl_ring_pop(ring);
}

bool bl_lane_maybe_empty(const bl_lane *lane) {
    if (bl_load_seq(&lane->listed) > 0) {
        return false;
    }
    bl_ring *ring = bl_load_seq(&lane->ring);
    return ring == NULL || bl_ring_idle(ring);
}

uint64_t bl_lane_overflows(const bl_lane *lane) { return bl_load_relaxed(&lane->overflows); }

uint64_t bl_lane_conflicts(const bl_lane *lane) {
    bl_ring *ring = bl_load_acquire(&lane->ring);
    return ring != NULL ? bl_ring_conflicts(ring) : 0;
}

size_t bl_lane_bytes(const bl_lane *lane) {
    bl_ring *ring = bl_load_acquire(&lane->ring);
    return sizeof *lane + (ring != NULL ? bl_ring_bytes(ring) : 0);
}
