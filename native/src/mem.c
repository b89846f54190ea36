/* mem.c: see mem.h.
 *
 * DESIGN
 * malloc variant: calloc with room for a cache line, the raw pointer kept in the word before the aligned
 * block. calloc and not aligned_alloc + memset: the pages of a big block stay untouched until used.
 * jemalloc variant: mallocx aligns and zeroes itself. The library is not linked: common builds of it cannot be
 * loaded by an extension module at run time (its thread-local storage is static), and the import would fail.
 * Its functions are weak instead, and used where the process has them, which is where it was preloaded.
 *
 * It does not pool and keeps no list of blocks: the count is all it knows.
 */
#include "mem.h"

#include <stdint.h>
#include <stdlib.h>

#include "atom.h"

#ifdef BL_JEMALLOC
#include <jemalloc/jemalloc.h>
#pragma weak mallocx
#pragma weak dallocx
#pragma weak mallctl
#endif

static bl_a64 bytes_in_use; /* adds and subtracts of all threads; read by bl_mem_in_use. Counts only, orders nothing. */

#ifdef BL_FAULTS
static bl_ai64 fail_after = -1; /* set by the test, counted down by bl_mem_alloc; orders nothing */

void bl_mem_fail_after(long allocations) {
    atomic_store_explicit(&fail_after, (int64_t)allocations, memory_order_relaxed);
}

static bool must_fail(void) {
    int64_t left = atomic_load_explicit(&fail_after, memory_order_relaxed);
    while (left >= 0) {
        if (atomic_compare_exchange_weak_explicit(&fail_after, &left, left - 1, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return left == 0;
        }
    }
    return false;
}
#endif

#ifdef BL_JEMALLOC
static bool jemalloc_here(void) { return mallocx != NULL && dallocx != NULL && mallctl != NULL; }
#endif

static void *raw_alloc(size_t size) {
#ifdef BL_JEMALLOC
    if (jemalloc_here())
        return mallocx(size, MALLOCX_ALIGN(BL_CACHE_LINE) | MALLOCX_ZERO);
#endif
    if (size > SIZE_MAX - BL_CACHE_LINE) {
        return NULL;
    }
    char *raw = calloc(1, size + BL_CACHE_LINE);
    if (raw == NULL) {
        return NULL;
    }
    size_t skip = BL_CACHE_LINE - ((uintptr_t)raw % BL_CACHE_LINE); /* at least the alignment of malloc: room for a pointer */
    void **block = (void **)(void *)(raw + skip);
    block[-1] = raw;
    return block;
}

static void raw_free(void *memory) {
#ifdef BL_JEMALLOC
    if (jemalloc_here()) {
        dallocx(memory, 0);
        return;
    }
#endif
    free(((void **)memory)[-1]);
}

void *bl_mem_alloc(size_t size) {
#ifdef BL_FAULTS
    if (must_fail()) {
        return NULL;
    }
#endif
    void *memory = raw_alloc(size > 0 ? size : 1);
    if (memory != NULL) {
        atomic_fetch_add_explicit(&bytes_in_use, (uint64_t)size, memory_order_relaxed);
    }
    return memory;
}

void bl_mem_free(void *memory, size_t size) {
    if (memory != NULL) {
        atomic_fetch_sub_explicit(&bytes_in_use, (uint64_t)size, memory_order_relaxed);
        raw_free(memory);
    }
}

size_t bl_mem_in_use(void) { return (size_t)atomic_load_explicit(&bytes_in_use, memory_order_relaxed); }

#ifdef BL_JEMALLOC

const char *bl_mem_allocator(void) { return jemalloc_here() ? "jemalloc" : "malloc"; }

/* thread.allocated counts what this thread got from jemalloc, so a probe block shows whether our calls end there. */
static bool thread_allocated(uint64_t *bytes) {
    size_t length = sizeof *bytes;
    return mallctl("thread.allocated", bytes, &length, NULL, 0) == 0;
}

bool bl_mem_jemalloc_seen(size_t *allocated) {
    uint64_t before = 0;
    uint64_t after = 0;
    uint64_t epoch = 1;
    size_t length = sizeof *allocated;
    const size_t probe_size = 4096;

    *allocated = 0;
    if (!jemalloc_here() || !thread_allocated(&before)) {
        return false;
    }
    void *probe = raw_alloc(probe_size);
    if (probe == NULL) {
        return false;
    }
    bool counted = thread_allocated(&after) && after - before >= probe_size;
    raw_free(probe);
    if (mallctl("epoch", NULL, NULL, &epoch, sizeof epoch) != 0 ||
        mallctl("stats.allocated", allocated, &length, NULL, 0) != 0) {
        *allocated = 0; /* built without statistics: the probe alone decides */
    }
    return counted;
}

#else

const char *bl_mem_allocator(void) { return "malloc"; }

bool bl_mem_jemalloc_seen(size_t *allocated) {
    *allocated = 0;
    return false;
}

#endif
