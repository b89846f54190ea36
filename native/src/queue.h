/* queue.h: N priority lanes (lane 0 first), a bitmap of lanes that may hold something, and a "front"
 * stack that is served before every lane, last in first out.
 *
 * The bitmap is a hint that errs to one side only: a set bit may mean an empty lane, a clear bit is
 * never a lane that holds a slot whose push has returned. Tombstones (slots cancelled while queued)
 * stay in the lane and are the popper's to throw away; `live` does not count them.
 *
 * A pop returns NULL while slots stand behind a push that has not returned (ring.c); that push's notify
 * wakes one thread for all of them, so whoever takes a slot and sees more should notify once more.
 */
#ifndef BL_QUEUE_H
#define BL_QUEUE_H

#include "lane.h"
#include "park.h"

#define BL_MAX_LANES 16

typedef struct bl_queue bl_queue;

bl_queue *bl_queue_new(unsigned lanes, size_t ring_size); /* NULL: no memory, or lanes not in 1..BL_MAX_LANES */
void bl_queue_free(bl_queue *queue);
unsigned bl_queue_lanes(const bl_queue *queue);

/* Reserve room for `count` slots in a lane before pushing them; limit 0 is unbounded. BL_OK or BL_FULL
 * (then nothing is reserved). Counts into `live`. bl_queue_release undoes it, once per slot that leaves
 * the queued state by whatever way (claim, cancel, expiry). */
int bl_queue_reserve(bl_queue *queue, unsigned lane, uint64_t count, uint64_t limit);
void bl_queue_release(bl_queue *queue, unsigned lane, uint64_t count);
/* Waiting for room in a bounded lane: prepare on the lane's event count, look with has_room, then wait or cancel
 * (park.h), and reserve again. Every release wakes all who wait there, because they may want different amounts.
 * bl_queue_wake_blocked wakes them all without any room: what they wait for is not coming. */
bool bl_queue_has_room(const bl_queue *queue, unsigned lane, uint64_t count, uint64_t limit);
bl_ec *bl_queue_room(bl_queue *queue, unsigned lane);
void bl_queue_wake_blocked(bl_queue *queue);

/* slot->lane says where; slot->seq is set (front slots get seqs below all others, newest lowest). */
int bl_queue_push(bl_queue *queue, bl_slot *slot, bool front); /* BL_OK or BL_NOMEM */
/* Highest priority first; with `lowest` the scan starts at the lowest lane that holds something. */
bl_slot *bl_queue_pop(bl_queue *queue, bool lowest);
bl_slot *bl_queue_pop_lane(bl_queue *queue, unsigned lane); /* only that lane (and the front stack for lane 0) */
bool bl_queue_maybe_empty(const bl_queue *queue);
uint64_t bl_queue_live(const bl_queue *queue, unsigned lane);
uint64_t bl_queue_live_all(const bl_queue *queue);
uint64_t bl_queue_overflows(const bl_queue *queue);
uint64_t bl_queue_conflicts(const bl_queue *queue);
size_t bl_queue_bytes(const bl_queue *queue);

#endif
