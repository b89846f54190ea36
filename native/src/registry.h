/* registry.h: finds a slot by its id: a radix tree over ids, which are given out one by one.
 *
 * DESIGN
 * id -> top[id >> 22] -> mid[(id >> 10) & 4095] -> chunk cell [id & 1023]. Inserting is a plain release
 * store once the chunk is there (each id is inserted by the one thread that made it), so submitters share
 * no lock. Removing, looking up and walking take the lock of the mid node: whoever holds it may touch the
 * slot's owner, because removal (which lets go of the registry's reference) needs the same lock. A chunk
 * whose 1,024 ids have all been removed is freed, so memory follows what is kept and not what ever was.
 */
#ifndef BL_REGISTRY_H
#define BL_REGISTRY_H

#include "park.h"
#include "slots.h"

typedef struct bl_registry bl_registry;

bl_registry *bl_registry_new(void);
void bl_registry_free(bl_registry *registry);
int bl_registry_put(bl_registry *registry, bl_slot *slot); /* by slot->id, once per id; BL_OK or BL_NOMEM */
/* Ids that will never be put (a submit that failed) still have to be accounted for: */
void bl_registry_skip(bl_registry *registry, uint64_t id);
/* Take a slot out: true for the one caller that removed it. */
bool bl_registry_remove(bl_registry *registry, bl_slot *slot);
/* Call `visit` on the slot of this id, if present, with the lock held; `visit` must not call back. */
bool bl_registry_find(bl_registry *registry, uint64_t id, void (*visit)(bl_slot *, void *), void *arg);
/* Call `visit` on every slot in id order (a node's lock is held during its visits; a slot that stays in
 * the registry during the whole walk is visited exactly once); stops when it returns false. */
void bl_registry_walk(bl_registry *registry, bool (*visit)(bl_slot *, void *), void *arg);
size_t bl_registry_bytes(bl_registry *registry);

#endif
