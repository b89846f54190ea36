/* queue.c: see queue.h.
 *
 * DESIGN
 * Bits are sticky: the first push into a lane sets its bit, nobody clears it. Clearing would need either
 * a locked operation per push or a moment in which a lane with slots shows a clear bit; looking at an
 * empty lane that was used once costs a few loads.
 *
 * `live` is two counters, one that submitters move and one that whoever takes slots out moves, so that
 * the two sides share no cache line while a lane is unbounded. A stale "out" makes a bounded lane look fuller,
 * never emptier.
 *
 * A front slot waits in a list behind a small lock; `fronted` says from outside whether it is worth taking.
 *
 * It wakes nobody but those who wait for room in a bounded lane, and does not look at a slot's state.
 */
#include "queue.h"

#include "mem.h"

#define SEQ_MIDDLE (UINT64_C(1) << 63) /* lanes count up from here, the front counts down */

typedef struct tally {
    _Alignas(BL_CACHE_LINE) bl_a64 in; /* moved by reserve; partner: the load in bl_queue_live */
    char pad_in[BL_CACHE_LINE - sizeof(bl_a64)];
    _Alignas(BL_CACHE_LINE) bl_a64 out; /* moved by release; partner: the loads in reserve, has_room and live */
    char pad_out[BL_CACHE_LINE - sizeof(bl_a64)];
    bl_ec room; /* submitters that wait for a release; takers only read it */
} tally;

_Static_assert(sizeof(tally) == 3 * BL_CACHE_LINE, "submitters, takers and waiters write different cache lines");

struct bl_queue {
    _Alignas(BL_CACHE_LINE) unsigned lanes;
    bl_a32 used;    /* sticky bits; set by push, read by pop */
    bl_a64 fronted; /* slots in the front list; stored under the lock, read without */
    bl_lane *lane[BL_MAX_LANES];
    _Alignas(BL_CACHE_LINE) bl_a64 next_seq; /* a number dispenser: relaxed, no partner */
    char pad[BL_CACHE_LINE - sizeof(bl_a64)];
    _Alignas(BL_CACHE_LINE) bl_mutex lock; /* guards what follows */
    bl_slot *front;
    uint64_t front_seq;
    _Alignas(BL_CACHE_LINE) tally tallies[]; /* one per lane */
};

_Static_assert(offsetof(struct bl_queue, lock) - offsetof(struct bl_queue, next_seq) >= BL_CACHE_LINE,
               "the dispenser has its line for itself");

static size_t queue_size(unsigned lanes) { return sizeof(bl_queue) + lanes * sizeof(tally); }

bl_queue *bl_queue_new(unsigned lanes, size_t ring_size) {
    if (lanes < 1 || lanes > BL_MAX_LANES) {
        return NULL;
    }
    bl_queue *queue = bl_mem_alloc(queue_size(lanes));
    if (queue == NULL) {
        return NULL;
    }
    queue->lanes = lanes;
    queue->front_seq = SEQ_MIDDLE;
    atomic_init(&queue->next_seq, SEQ_MIDDLE);
    for (unsigned i = 0; i < lanes; i++) {
        bl_ec_init(&queue->tallies[i].room);
        queue->lane[i] = bl_lane_new(ring_size, NULL);
        if (queue->lane[i] == NULL) {
            bl_queue_free(queue);
            return NULL;
        }
    }
    return queue;
}

void bl_queue_free(bl_queue *queue) {
    if (queue != NULL) {
        for (unsigned i = 0; i < queue->lanes; i++) {
            bl_lane_free(queue->lane[i]);
        }
        bl_mem_free(queue, queue_size(queue->lanes));
    }
}

unsigned bl_queue_lanes(const bl_queue *queue) { return queue->lanes; }

int bl_queue_reserve(bl_queue *queue, unsigned lane, uint64_t count, uint64_t limit) {
    tally *t = &queue->tallies[lane];
    if (limit == 0) {
        bl_add_relaxed(&t->in, count); /* counts only; the slot itself is handed over by the lane */
        return BL_OK;
    }
    uint64_t in = bl_load_relaxed(&t->in);
    do {
        uint64_t live = in - bl_load_acquire(&t->out); /* partner: the add in bl_queue_release */
        if ((int64_t)live < 0) {
            live = 0; /* `in` was older than `out`: the swap below fails */
        }
        if (count > limit || live > limit - count) {
            return BL_FULL;
        }
    } while (!bl_cas_relaxed(&t->in, &in, in + count));
    return BL_OK;
}

void bl_queue_release(bl_queue *queue, unsigned lane, uint64_t count) {
    tally *t = &queue->tallies[lane];
    /* Partners: the loads in bl_queue_reserve and bl_queue_live. seq: with the load of the waiters that follows it is
     * this side of the handshake with whoever waits for room, bl_queue_has_room is the other. */
    bl_add_seq(&t->out, count);
    bl_ec_notify_all(&t->room);
}

