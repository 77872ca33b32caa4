/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The live windows of this process: what of a guest's memory is mapped here.
 *
 * A window begins with the guest's grant table and the status page.  Chunks
 * come by need: a copy that misses one asks for it (miss()), and the mapping
 * thread maps it while such copies go by the hypervisor.  Talks to
 * libxenforeignmemory; direct.c is its user.
 *
 *   chunk:  NULL --miss()--> ASKED --map_chunk()--> mapped, or REFUSED
 *            ^                                        |
 *            '------ step(): nobody uses the window --'
 *
 * Threads: the control thread gets and puts; packet threads miss; the
 * mapping thread alone maps chunks, unmaps them and frees windows.
 *
 * Invariants:
 *  1. A chunk is unmapped only while its window has no user, and is out of
 *     the map before.
 *  2. A guest has each chunk, and each leaf of the map, asked for once: its
 *     misses wake the mapping thread a bounded number of times.
 *  3. Leaves are bounded by the chunks that are mapped, not by how far the
 *     guest's frame numbers go.
 *  4. The grant table's size is asked once; entries past it are not there.
 *  5. The thread does one step for each window in turn, so no guest keeps
 *     it from the others.
 *  6. A chunk takes an address range of the kernel's, and a process that has
 *     as many as it may gets no memory any more.  So chunks are bounded in
 *     all, and a window has at most as many as are left then: however many
 *     guests there are, and however large, the next one gets some.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>

#include <xen/xen.h>
#include <xen/memory.h>
#include <xenforeignmemory.h>

#include "netback/direct.h"
#include "netback/gref.h"

#ifndef DIRECT_RANGES_FILE      /* a test has its own */
#define DIRECT_RANGES_FILE "/proc/sys/vm/max_map_count"
#endif
#define RANGES_DEFAULT 65530u
#define RANGES_OTHERS 8192u     /* of the switch, DPDK, rings */
#define CHUNKS_LEAST 64u
#define IDENTITY_MAX 128
#define LEAVES_FREE 64u         /* of a window, before chunks must be there */
#define GRANT_FRAMES_MAX 4096u
#define GRANTS_PER_FRAME (ACCESS_PAGE_SIZE / sizeof(union grant_v1))

_Static_assert(WINDOW_CHUNK_PAGES == GANTRY_WINDOW_FRAMES, "a chunk's pages");

struct direct_window {
    struct direct_view view;    /* first: miss() is given its window */
    domid_t domid;              /* [I] */
    char identity[IDENTITY_MAX];    /* [I] */
    xenforeignmemory_resource_handle *grants;   /* [I] */
    xenforeignmemory_resource_handle *status;   /* [I] */
    unsigned int users;         /* maps' lock */
    unsigned int leaves;        /* mapping thread */
    size_t cursor;              /* mapping thread: where it was busy */
    uint32_t chunks;            /* [a] mapped; mapping thread writes */
    bool asked;                 /* [a] something is ASKED */
    TAILQ_ENTRY(direct_window) link;    /* maps' lock */
};

/* A leaf of the map, and what its chunks are unmapped by. */
struct direct_leaf {
    struct window_leaf leaf;    /* first: the map frees it */
    xenforeignmemory_resource_handle *resource[WINDOW_LEAF_CHUNKS];
};

static struct {
    pthread_mutex_t lock;
    xenforeignmemory_handle *memory;    /* [I] once running */
    bool running;               /* lock */
    sem_t wake;
    uint32_t chunks_max;        /* [I] once running; of all windows */
    uint32_t chunks;            /* mapping thread */
    TAILQ_HEAD(, direct_window) windows;    /* lock */
} maps = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .windows = TAILQ_HEAD_INITIALIZER(maps.windows),
};

