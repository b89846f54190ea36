/* slots.c: see slots.h.
 *
 * DESIGN of the pool
 * Free slots are in one of two stacks of indexes: `free`, which takers pop (with a tag against ABA), and
 * `given`, onto which slots are given back and which is only ever swapped out as a whole. So takers and givers
 * work on different cache lines; when `free` is empty a taker moves `given` over under the lock. After
 * that come slots never used before, then a new slab.
 *
 * The number of free slots needs no counter of its own: the tag of `free` counts its pops, `given` carries
 * its length.
 *
 * It does not know what a task is, and does not check that a slot given back is out of every list.
 */
#include "slots.h"

#include "mem.h"
#include "park.h"

#ifdef BL_TINY
#define SLAB_BITS 2
#else
#define SLAB_BITS 10
#endif
#define SLAB_SLOTS (UINT32_C(1) << SLAB_BITS)
#define MAX_SLABS (UINT32_C(1) << 16)

typedef struct slab {
    bl_slot slots[SLAB_SLOTS];
    /* index + 1 of the next slot, 0: last. Of a free slot: in its stack, handed on by the stack's swaps. Of a slot
     * in use: bl_pool_link. */
    bl_a32 links[SLAB_SLOTS];
} slab;

struct bl_pool {
    _Alignas(BL_CACHE_LINE) bl_a64 free;  /* tag << 32 | index + 1; takers only */
    bl_a64 fresh;                         /* slots ever used; takers only */
    _Alignas(BL_CACHE_LINE) bl_a64 given; /* length << 32 | index + 1; givers, and the swap in refill */
    _Alignas(BL_CACHE_LINE) bl_mutex lock; /* guards growing and refilling */
    bl_a64 moved;                          /* slots ever moved from `given` to `free`; written under the lock */
    bl_a64 capacity;                       /* slots in all slabs; stored under the lock after the slab */
    bl_aptr slabs[MAX_SLABS];              /* stored once each under the lock, before `capacity` */
};

_Static_assert(offsetof(struct bl_pool, given) - offsetof(struct bl_pool, free) >= BL_CACHE_LINE,
               "takers and givers write different cache lines");

/* ---- the word ---- */

static uint32_t with_state(uint32_t word, unsigned state) { return (word & ~BL_STATE_MASK) | state; }

int bl_slot_claim(bl_slot *slot, uint32_t *attempt, uint32_t *seen) {
    /* Partners of this and of all transitions below: each other, and readers that load the word with acquire. */
    uint32_t word = bl_load_acquire(&slot->word);
    while (bl_word_state(word) == BL_QUEUED) {
        uint32_t next = with_state(word, BL_RUNNING) + (UINT32_C(1) << BL_ATTEMPT_SHIFT);
        if (bl_cas_acq_rel(&slot->word, &word, next)) {
            *attempt = bl_word_attempt(next);
            *seen = word;
            return BL_OK;
        }
    }
    *seen = word;
    return BL_LOST;
}

static int leave_running(bl_slot *slot, uint32_t attempt, unsigned state, uint32_t dropped, uint32_t *seen) {
    uint32_t word = bl_load_acquire(&slot->word);
    while (bl_word_state(word) == BL_RUNNING && bl_word_attempt(word) == attempt) {
        if (bl_cas_acq_rel(&slot->word, &word, with_state(word, state) & ~dropped)) {
            *seen = word;
            return BL_OK;
        }
    }
    *seen = word;
    return BL_LOST;
}

int bl_slot_finish(bl_slot *slot, uint32_t attempt, unsigned state, uint32_t *seen) {
    return leave_running(slot, attempt, state, 0, seen);
}

int bl_slot_retry(bl_slot *slot, uint32_t attempt, unsigned state, uint32_t *seen) {
    return leave_running(slot, attempt, state, BL_F_CANCEL, seen);
}

int bl_slot_hold(bl_slot *slot, uint32_t attempt) {
    uint32_t word = bl_load_acquire(&slot->word);
    while (bl_word_state(word) == BL_RUNNING && bl_word_attempt(word) == attempt)
        if (bl_cas_acq_rel(&slot->word, &word, word + (UINT32_C(1) << BL_ATTEMPT_SHIFT)))
            return BL_OK;
    return BL_LOST;
}

