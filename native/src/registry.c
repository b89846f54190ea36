/* registry.c: see registry.h.
 *
 * DESIGN
 * root -> top -> node -> chunk -> cell. Root and tops only grow (a top spans 2^34 ids). A node counts, per
 * chunk, the ids that are gone for good (removed or skipped); a chunk whose ids are all gone is freed, a
 * node whose chunks are all gone is unhooked and kept for reuse. Nodes are never freed before the
 * registry: somebody may still hold the pointer and wait for its lock, and then sees by `base` that it
 * became another node.
 *
 * bl_registry_put needs no lock once the path is there: neither the chunk nor the node can go before the
 * very id that is being put has gone.
 *
 * It does not hold references and does not look into a slot beyond its id.
 */
#include "registry.h"

#include "mem.h"

#ifdef BL_TINY
#define CHUNK_BITS 2
#define NODE_BITS 2
#define TOP_BITS 2
#else
#define CHUNK_BITS 10
#define NODE_BITS 12
#define TOP_BITS 12
#endif
#define ROOT_BITS 12
#define CHUNK_IDS (UINT64_C(1) << CHUNK_BITS)
#define NODE_CHUNKS (UINT64_C(1) << NODE_BITS)
#define TOP_NODES (UINT64_C(1) << TOP_BITS)
#define ROOT_TOPS (UINT64_C(1) << ROOT_BITS)
#define NO_BASE UINT64_MAX

typedef struct chunk {
    bl_aptr cells[CHUNK_IDS]; /* put stores (release); find, remove, walk load (acquire) under the node's lock */
} chunk;

typedef struct node {
    bl_mutex lock; /* guards removal, visits, and the fields from `base` on */
    bl_aptr chunks[NODE_CHUNKS]; /* stored by swap in make_chunk, cleared under the lock; loaded by put */
    uint64_t base;               /* id >> (CHUNK_BITS + NODE_BITS); NO_BASE: not in use */
    uint32_t chunks_gone;
    uint16_t gone[NODE_CHUNKS]; /* ids gone, per chunk */
    struct node *next_free;     /* guarded by the registry's lock, as the next one */
    struct node *next_made;
} node;

_Static_assert(CHUNK_IDS <= UINT16_MAX, "a chunk's count of gone ids fits");

typedef struct top {
    bl_aptr nodes[TOP_NODES]; /* stored under the registry's lock, cleared under the node's; loaded without */
} top;

struct bl_registry {
    bl_a64 bytes;  /* a figure */
    bl_mutex lock; /* guards making tops and nodes, and the lists */
    node *free_nodes;
    node *made;
    bl_aptr tops[ROOT_TOPS]; /* stored once each under the lock; loaded without */
};

static uint64_t base_of(uint64_t id) { return id >> (CHUNK_BITS + NODE_BITS); }

static uint64_t chunk_at(uint64_t id) { return (id >> CHUNK_BITS) & (NODE_CHUNKS - 1); }

static uint64_t cell_at(uint64_t id) { return id & (CHUNK_IDS - 1); }

static void *counted_alloc(bl_registry *registry, size_t size) {
    void *memory = bl_mem_alloc(size);
    if (memory != NULL) {
        bl_add_relaxed(&registry->bytes, size);
    }
    return memory;
}

static void counted_free(bl_registry *registry, void *memory, size_t size) {
    if (memory != NULL) {
        bl_sub_relaxed(&registry->bytes, size);
        bl_mem_free(memory, size);
    }
}

bl_registry *bl_registry_new(void) {
    bl_registry *registry = bl_mem_alloc(sizeof *registry);
    if (registry != NULL) {
        atomic_init(&registry->bytes, sizeof *registry);
    }
    return registry;
}

void bl_registry_free(bl_registry *registry) {
    if (registry == NULL) {
        return;
    }
    while (registry->made != NULL) {
        node *n = registry->made;
        registry->made = n->next_made;
        for (uint64_t i = 0; i < NODE_CHUNKS; i++) {
            bl_mem_free(bl_load_relaxed(&n->chunks[i]), sizeof(chunk));
        }
        bl_mem_free(n, sizeof *n);
    }
    for (uint64_t i = 0; i < ROOT_TOPS; i++) {
        bl_mem_free(bl_load_relaxed(&registry->tops[i]), sizeof(top));
    }
    bl_mem_free(registry, sizeof *registry);
}

