/* mem.h: where the core's memory comes from, counted.
 *
 * malloc by default; with BL_JEMALLOC (set by the build when jemalloc's headers are there) mallocx and
 * dallocx, in processes into which jemalloc was loaded (LD_PRELOAD). A test build (BL_FAULTS) makes the n-th allocation fail. Returned memory is zeroed and aligned
 * to a cache line. Does not pool: see slots.h.
 */
#ifndef BL_MEM_H
#define BL_MEM_H

#include <stdbool.h>
#include <stddef.h>

void *bl_mem_alloc(size_t size);            /* NULL when there is no memory */
void bl_mem_free(void *memory, size_t size); /* size as given to bl_mem_alloc; NULL is ignored */
size_t bl_mem_in_use(void);                 /* bytes handed out and not given back, all engines */
const char *bl_mem_allocator(void);         /* "malloc" or "jemalloc" */
bool bl_mem_jemalloc_seen(size_t *allocated); /* true when mallctl counts our bytes; allocated = stats.allocated */

#ifdef BL_FAULTS
void bl_mem_fail_after(long allocations); /* the allocation after so many fails; -1 switches it off */
#endif

#endif
