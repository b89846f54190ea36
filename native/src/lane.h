/* lane.h: a FIFO of slots that never says "full": a ring, and an overflow list behind a lock for what
 * the ring cannot take.
 *
 * DESIGN
 * Order: while the overflow list holds anything, pushes go to the list, and a pop that finds the ring
 * empty refills it from the list under the list's lock (a batch at a time). One producer's slots are
 * therefore popped in its order. The ring is created at the first push (an idle lane costs nothing but
 * its struct). The list is intrusive, so overflowing allocates nothing: through bl_slot.next for lanes of
 * queues, through bl_pool_link for the lane of kept results, because a task that was cancelled while queued
 * is in both at once.
 */
#ifndef BL_LANE_H
#define BL_LANE_H

#include "slots.h"

typedef struct bl_lane bl_lane;

/* `links`: NULL, or the pool whose links are to be used. NULL when there is no memory. */
bl_lane *bl_lane_new(size_t ring_size, bl_pool *links);
void bl_lane_free(bl_lane *lane);
int bl_lane_push(bl_lane *lane, bl_slot *slot); /* BL_OK; BL_NOMEM when the ring could not be created */
bl_slot *bl_lane_pop(bl_lane *lane);            /* NULL: empty (at some moment during the call) */
bool bl_lane_maybe_empty(const bl_lane *lane);  /* a hint, exact when nobody else is active */
uint64_t bl_lane_overflows(const bl_lane *lane); /* pushes that went to the list */
uint64_t bl_lane_conflicts(const bl_lane *lane);
size_t bl_lane_bytes(const bl_lane *lane);

#endif
