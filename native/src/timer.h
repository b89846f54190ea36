/* timer.h: slots by due time: an indexed binary (or wider) heap behind one small mutex. Used for delays,
 * retries and expiry, which are rare next to plain submits; deadlines of running tasks live in the
 * workers (core.h), not here.
 *
 * A slot's timer time is `due` while it is DELAYED, else `expires`. Equal times leave in the order they came.
 */
#ifndef BL_TIMER_H
#define BL_TIMER_H

#include "slots.h"

typedef struct bl_timers bl_timers;

bl_timers *bl_timers_new(void);
void bl_timers_free(bl_timers *timers);
int bl_timers_add(bl_timers *timers, bl_slot *slot, int64_t when, bool *first); /* *first: it is now the earliest. BL_OK, BL_NOMEM */
int bl_timers_remove(bl_timers *timers, bl_slot *slot); /* BL_OK, or BL_EMPTY: not in it (any more) */
bl_slot *bl_timers_pop_due(bl_timers *timers, int64_t now); /* NULL: nothing due */
int64_t bl_timers_next(bl_timers *timers);              /* time of the earliest, BL_NEVER when empty */
size_t bl_timers_count(bl_timers *timers);
size_t bl_timers_bytes(bl_timers *timers);

#endif
