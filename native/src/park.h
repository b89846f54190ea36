/* park.h: how idle threads sleep and are woken: a futex-like wait on a 32-bit word, and an event count
 * built on it. Linux: futex. Elsewhere: hashed buckets of mutex and condition variable (BL_NO_FUTEX
 * forces that variant, so that it is tested on Linux too).
 *
 * Event count protocol (no lost wake-up):
 *   waiter:  key = bl_ec_prepare(); look for work again; none -> bl_ec_wait(key); found -> bl_ec_cancel()
 *   waker:   make the work visible, then bl_ec_notify()
 * prepare's seq_cst increment of `waiters` and notify's seq_cst load of it form the handshake: either the
 * waker sees the waiter, or the waiter's second look sees the work.
 * bl_ec_notify costs one load while nobody waits. It takes one waiter out of the count itself, so a burst
 * of notifies makes one system call per sleeping thread and not one per item.
 *
 * bl_ec_nudge makes one system call per thread that has come: while one that was woken is still on its way, it leaves
 * further work to that one. Then whoever leaves the waiters' count, by wait or by cancel, has to look once more and to
 * nudge again for what it does not take itself.
 */
#ifndef BL_PARK_H
#define BL_PARK_H

#include "atom.h"
#include "errors.h"

/* Sleep while *word == expected, until woken or `deadline` (nanoseconds of CLOCK_MONOTONIC, BL_NEVER = no
 * deadline). BL_OK woken, changed or spuriously; BL_TIMEOUT; BL_AGAIN interrupted by a signal. */
int bl_addr_wait(bl_a32 *word, uint32_t expected, int64_t deadline);
void bl_addr_wake(bl_a32 *word, int count); /* INT_MAX: all */

typedef struct bl_ec {
    _Alignas(BL_CACHE_LINE) bl_a32 epoch;
    bl_a32 waiters; /* registered waiters, and signals given to them: park.c; at most 65,535 threads */
    char pad[BL_CACHE_LINE - 8];
} bl_ec;

_Static_assert(sizeof(bl_ec) == BL_CACHE_LINE, "an event count owns its cache line");

void bl_ec_init(bl_ec *ec);
uint32_t bl_ec_prepare(bl_ec *ec);
void bl_ec_cancel(bl_ec *ec);
int bl_ec_wait(bl_ec *ec, uint32_t key, int64_t deadline); /* as bl_addr_wait; leaves the waiters' count in all cases */
bool bl_ec_notify(bl_ec *ec);    /* true when somebody was woken */
bool bl_ec_nudge(bl_ec *ec);     /* true when somebody was woken, or was before and has not come yet */
void bl_ec_notify_all(bl_ec *ec);
uint32_t bl_ec_waiters(const bl_ec *ec); /* those that a notify could still wake */

int64_t bl_now(void); /* CLOCK_MONOTONIC, nanoseconds */

/* A small mutex on the same waits (no recursion, no fairness). */
typedef struct bl_mutex { bl_a32 word; } bl_mutex;
void bl_mutex_lock(bl_mutex *mutex);
void bl_mutex_unlock(bl_mutex *mutex);

#endif
