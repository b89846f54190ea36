/* errors.h: the codes that the core returns. The binding turns them into exceptions in one place. */
#ifndef BL_ERRORS_H
#define BL_ERRORS_H

enum bl_error {
    BL_OK = 0,
    BL_EMPTY = -1,   /* nothing to take */
    BL_FULL = -2,    /* a bounded lane has no room */
    BL_CLOSED = -3,  /* the engine accepts no more work */
    BL_NOMEM = -4,   /* an allocation failed; nothing was changed */
    BL_TIMEOUT = -5, /* a wait ended at its deadline */
    BL_LOST = -6,    /* another party won the transition */
    BL_INVALID = -7, /* an argument is out of range */
    BL_AGAIN = -8    /* a transient conflict: call again */
};

#endif
