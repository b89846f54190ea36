/* ring.h: bounded lock-free multi-producer multi-consumer ring of pointers (Vyukov's: one sequence
 * number per cell). Never blocks, never allocates after creation.
 *
 * BL_RING_START (tests) sets the index that positions start at, so that wrap-around of the counters
 * happens at once.
 */
#ifndef BL_RING_H
#define BL_RING_H

#include <stddef.h>

#include "atom.h"
#include "errors.h"

typedef struct bl_ring bl_ring;

bl_ring *bl_ring_new(size_t capacity);       /* rounded up to a power of two, at least 2; NULL: no memory */
void bl_ring_free(bl_ring *ring);            /* items are the caller's */
int bl_ring_push(bl_ring *ring, void *item); /* BL_OK or BL_FULL */
void *bl_ring_pop(bl_ring *ring);            /* NULL: empty, or the oldest push has not returned yet */
bool bl_ring_idle(const bl_ring *ring);      /* no position is between push and pop (at one moment of the call) */
size_t bl_ring_capacity(const bl_ring *ring);
size_t bl_ring_bytes(const bl_ring *ring);
uint64_t bl_ring_conflicts(const bl_ring *ring); /* compare-and-swaps lost to somebody else, about */

#endif