static bl_aptr *node_place(top *t, uint64_t base) { return &t->nodes[base & (TOP_NODES - 1)]; }

static node *get_node(bl_registry *registry, uint64_t base) {
    if (base >> TOP_BITS >= ROOT_TOPS) {
        return NULL;
    }
    top *t = bl_load_acquire(&registry->tops[base >> TOP_BITS]);       /* partner: the store in make_node */
    return t != NULL ? bl_load_acquire(node_place(t, base)) : NULL; /* the same */
}

/* Under the registry's lock. */
static node *fresh_node(bl_registry *registry, uint64_t base) {
    node *n = registry->free_nodes;
    if (n != NULL) {
        registry->free_nodes = n->next_free;
    } else {
        n = counted_alloc(registry, sizeof *n);
        if (n == NULL) {
            return NULL;
        }
        n->next_made = registry->made;
        registry->made = n;
    }
    bl_mutex_lock(&n->lock); /* a late find may be looking at its former life */
    n->base = base;
    n->chunks_gone = 0;
    for (uint64_t i = 0; i < NODE_CHUNKS; i++) {
        n->gone[i] = 0;
    }
    n->gone[0] = base == 0 ? 1 : 0; /* id 0 is never given out */
    bl_mutex_unlock(&n->lock);
    return n;
}

static node *make_node(bl_registry *registry, uint64_t base) {
    if (base >> TOP_BITS >= ROOT_TOPS) {
        return NULL;
    }
    bl_aptr *place = &registry->tops[base >> TOP_BITS];
    node *n = NULL;
    bl_mutex_lock(&registry->lock);
    top *t = bl_load_relaxed(place);
    if (t == NULL) {
        t = counted_alloc(registry, sizeof *t);
        if (t != NULL) {
            bl_store_release(place, t); /* partner: get_node */
        }
    }
    if (t != NULL) {
        n = bl_load_acquire(node_place(t, base));
        if (n == NULL) {
            n = fresh_node(registry, base);
            if (n != NULL) {
                bl_store_release(node_place(t, base), n); /* partner: get_node */
            }
        }
    }
    bl_mutex_unlock(&registry->lock);
    return n;
}

static chunk *make_chunk(bl_registry *registry, bl_aptr *place) {
    chunk *made = counted_alloc(registry, sizeof *made);
    void *seen = NULL;
    if (made == NULL) {
        return bl_load_acquire(place); /* somebody else may have had more luck */
    }
    if (bl_cas_acq_rel(place, &seen, made)) { /* partner: the loads of chunks */
        return made;
    }
    counted_free(registry, made, sizeof *made);
    return seen;
}

int bl_registry_put(bl_registry *registry, bl_slot *slot) {
    uint64_t id = slot->id;
    node *n = get_node(registry, base_of(id));
    if (n == NULL) {
        n = make_node(registry, base_of(id));
        if (n == NULL) {
            return BL_NOMEM;
        }
    }
    bl_aptr *place = &n->chunks[chunk_at(id)];
    chunk *c = bl_load_acquire(place); /* partner: the swap in make_chunk */
    if (c == NULL) {
        c = make_chunk(registry, place);
        if (c == NULL) {
            return BL_NOMEM;
        }
    }
    bl_store_release(&c->cells[cell_at(id)], slot); /* partner: the acquire loads under the node's lock */
    return BL_OK;
}

/* The node of this id, locked, or NULL. */
static node *lock_node(bl_registry *registry, uint64_t id) {
    node *n = get_node(registry, base_of(id));
    if (n != NULL) {
        bl_mutex_lock(&n->lock);
        if (n->base == base_of(id)) {
            return n;
        }
        bl_mutex_unlock(&n->lock);
    }
    return NULL;
}