/* Any packet thread: NULL -> ASKED, and wake the mapping thread. */
static void ask(struct direct_window *w, void **place)
{
    void *absent = NULL;

    if (__atomic_load_n(place, __ATOMIC_RELAXED) != NULL ||
        !__atomic_compare_exchange_n(place, &absent, WINDOW_ASKED, false,
                                     __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
        return;
    }
    if (!__atomic_exchange_n(&w->asked, true, __ATOMIC_ACQ_REL)) {
        sem_post(&maps.wake);
    }
}

static void miss(struct window *window, uint32_t frame)
{
    struct direct_window *w = (struct direct_window *)window;
    struct window_leaf **place = &window->map->leaf[frame >>
                                                    WINDOW_LEAF_SHIFT];
    struct window_leaf *leaf = __atomic_load_n(place, __ATOMIC_ACQUIRE);

    if (frame >= __atomic_load_n(&w->view.status->gfn_count,
                                 __ATOMIC_RELAXED)) {
        return;                 /* the guest may grow to there */
    }
    if (window_is_there(leaf)) {
        ask(w, (void **)&leaf->chunk[window_chunk_index(frame)]);
    } else {
        ask(w, (void **)place);
    }
}

/* Mapping thread: some more, or fewer. */
static void count_chunks(struct direct_window *w, int more)
{
    maps.chunks += (uint32_t)more;
    __atomic_store_n(&w->chunks, w->chunks + (uint32_t)more,
                     __ATOMIC_RELAXED);
}

static void map_chunk(struct direct_window *w, struct direct_leaf *leaf,
                      uint32_t frame)
{
    unsigned int i = window_chunk_index(frame);
    void *address = NULL;

    leaf->resource[i] = NULL;
    if (w->chunks < maps.chunks_max - maps.chunks) {
        leaf->resource[i] = xenforeignmemory_map_resource(
            maps.memory, w->domid, GANTRY_RESOURCE_WINDOW,
            GANTRY_WINDOW_CHUNK, frame, GANTRY_WINDOW_FRAMES, &address,
            PROT_READ | PROT_WRITE, 0);
    }
    if (leaf->resource[i] == NULL) {
        address = WINDOW_REFUSED;
    } else {
        count_chunks(w, 1);
    }
    __atomic_store_n(&leaf->leaf.chunk[i], address, __ATOMIC_RELEASE);
}

static void make_leaf(struct direct_window *w, struct window_leaf **place)
{
    struct direct_leaf *leaf = NULL;

    if (w->leaves < LEAVES_FREE + w->chunks) {
        leaf = calloc(1, sizeof(*leaf));
    }
    if (leaf == NULL) {
        __atomic_store_n(place, WINDOW_REFUSED, __ATOMIC_RELEASE);
        return;
    }
    w->leaves++;
    __atomic_store_n(place, &leaf->leaf, __ATOMIC_RELEASE);
}

/* Serve one thing that is asked for in a leaf; false: nothing is. */
static bool serve_leaf(struct direct_window *w, struct direct_leaf *leaf,
                       size_t index)
{
    for (uint32_t c = 0; c < WINDOW_LEAF_CHUNKS; c++) {
        if (__atomic_load_n(&leaf->leaf.chunk[c], __ATOMIC_ACQUIRE) ==
            WINDOW_ASKED) {
            map_chunk(w, leaf, (uint32_t)(index << WINDOW_LEAF_SHIFT) |
                               c << WINDOW_CHUNK_SHIFT);
            return true;
        }
    }
    return false;
}

/* Serve one thing that is asked for; false: nothing is. */
static bool serve(struct direct_window *w)
{
    struct window_map *map = w->view.window.map;

    for (size_t n = 0; n < WINDOW_LEAVES; n++) {
        size_t l = (w->cursor + n) % WINDOW_LEAVES;
        struct window_leaf *leaf = __atomic_load_n(&map->leaf[l],
                                                   __ATOMIC_ACQUIRE);

        if (leaf == WINDOW_ASKED) {
            make_leaf(w, &map->leaf[l]);
            return true;
        }
        if (window_is_there(leaf) &&
            serve_leaf(w, (struct direct_leaf *)leaf, l)) {
            w->cursor = l;
            return true;
        }
    }
    return false;
}

/* Take one chunk out of a leaf of a window without users, or NULL. */
static xenforeignmemory_resource_handle *take_of_leaf(
    struct direct_window *w, struct direct_leaf *leaf)
{
    for (uint32_t c = 0; c < WINDOW_LEAF_CHUNKS; c++) {
        if (window_is_there(leaf->leaf.chunk[c])) {
            __atomic_store_n(&leaf->leaf.chunk[c], NULL, __ATOMIC_RELEASE);
            count_chunks(w, -1);
            return leaf->resource[c];
        }
    }
    return NULL;
}

/* The same of a window; NULL: it has none. */
static xenforeignmemory_resource_handle *take_chunk(struct direct_window *w)
{
    struct window_map *map = w->view.window.map;
    xenforeignmemory_resource_handle *resource = NULL;

    for (size_t n = 0; w->chunks != 0 && n < WINDOW_LEAVES &&
                       resource == NULL; n++) {
        size_t l = (w->cursor + n) % WINDOW_LEAVES;

        if (window_is_there(map->leaf[l])) {
            resource = take_of_leaf(w, (struct direct_leaf *)map->leaf[l]);
            w->cursor = l;
        }
    }
    return resource;
}

static void unmap(xenforeignmemory_resource_handle *resource)
{
    if (resource != NULL) {
        (void)xenforeignmemory_unmap_resource(maps.memory, resource);
    }
}

/* It has no chunk, no user, and is in no list. */
static void free_window(struct direct_window *w)
{
    unmap(w->grants);
    unmap(w->status);
    window_map_destroy(w->view.window.map);
    free(w);
}

/*
 * One step for a window, which only this thread frees.  The lock is not held
 * while the hypervisor works.  False: there is nothing to do for it.
 */
static bool step(struct direct_window *w)
{
    xenforeignmemory_resource_handle *resource = NULL;
    bool unused;

    pthread_mutex_lock(&maps.lock);
    unused = w->users == 0;
    if (unused) {
        resource = take_chunk(w);
        if (resource == NULL) {
            TAILQ_REMOVE(&maps.windows, w, link);
        }
    }
    pthread_mutex_unlock(&maps.lock);
    if (unused && resource == NULL) {
        free_window(w);
        return false;
    }
    if (unused) {
        unmap(resource);
        return true;
    }
    if (!__atomic_exchange_n(&w->asked, false, __ATOMIC_ACQ_REL) ||
        !serve(w)) {
        return false;
    }
    /* There may be more: look again in the next round. */
    __atomic_store_n(&w->asked, true, __ATOMIC_RELEASE);
    return true;
}

/* A step for every window; true: some of them had something to do. */
static bool round_of_steps(void)
{
    struct direct_window *w, *next;
    bool busy = false;

    pthread_mutex_lock(&maps.lock);
    w = TAILQ_FIRST(&maps.windows);
    pthread_mutex_unlock(&maps.lock);
    while (w != NULL) {
        pthread_mutex_lock(&maps.lock);
        next = TAILQ_NEXT(w, link);
        pthread_mutex_unlock(&maps.lock);
        busy |= step(w);
        w = next;
    }
    return busy;
}

static void *run(void *unused)
{
    (void)unused;
    for (;;) {
        while (sem_wait(&maps.wake) != 0) {
        }
        while (round_of_steps()) {
        }
    }
    return NULL;
}

/* How many chunks this process may map. */
static uint32_t read_chunks_max(void)
{
    unsigned long ranges = RANGES_DEFAULT;
    FILE *file = fopen(DIRECT_RANGES_FILE, "re");
    char line[32];

    if (file != NULL) {
        if (fgets(line, sizeof(line), file) != NULL) {
            ranges = strtoul(line, NULL, 10);
        }
        fclose(file);
    }
    if (ranges > UINT32_MAX) {
        ranges = UINT32_MAX;
    }
    return ranges < GREF_TOTAL_MAX + RANGES_OTHERS + CHUNKS_LEAST
               ? CHUNKS_LEAST
               : (uint32_t)ranges - GREF_TOTAL_MAX - RANGES_OTHERS;
}

/* Under the lock. */
static int start(const char **why)
{
    pthread_t thread;
    int error;

    if (maps.running) {
        return 0;
    }
    *why = "cannot open /dev/xen/privcmd";
    if (maps.memory == NULL) {
        maps.memory = xenforeignmemory_open(NULL, 0);
    }
    if (maps.memory == NULL) {
        return -errno;
    }
    *why = "no thread";
    maps.chunks_max = read_chunks_max();
    sem_init(&maps.wake, 0, 0);
    error = pthread_create(&thread, NULL, run, NULL);
    if (error != 0) {
        return -error;
    }
    pthread_setname_np(thread, "xenvif-window");
    pthread_detach(thread);
    maps.running = true;
    return 0;
}

static const char *refusal(int error)
{
    switch (error) {
    case EOPNOTSUPP:
        return "the hypervisor has no live windows (Gantry has)";
    case EPERM:
        return "the security policy denies this domain a window of the guest";
    case ESRCH:
        return "the guest has gone";
    default:
        return "the hypervisor refused a window of the guest";
    }
}

static xenforeignmemory_resource_handle *map_grants(
    domid_t domid, struct window *window)
{
    void *address = NULL;
    size_t size = 0;
    xenforeignmemory_resource_handle *resource;

    if (xenforeignmemory_resource_size(
            maps.memory, domid, XENMEM_resource_grant_table,
            XENMEM_resource_grant_table_id_shared, &size) != 0) {
        return NULL;
    }
    size /= ACCESS_PAGE_SIZE;
    if (size > GRANT_FRAMES_MAX) {
        size = GRANT_FRAMES_MAX;
    }
    resource = xenforeignmemory_map_resource(
        maps.memory, domid, XENMEM_resource_grant_table,
        XENMEM_resource_grant_table_id_shared, 0, size, &address,
        PROT_READ | PROT_WRITE, 0);
    window->grants = address;
    window->grant_count = (uint32_t)(size * GRANTS_PER_FRAME);
    return resource;
}

static int map_first(struct direct_window *w, const char **why)
{
    struct window *window = &w->view.window;
    void *address = NULL;
    size_t size;

    if (xenforeignmemory_resource_size(maps.memory, w->domid,
                                       GANTRY_RESOURCE_WINDOW,
                                       GANTRY_WINDOW_CHUNK, &size) != 0) {
        *why = refusal(errno);
        return -errno;
    }
    w->status = xenforeignmemory_map_resource(
        maps.memory, w->domid, GANTRY_RESOURCE_WINDOW, GANTRY_WINDOW_STATUS,
        0, 1, &address, PROT_READ, 0);
    if (w->status == NULL) {
        *why = refusal(errno);
        return -errno;
    }
    w->view.status = address;
    if (w->view.status->version != GANTRY_WINDOW_VERSION) {
        *why = "the hypervisor's windows are of another version";
        return -EOPNOTSUPP;
    }
    w->grants = map_grants(w->domid, window);
    if (w->grants == NULL) {
        *why = "the guest's grant table cannot be mapped";
        return -errno;
    }
    return 0;
}

static struct direct_window *make(const struct direct_guest *guest,
                                  const char **why)
{
    struct direct_window *w = calloc(1, sizeof(*w));
    struct window_map *map = window_map_create(UINT32_MAX);
    int error;

    if (w == NULL || map == NULL) {
        *why = "no memory";
        free(w);
        window_map_destroy(map);
        errno = ENOMEM;
        return NULL;
    }
    w->view.window.map = map;
    w->view.window.user = guest->user;
    w->view.window.miss = miss;
    w->domid = guest->domid;
    snprintf(w->identity, sizeof(w->identity), "%s", guest->identity);
    error = map_first(w, why);
    if (error != 0) {
        free_window(w);
        errno = -error;
        return NULL;
    }
    return w;
}

/* Under the lock. */
static struct direct_window *find(const struct direct_guest *guest)
{
    struct direct_window *w;

    TAILQ_FOREACH(w, &maps.windows, link) {
        if (w->domid == guest->domid && w->view.window.user == guest->user &&
            strcmp(w->identity, guest->identity) == 0) {
            return w;
        }
    }
    return NULL;
}

struct direct_window *direct_window_get(const struct direct_guest *guest,
                                        const char **why)
{
    struct direct_window *w = NULL;
    int error;

    pthread_mutex_lock(&maps.lock);
    error = start(why);
    if (error != 0) {
        errno = -error;
        goto out;
    }
    w = find(guest);
    if (w == NULL) {
        w = make(guest, why);
        if (w == NULL) {
            goto out;
        }
        TAILQ_INSERT_TAIL(&maps.windows, w, link);
    }
    w->users++;
out:
    pthread_mutex_unlock(&maps.lock);
    return w;
}

void direct_window_put(struct direct_window *window)
{
    pthread_mutex_lock(&maps.lock);
    window->users--;
    pthread_mutex_unlock(&maps.lock);
    sem_post(&maps.wake);
}

struct direct_view *direct_window_view(struct direct_window *window)
{
    return &window->view;
}

uint64_t direct_window_pages(domid_t domid)
{
    const struct direct_window *w;
    uint64_t pages = 0;

    pthread_mutex_lock(&maps.lock);
    TAILQ_FOREACH(w, &maps.windows, link) {
        if (w->domid == domid) {
            pages += (uint64_t)__atomic_load_n(&w->chunks, __ATOMIC_RELAXED) *
                     WINDOW_CHUNK_PAGES;
        }
    }
    pthread_mutex_unlock(&maps.lock);
    return pages;
}

int direct_undo(domid_t domid, domid_t user, struct journal_half *half)
{
    xenforeignmemory_resource_handle *grants;
    struct window window = { .grants = NULL };
    uint64_t any = 0;
    const char *why;
    int error;

    for (unsigned int i = 0; i < JOURNAL_PINS; i++) {
        any |= half->pins[i];
    }
    if (any == 0) {
        return 0;
    }
    pthread_mutex_lock(&maps.lock);
    error = start(&why);
    pthread_mutex_unlock(&maps.lock);
    if (error != 0) {
        return error;
    }
    grants = map_grants(domid, &window);
    if (grants == NULL) {
        return -errno;
    }
    for (unsigned int i = 0; i < JOURNAL_PINS; i++) {
        grant_record_clear(window.grants, window.grant_count, user,
                           &half->pins[i]);
    }
    unmap(grants);
    return 0;
}
