/* slots.h: the fixed-size record of one task, its state word, and the pool that records come from.
 *
 * DESIGN
 * The word is (attempt << 8 | flags | state). Every transition is one compare-and-swap that names the
 * attempt it means, so of claim, cancel, expire, finish and time-out exactly one wins, and an attempt
 * that returns late cannot finish a newer one. Flags ride on the same word, so the winner of a
 * transition learns in the same instruction whether somebody waits or has registered a callback.
 *
 * Slots are type-stable: memory given back stays a slot of the same pool until the pool is destroyed.
 * The pool is a lock-free stack of indexes with a tag against ABA, over slabs that only grow.
 *
 * It knows neither queues nor Python: `owner` is opaque.
 */
#ifndef BL_SLOTS_H
#define BL_SLOTS_H

#include <stddef.h>

#include "atom.h"
#include "errors.h"

enum bl_state {
    BL_DELAYED = 0,   /* in the timers, in no lane */
    BL_QUEUED = 1,    /* in a lane */
    BL_RUNNING = 2,
    BL_COMPLETED = 3,
    BL_FAILED = 4,
    BL_CANCELLED = 5
};

#define BL_STATE_MASK 0x0fu
#define BL_F_WAITERS 0x10u   /* a thread sleeps on the word (bl_addr_wait) */
#define BL_F_CALLBACKS 0x20u /* the owner holds callbacks for the end */
#define BL_F_CANCEL 0x40u    /* somebody asked a running attempt to stop */
#define BL_F_FORGET 0x80u    /* free for the binding: not kept in the retention list */
#define BL_ATTEMPT_SHIFT 8
#define BL_ATTEMPT_MAX 0xffffffu

#define BL_NEVER INT64_MAX
#define BL_NO_TIMER UINT32_MAX

typedef struct bl_slot {
    bl_a32 word;
    uint8_t lane;
    uint8_t mark;         /* free for the binding */
    uint16_t queue;       /* index of the queue */
    struct bl_slot *next; /* link of the queue's list the slot is in: overflow, front; guarded by that list's lock */
    uint64_t seq;         /* place in its queue; set by bl_queue_push, which a cancel may have been faster than */
    uint64_t id;
    int64_t created;      /* nanoseconds of the engine's clock, as all times here */
    int64_t started;
    int64_t finished;
    int64_t due;          /* BL_NEVER: not delayed */
    int64_t expires;      /* BL_NEVER: does not expire */
    int64_t timeout;      /* 0: no limit */
    void *owner;
    uint32_t timer_at;    /* place in the timer heap, guarded by its lock; BL_NO_TIMER: not in it */
    uint32_t index;       /* in the pool; constant */
} bl_slot;

_Static_assert(sizeof(bl_slot) <= 96, "a queued task costs memory, and there may be millions");

static inline unsigned bl_word_state(uint32_t word) { return word & BL_STATE_MASK; }
static inline uint32_t bl_word_attempt(uint32_t word) { return word >> BL_ATTEMPT_SHIFT; }
static inline bool bl_word_terminal(uint32_t word) { return bl_word_state(word) >= BL_COMPLETED; }

/* Each returns BL_OK to the one winner and BL_LOST to everybody else. `*seen` is the word before the
 * transition on BL_OK, the word that was found on BL_LOST. Flags survive every transition but
 * bl_slot_retry, which drops BL_F_CANCEL.
 *   claim:  QUEUED -> RUNNING, attempt + 1; `*attempt` is the new attempt
 *   finish: RUNNING of this attempt -> COMPLETED, FAILED or CANCELLED
 *   retry:  RUNNING of this attempt -> DELAYED or QUEUED (attempt unchanged until the next claim)
 *   hold:   RUNNING of this attempt -> RUNNING of attempt + 1: who runs this one can no longer end the task
 *   cancel: DELAYED or QUEUED -> CANCELLED (also used for expiry)
 *   ready:  DELAYED -> QUEUED
 */
int bl_slot_claim(bl_slot *slot, uint32_t *attempt, uint32_t *seen);
int bl_slot_finish(bl_slot *slot, uint32_t attempt, unsigned state, uint32_t *seen);
int bl_slot_retry(bl_slot *slot, uint32_t attempt, unsigned state, uint32_t *seen);
int bl_slot_hold(bl_slot *slot, uint32_t attempt);
int bl_slot_cancel(bl_slot *slot, uint32_t *seen);
int bl_slot_ready(bl_slot *slot, uint32_t *seen);
/* Set flags on a slot that is not terminal: BL_OK, or BL_LOST when it is already terminal. */
int bl_slot_flag(bl_slot *slot, uint32_t flags, uint32_t *seen);

typedef struct bl_pool bl_pool;

bl_pool *bl_pool_new(void);              /* NULL: no memory */
void bl_pool_free(bl_pool *pool);        /* all slots become invalid */
bl_slot *bl_pool_take(bl_pool *pool);    /* NULL: no memory; fields reset, state DELAYED, attempt 0 */
void bl_pool_give(bl_pool *pool, bl_slot *slot);
/* A second link per slot for the list of kept results, because a task that was cancelled while queued is in its
 * lane's list too. It lives beside the slots, where a free slot has its place in the free stack. Guarded by the
 * list's lock. */
bl_slot *bl_pool_link(const bl_pool *pool, const bl_slot *slot);
void bl_pool_set_link(bl_pool *pool, const bl_slot *slot, const bl_slot *next);
size_t bl_pool_reserved(const bl_pool *pool); /* bytes of all slabs */
size_t bl_pool_in_use(const bl_pool *pool);   /* bytes of the slots taken */
int bl_pool_reserve(bl_pool *pool, size_t slots); /* grow ahead (memory_pool_mb); BL_OK or BL_NOMEM */

#endif