/* Counts an id of a locked node as gone for good, and unlocks it. */
static void count_gone(bl_registry *registry, node *n, uint64_t id) {
    uint64_t at = chunk_at(id);
    bool retired = false;
    if (++n->gone[at] == CHUNK_IDS) {
        counted_free(registry, bl_load_relaxed(&n->chunks[at]), sizeof(chunk));
        bl_store_relaxed(&n->chunks[at], NULL); /* no put can come any more; other readers hold the lock */
        if (++n->chunks_gone == NODE_CHUNKS) {
            top *t = bl_load_acquire(&registry->tops[n->base >> TOP_BITS]);
            bl_store_release(node_place(t, n->base), NULL); /* partner: get_node */
            n->base = NO_BASE;
            retired = true;
        }
    }
    bl_mutex_unlock(&n->lock);
    if (retired) {
        bl_mutex_lock(&registry->lock);
        n->next_free = registry->free_nodes;
        registry->free_nodes = n;
        bl_mutex_unlock(&registry->lock);
    }
}

void bl_registry_skip(bl_registry *registry, uint64_t id) {
    /* Without memory for the node the id is not counted, and its node stays for good: 40 KB. */
    if (get_node(registry, base_of(id)) != NULL || make_node(registry, base_of(id)) != NULL) {
        node *n = lock_node(registry, id);
        if (n != NULL) {
            count_gone(registry, n, id);
        }
    }
}

static bl_slot *slot_in(node *n, uint64_t id) {
    chunk *c = bl_load_acquire(&n->chunks[chunk_at(id)]); /* partner: the swap in make_chunk */
    return c != NULL ? bl_load_acquire(&c->cells[cell_at(id)]) : NULL; /* partner: the store in put */
}

bool bl_registry_remove(bl_registry *registry, bl_slot *slot) {
    uint64_t id = slot->id;
    node *n = lock_node(registry, id);
    if (n == NULL) {
        return false;
    }
    if (slot_in(n, id) != slot) {
        bl_mutex_unlock(&n->lock);
        return false;
    }
    chunk *c = bl_load_relaxed(&n->chunks[chunk_at(id)]);
    bl_store_relaxed(&c->cells[cell_at(id)], NULL); /* its readers hold the lock */
    count_gone(registry, n, id);
    return true;
}

bool bl_registry_find(bl_registry *registry, uint64_t id, void (*visit)(bl_slot *, void *), void *arg) {
    node *n = lock_node(registry, id);
    if (n == NULL) {
        return false;
    }
    bl_slot *slot = slot_in(n, id);
    if (slot != NULL) {
        visit(slot, arg);
    }
    bl_mutex_unlock(&n->lock);
    return slot != NULL;
}

/* The lock is held for one chunk at a time, so that a long walk does not keep others out. */
static bool walk_node(bl_registry *registry, uint64_t base, bool (*visit)(bl_slot *, void *), void *arg) {
    uint64_t first = base << (CHUNK_BITS + NODE_BITS);
    for (uint64_t at = 0; at < NODE_CHUNKS; at++) {
        node *n = get_node(registry, base);
        if (n == NULL) {
            return true;
        }
        if (bl_load_acquire(&n->chunks[at]) == NULL) { /* partner: the swap in make_chunk; saves the lock */
            continue;
        }
        n = lock_node(registry, first);
        if (n == NULL) {
            return true;
        }
        bool more = true;
        chunk *c = bl_load_acquire(&n->chunks[at]);
        for (uint64_t i = 0; c != NULL && more && i < CHUNK_IDS; i++) {
            bl_slot *slot = bl_load_acquire(&c->cells[i]); /* partner: the store in put */
            more = slot == NULL || visit(slot, arg);
        }
        bl_mutex_unlock(&n->lock);
        if (!more) {
            return false;
        }
    }
    return true;
}

void bl_registry_walk(bl_registry *registry, bool (*visit)(bl_slot *, void *), void *arg) {
    for (uint64_t i = 0; i < ROOT_TOPS; i++) {
        top *t = bl_load_acquire(&registry->tops[i]); /* partner: make_node */
        for (uint64_t j = 0; t != NULL && j < TOP_NODES; j++) {
            if (bl_load_acquire(&t->nodes[j]) != NULL && !walk_node(registry, i << TOP_BITS | j, visit, arg)) {
                return;
            }
        }
    }
}

size_t bl_registry_bytes(bl_registry *registry) { return (size_t)bl_load_relaxed(&registry->bytes); }