bool bl_queue_has_room(const bl_queue *queue, unsigned lane, uint64_t count, uint64_t limit) {
    const tally *t = &queue->tallies[lane];
    uint64_t in = bl_load_acquire(&t->in);
    uint64_t live = in - bl_load_seq(&t->out); /* partner: the add in bl_queue_release */
    return limit == 0 || (count <= limit && ((int64_t)live < 0 || live <= limit - count));
}

bl_ec *bl_queue_room(bl_queue *queue, unsigned lane) { return &queue->tallies[lane].room; }

void bl_queue_wake_blocked(bl_queue *queue) {
    for (unsigned i = 0; i < queue->lanes; i++) {
        bl_ec_notify_all(&queue->tallies[i].room);
    }
}

static void push_front(bl_queue *queue, bl_slot *slot) {
    bl_mutex_lock(&queue->lock);
    slot->seq = --queue->front_seq;
    slot->next = queue->front;
    queue->front = slot;
    bl_store_seq(&queue->fronted, bl_load_relaxed(&queue->fronted) + 1); /* partner: the seq load in pop_front */
    bl_mutex_unlock(&queue->lock);
}

static bl_slot *pop_front(bl_queue *queue) {
    if (bl_load_seq(&queue->fronted) == 0) { /* partner: the store in push_front */
        return NULL;
    }
    bl_mutex_lock(&queue->lock);
    bl_slot *slot = queue->front;
    if (slot != NULL) {
        queue->front = slot->next;
        slot->next = NULL;
        bl_store_seq(&queue->fronted, bl_load_relaxed(&queue->fronted) - 1);
    }
    bl_mutex_unlock(&queue->lock);
    return slot;
}

int bl_queue_push(bl_queue *queue, bl_slot *slot, bool front) {
    if (front) {
        push_front(queue, slot);
        return BL_OK;
    }
    unsigned lane = slot->lane;
    uint32_t bit = UINT32_C(1) << lane;
    slot->seq = bl_add_relaxed(&queue->next_seq, 1);
    int rc = bl_lane_push(queue->lane[lane], slot);
    /* The slot may be gone already: it is not touched below. Partner: the seq load in bl_queue_pop. */
    if (rc == BL_OK && (bl_load_seq(&queue->used) & bit) == 0) {
        bl_or_seq(&queue->used, bit);
    }
    return rc;
}

static unsigned lowest_bit(uint32_t bits) { return (unsigned)__builtin_ctz(bits); }

static unsigned highest_bit(uint32_t bits) { return 31u - (unsigned)__builtin_clz(bits); }

bl_slot *bl_queue_pop(bl_queue *queue, bool lowest) {
    bl_slot *slot = pop_front(queue);
    if (slot != NULL) {
        return slot;
    }
    uint32_t bits = bl_load_seq(&queue->used); /* partner: bl_queue_push */
    while (bits != 0) {
        unsigned lane = lowest ? highest_bit(bits) : lowest_bit(bits);
        slot = bl_lane_pop(queue->lane[lane]);
        if (slot != NULL) {
            return slot;
        }
        bits &= ~(UINT32_C(1) << lane);
    }
    return NULL;
}

bl_slot *bl_queue_pop_lane(bl_queue *queue, unsigned lane) {
    bl_slot *slot = lane == 0 ? pop_front(queue) : NULL;
    return slot != NULL ? slot : bl_lane_pop(queue->lane[lane]);
}

bool bl_queue_maybe_empty(const bl_queue *queue) {
    if (bl_load_seq(&queue->fronted) > 0) {
        return false;
    }
    uint32_t bits = bl_load_seq(&queue->used);
    while (bits != 0) {
        unsigned lane = lowest_bit(bits);
        if (!bl_lane_maybe_empty(queue->lane[lane])) {
            return false;
        }
        bits &= ~(UINT32_C(1) << lane);
    }
    return true;
}

uint64_t bl_queue_live(const bl_queue *queue, unsigned lane) {
    const tally *t = &queue->tallies[lane];
    uint64_t out = bl_load_acquire(&t->out); /* partner: the add in bl_queue_release */
    uint64_t in = 0;
    for (int tries = 0; tries < 4; tries++) { /* `out` standing still around `in` makes the difference exact */
        uint64_t before = out;
        in = bl_load_acquire(&t->in);
        out = bl_load_acquire(&t->out);
        if (out == before) {
            break;
        }
    }
    return in > out ? in - out : 0; /* a slot may be released a moment before its reservation is counted */
}

uint64_t bl_queue_live_all(const bl_queue *queue) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < queue->lanes; i++) {
        sum += bl_queue_live(queue, i);
    }
    return sum;
}

uint64_t bl_queue_overflows(const bl_queue *queue) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < queue->lanes; i++) {
        sum += bl_lane_overflows(queue->lane[i]);
    }
    return sum;
}

uint64_t bl_queue_conflicts(const bl_queue *queue) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < queue->lanes; i++) {
        sum += bl_lane_conflicts(queue->lane[i]);
    }
    return sum;
}

size_t bl_queue_bytes(const bl_queue *queue) {
    size_t sum = queue_size(queue->lanes);
    for (unsigned i = 0; i < queue->lanes; i++) {
        sum += bl_lane_bytes(queue->lane[i]);
    }
    return sum;
}