int bl_slot_cancel(bl_slot *slot, uint32_t *seen) {
    uint32_t word = bl_load_acquire(&slot->word);
    while (bl_word_state(word) <= BL_QUEUED) {
        if (bl_cas_acq_rel(&slot->word, &word, with_state(word, BL_CANCELLED))) {
            *seen = word;
            return BL_OK;
        }
    }
    *seen = word;
    return BL_LOST;
}

int bl_slot_ready(bl_slot *slot, uint32_t *seen) {
    uint32_t word = bl_load_acquire(&slot->word);
    while (bl_word_state(word) == BL_DELAYED) {
        if (bl_cas_acq_rel(&slot->word, &word, with_state(word, BL_QUEUED))) {
            *seen = word;
            return BL_OK;
        }
    }
    *seen = word;
    return BL_LOST;
}

int bl_slot_flag(bl_slot *slot, uint32_t flags, uint32_t *seen) {
    uint32_t word = bl_load_acquire(&slot->word);
    while (!bl_word_terminal(word)) {
        if (bl_cas_acq_rel(&slot->word, &word, word | flags)) {
            *seen = word;
            return BL_OK;
        }
    }
    *seen = word;
    return BL_LOST;
}

/* ---- the pool ---- */

static slab *slab_of(const bl_pool *pool, uint32_t index) {
    return bl_load_acquire(&pool->slabs[index >> SLAB_BITS]); /* partner: the store in grow */
}

static bl_a32 *link_of(const bl_pool *pool, uint32_t index) {
    return &slab_of(pool, index)->links[index & (SLAB_SLOTS - 1)];
}

static bl_slot *slot_at(const bl_pool *pool, uint32_t index) {
    return &slab_of(pool, index)->slots[index & (SLAB_SLOTS - 1)];
}

bl_pool *bl_pool_new(void) { return bl_mem_alloc(sizeof(bl_pool)); }

void bl_pool_free(bl_pool *pool) {
    if (pool != NULL) {
        uint64_t slabs = bl_load_acquire(&pool->capacity) >> SLAB_BITS;
        for (uint64_t i = 0; i < slabs; i++) {
            bl_mem_free(bl_load_relaxed(&pool->slabs[i]), sizeof(slab));
        }
        bl_mem_free(pool, sizeof *pool);
    }
}

/* Under the lock. */
static int grow(bl_pool *pool) {
    uint64_t capacity = bl_load_relaxed(&pool->capacity);
    if (capacity >> SLAB_BITS >= MAX_SLABS) {
        return BL_NOMEM;
    }
    slab *more = bl_mem_alloc(sizeof *more);
    if (more == NULL) {
        return BL_NOMEM;
    }
    for (uint32_t i = 0; i < SLAB_SLOTS; i++) {
        more->slots[i].index = (uint32_t)capacity + i;
    }
    bl_store_release(&pool->slabs[capacity >> SLAB_BITS], more); /* partner: slab_of */
    bl_store_release(&pool->capacity, capacity + SLAB_SLOTS);    /* partner: take_fresh */
    return BL_OK;
}

static bool take_free(bl_pool *pool, uint32_t *index) {
    uint64_t head = bl_load_acquire(&pool->free); /* partner: the store in refill */
    while ((uint32_t)head != 0) {
        *index = (uint32_t)head - 1;
        /* The link may be another life's by now; then the tag has moved and the swap fails. */
        uint32_t next = bl_load_relaxed(link_of(pool, *index));
        uint64_t tag = (head >> 32) + 1;
        if (bl_cas_acq_rel(&pool->free, &head, tag << 32 | next)) {
            return true;
        }
    }
    return false;
}

static bool take_fresh(bl_pool *pool, uint32_t *index) {
    uint64_t fresh = bl_load_relaxed(&pool->fresh);
    while (fresh < bl_load_acquire(&pool->capacity)) { /* partner: the store in grow */
        if (bl_cas_relaxed(&pool->fresh, &fresh, fresh + 1)) {
            *index = (uint32_t)fresh;
            return true;
        }
    }
    return false;
}

/* Under the lock: only its holder fills `free`, so once seen empty it stays so until the store. */
static bool refill(bl_pool *pool) {
    uint64_t head = bl_load_acquire(&pool->free);
    if ((uint32_t)head != 0) {
        return true;
    }
    uint64_t given = bl_xchg_acq_rel(&pool->given, 0); /* partner: the swap in bl_pool_give */
    if ((uint32_t)given == 0) {
        return false;
    }
    bl_store_relaxed(&pool->moved, bl_load_relaxed(&pool->moved) + (given >> 32)); /* a figure */
    bl_store_release(&pool->free, (head & ~(uint64_t)UINT32_MAX) | (uint32_t)given); /* partner: take_free */
    return true;
}

static bool take_index(bl_pool *pool, uint32_t *index) {
    if (take_free(pool, index)) {
        return true;
    }
    /* Only a hint, the lock decides: an empty `given` is not worth the lock while fresh slots are there. */
    if (bl_load_relaxed(&pool->given) == 0 && take_fresh(pool, index)) {
        return true;
    }
    for (;;) {
        bl_mutex_lock(&pool->lock);
        bool more = refill(pool) || bl_load_relaxed(&pool->fresh) < bl_load_relaxed(&pool->capacity) ||
                    grow(pool) == BL_OK;
        bl_mutex_unlock(&pool->lock);
        if (take_free(pool, index) || take_fresh(pool, index)) {
            return true;
        }
        if (!more) {
            return false;
        }
    }
}

bl_slot *bl_pool_take(bl_pool *pool) {
    uint32_t index;
    if (!take_index(pool, &index)) {
        return NULL;
    }
    bl_slot *slot = slot_at(pool, index);
    bl_store_relaxed(&slot->word, BL_DELAYED); /* nobody else has the slot */
    slot->lane = 0;
    slot->mark = 0;
    slot->queue = 0;
    slot->next = NULL;
    slot->seq = 0;
    slot->id = 0;
    slot->created = 0;
    slot->started = 0;
    slot->finished = 0;
    slot->due = BL_NEVER;
    slot->expires = BL_NEVER;
    slot->timeout = 0;
    slot->owner = NULL;
    slot->timer_at = BL_NO_TIMER;
    return slot;
}

void bl_pool_give(bl_pool *pool, bl_slot *slot) {
    bl_a32 *link = link_of(pool, slot->index);
    uint64_t head = bl_load_relaxed(&pool->given);
    uint64_t next;
    do {
        bl_store_relaxed(link, (uint32_t)head); /* handed on by the swap */
        next = ((head >> 32) + 1) << 32 | (slot->index + 1);
    } while (!bl_cas_acq_rel(&pool->given, &head, next)); /* partner: the exchange in refill */
}

bl_slot *bl_pool_link(const bl_pool *pool, const bl_slot *slot) {
    uint32_t next = bl_load_relaxed(link_of(pool, slot->index)); /* the list's lock orders it */
    return next != 0 ? slot_at(pool, next - 1) : NULL;
}

void bl_pool_set_link(bl_pool *pool, const bl_slot *slot, const bl_slot *next) {
    bl_store_relaxed(link_of(pool, slot->index), next != NULL ? next->index + 1 : 0); /* the same */
}

int bl_pool_reserve(bl_pool *pool, size_t slots) {
    int rc = BL_OK;
    bl_mutex_lock(&pool->lock);
    while (rc == BL_OK && bl_load_relaxed(&pool->capacity) < slots) {
        rc = grow(pool);
    }
    bl_mutex_unlock(&pool->lock);
    return rc;
}

size_t bl_pool_reserved(const bl_pool *pool) {
    return (size_t)(bl_load_acquire(&pool->capacity) >> SLAB_BITS) * sizeof(slab) + sizeof *pool;
}

size_t bl_pool_in_use(const bl_pool *pool) {
    uint64_t given = bl_load_acquire(&pool->given) >> 32;
    uint64_t moved = bl_load_acquire(&pool->moved);
    uint64_t popped = bl_load_acquire(&pool->free) >> 32;
    uint64_t fresh = bl_load_acquire(&pool->fresh);
    uint64_t idle = given + (uint32_t)(moved - popped);
    return fresh > idle ? (size_t)(fresh - idle) * sizeof(bl_slot) : 0; /* the loads are not one moment */
}
