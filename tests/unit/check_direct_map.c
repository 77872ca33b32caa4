/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/direct_map.c on a fake of libxenforeignmemory that counts what is
 * mapped, and refuses to map a chunk twice or to unmap what is not there.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenforeignmemory.h>

#include "netback/direct.h"
#include "unit.h"

#define PAGE ((size_t)ACCESS_PAGE_SIZE)
#define GRANT_FRAMES 4u
#define RESOURCES 2048u
#define CHUNKS 1600u            /* that the process may map */
#define RANGES (CHUNKS + 32768u + 8192u)    /* with static grants, others */

struct xenforeignmemory_resource_handle {
    unsigned int type, id;
    unsigned long frame;
    void *address;
    size_t size;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct xenforeignmemory_resource_handle held[RESOURCES];
static int no_window;           /* errno of the probe */
static int no_chunk;            /* errno of chunks */
static unsigned int chunk_calls;
static int memory_fd;
static void *status_page;

xenforeignmemory_handle *xenforeignmemory_open(
    struct xentoollog_logger *logger, unsigned int flags)
{
    static int token;

    (void)logger;
    (void)flags;
    return (xenforeignmemory_handle *)&token;
}

int xenforeignmemory_resource_size(xenforeignmemory_handle *fmem,
                                   domid_t domid, unsigned int type,
                                   unsigned int id, size_t *size)
{
    (void)fmem;
    (void)id;
    ck_assert_uint_eq(domid, 5);
    if (type == GANTRY_RESOURCE_WINDOW && no_window != 0) {
        errno = no_window;
        return -1;
    }
    *size = (type == GANTRY_RESOURCE_WINDOW ? 4096 : GRANT_FRAMES) * PAGE;
    return 0;
}

/* The grant table is one memory for all its mappings; the rest is new. */
static void *make(unsigned int type, unsigned long count)
{
    bool table = type != GANTRY_RESOURCE_WINDOW;

    return mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
                table ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS |
                MAP_NORESERVE, table ? memory_fd : -1, 0);
}

xenforeignmemory_resource_handle *xenforeignmemory_map_resource(
    xenforeignmemory_handle *fmem, domid_t domid, unsigned int type,
    unsigned int id, unsigned long frame, unsigned long count,
    void **address, int prot, int flags)
{
    bool chunk = type == GANTRY_RESOURCE_WINDOW &&
                 id == GANTRY_WINDOW_CHUNK;
    struct xenforeignmemory_resource_handle *found = NULL;

    (void)fmem;
    (void)prot;
    (void)flags;
    ck_assert_uint_eq(domid, 5);
    pthread_mutex_lock(&lock);
    chunk_calls += chunk;
    for (unsigned int i = 0; i < RESOURCES; i++) {
        ck_assert(!chunk || held[i].address == NULL ||
                  held[i].type != type || held[i].id != id ||
                  held[i].frame != frame);
        if (held[i].address == NULL && found == NULL) {
            found = &held[i];
        }
    }
    if (chunk) {
        ck_assert_uint_eq(count, GANTRY_WINDOW_FRAMES);
        ck_assert_uint_eq(frame % GANTRY_WINDOW_FRAMES, 0);
    }
    if (chunk && no_chunk != 0) {
        errno = no_chunk;
        found = NULL;
    } else {
        *found = (struct xenforeignmemory_resource_handle){
            type, id, frame, make(type, count), count * PAGE,
        };
        *address = found->address;
        if (type == GANTRY_RESOURCE_WINDOW && !chunk) {
            *(struct gantry_window_status *)*address =
                (struct gantry_window_status){
                    .version = GANTRY_WINDOW_VERSION,
                    .gfn_count = UINT64_C(1) << 31,
                };
            status_page = *address;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

int xenforeignmemory_unmap_resource(
    xenforeignmemory_handle *fmem, xenforeignmemory_resource_handle *resource)
{
    (void)fmem;
    pthread_mutex_lock(&lock);
    ck_assert_ptr_nonnull(resource->address);
    munmap(resource->address, resource->size);
    resource->address = NULL;
    pthread_mutex_unlock(&lock);
    return 0;
}

static unsigned int mapped(void)
{
    unsigned int count = 0;

    pthread_mutex_lock(&lock);
    for (unsigned int i = 0; i < RESOURCES; i++) {
        count += held[i].address != NULL;
    }
    pthread_mutex_unlock(&lock);
    return count;
}

/* The mapping thread works in the background. */
static void wait_mapped(unsigned int count)
{
    for (unsigned int i = 0; i < 30000 && mapped() != count; i++) {
        usleep(1000);
    }
    ck_assert_uint_eq(mapped(), count);
}

static struct direct_guest guest;
static struct direct_window *window;

static struct direct_window *get(const char *identity)
{
    const char *why = "";

    guest = (struct direct_guest){ 5, 0, identity };
    return direct_window_get(&guest, &why);
}

static void write_ranges(void)
{
    FILE *file = fopen(DIRECT_RANGES_FILE, "w");

    ck_assert_ptr_nonnull(file);
    fprintf(file, "%u\n", RANGES);
    fclose(file);
}

static void setup(void)
{
    write_ranges();
    memory_fd = memfd_create("grants", 0);
    ck_assert_int_eq(ftruncate(memory_fd, GRANT_FRAMES * PAGE), 0);
    window = get("/vm/1");
    ck_assert_ptr_nonnull(window);
    unlink(DIRECT_RANGES_FILE);
}

static void teardown(void)
{
    if (window != NULL) {
        direct_window_put(window);
    }
    wait_mapped(0);
    close(memory_fd);
}

static uint8_t *page(uint32_t frame)
{
    return window_page(&direct_window_view(window)->window, frame);
}

static void miss(uint32_t frame)
{
    struct window *w = &direct_window_view(window)->window;

    w->miss(w, frame);
}

/* Misses until it is there; the first ones only make room for it. */
static void need(uint32_t frame)
{
    for (unsigned int i = 0; i < 30000 && page(frame) == NULL; i++) {
        miss(frame);
        usleep(1000);
    }
    ck_assert_ptr_nonnull(page(frame));
}

START_TEST(begins_with_table_and_status)
{
    const struct direct_view *view = direct_window_view(window);

    ck_assert_uint_eq(mapped(), 2);
    ck_assert_uint_eq(view->window.grant_count, GRANT_FRAMES * 512);
    ck_assert_uint_eq(view->status->version, GANTRY_WINDOW_VERSION);
    ck_assert_ptr_null(page(0));
    ck_assert_uint_eq(direct_window_pages(5), 0);
}
END_TEST

START_TEST(chunks_come_by_need)
{
    need(700);
    ck_assert_ptr_eq(page(1023), page(512) + 511 * PAGE);
    ck_assert_ptr_null(page(511));
    ck_assert_ptr_null(page(1024));
    ck_assert_uint_eq(direct_window_pages(5), 512);
    ck_assert_uint_eq(direct_window_pages(6), 0);
    need(0x7fffffff);
    need(1 << 20);
    ck_assert_uint_eq(direct_window_pages(5), 3 * 512);
    ck_assert_uint_eq(mapped(), 5);
}
END_TEST

/* A guest whose grants always miss wakes the thread once for each chunk. */
START_TEST(refused_chunks_are_asked_for_once)
{
    no_chunk = ENOMEM;
    chunk_calls = 0;
    for (unsigned int i = 0; i < 200; i++) {
        miss(700);
        usleep(1000);
    }
    ck_assert_uint_eq(chunk_calls, 1);
    ck_assert_ptr_null(page(700));
    no_chunk = 0;
}
END_TEST

START_TEST(past_the_guest_nobody_asks)
{
    struct gantry_window_status *status = status_page;

    status->gfn_count = 1024;
    chunk_calls = 0;
    for (unsigned int i = 0; i < 100; i++) {
        miss(1024);
        miss(UINT32_MAX);
        usleep(1000);
    }
    ck_assert_uint_eq(chunk_calls, 0);
    status->gfn_count = 1536;
    need(1024);
}
END_TEST

/* One miss in each leaf that there may be, and some time; those there are. */
static unsigned int miss_all_over(void)
{
    const struct window_map *map = direct_window_view(window)->window.map;
    unsigned int leaves = 0;

    for (uint32_t f = 0; f < 0x80000000u; f += 1u << WINDOW_LEAF_SHIFT) {
        miss(f);
    }
    usleep(2000);
    for (unsigned int l = 0; l < WINDOW_LEAVES; l++) {
        leaves += window_is_there(__atomic_load_n(&map->leaf[l],
                                                  __ATOMIC_ACQUIRE));
    }
    return leaves;
}

/* Frame numbers all over: what we keep for them is bounded. */
START_TEST(leaves_are_bounded)
{
    no_chunk = ENOMEM;
    while (miss_all_over() < 64) {
        continue;               /* until the mapping thread has run */
    }
    for (unsigned int round = 0; round < 50; round++) {
        ck_assert_uint_eq(miss_all_over(), 64);
    }
    no_chunk = 0;
}
END_TEST

#define MISSES 1024u            /* more chunks than there may be */

/* Is it mapped, or refused?  If not, it is missed. */
static bool is_settled(struct window *view, uint32_t frame)
{
    const struct window_leaf *leaf = __atomic_load_n(
        &view->map->leaf[frame >> WINDOW_LEAF_SHIFT], __ATOMIC_ACQUIRE);
    const void *chunk = NULL;

    if (window_is_there(leaf)) {
        chunk = __atomic_load_n(&leaf->chunk[window_chunk_index(frame)],
                                __ATOMIC_ACQUIRE);
    }
    view->miss(view, frame);
    return chunk != NULL && chunk != WINDOW_ASKED;
}

/* Misses many chunks from one on; how many of them it got. */
static unsigned int take_all(struct direct_window *w, uint32_t first)
{
    struct window *view = &direct_window_view(w)->window;
    unsigned int start = mapped(), settled = 0;

    while (settled != MISSES) {
        usleep(1000);
        settled = 0;
        for (uint32_t i = 0; i < MISSES; i++) {
            settled += is_settled(view, (first + i) << WINDOW_CHUNK_SHIFT);
        }
    }
    return mapped() - start;
}

/*
 * A guest with much memory, or many guests: the process had all the address
 * ranges that it may have in use, and could get no memory.
 */
START_TEST(chunks_are_bounded)
{
    struct direct_window *second = get("/vm/2");
    struct direct_window *third = get("/vm/3");

    ck_assert_uint_eq(take_all(window, 0), CHUNKS / 2);
    ck_assert_uint_eq(take_all(second, 4096), CHUNKS / 4);
    ck_assert_uint_eq(take_all(third, 8192), CHUNKS / 8);
    direct_window_put(second);
    direct_window_put(third);
    wait_mapped(2 + CHUNKS / 2);
    third = get("/vm/4");
    ck_assert_uint_eq(take_all(third, 12288), CHUNKS / 4);
    direct_window_put(third);
}
END_TEST

/* Two vifs of one guest, and a frontend that starts anew. */
START_TEST(one_window_for_all_vifs)
{
    struct direct_window *second = get("/vm/1");

    ck_assert_ptr_eq(second, window);
    need(3);
    direct_window_put(second);
    ck_assert_ptr_nonnull(page(3));
    direct_window_put(window);
    window = get("/vm/1");
    need(3);
    ck_assert_uint_eq(direct_window_pages(5), 512);
}
END_TEST

/* The number belongs to another domain now. */
START_TEST(another_guest_of_that_number)
{
    struct direct_window *other = get("/vm/2");

    ck_assert_ptr_nonnull(other);
    ck_assert_ptr_ne(other, window);
    ck_assert_uint_eq(mapped(), 4);
    direct_window_put(other);
    wait_mapped(2);
}
END_TEST

START_TEST(why_there_is_none)
{
    static const struct { int error; const char *text; } cases[] = {
        { EOPNOTSUPP, "no live windows" }, { EPERM, "security policy" },
        { ESRCH, "gone" }, { EIO, "refused" },
    };
    const char *why = NULL;

    no_window = cases[_i].error;
    guest = (struct direct_guest){ 5, 0, "/vm/3" };
    ck_assert_ptr_null(direct_window_get(&guest, &why));
    ck_assert_int_eq(errno, cases[_i].error);
    ck_assert_ptr_nonnull(strstr(why, cases[_i].text));
    no_window = 0;
    ck_assert_uint_eq(mapped(), 2);
}
END_TEST

START_TEST(undoes_what_a_dead_process_left)
{
    union grant_v1 *grants = direct_window_view(window)->window.grants;
    const uint16_t used = (uint16_t)(GTF_permit_access | grant_use(false));
    struct journal_half half = { .ring = 3 };

    grants[2000].entry.flags = used;
    grants[2001].entry.flags = used;
    half.pins[0] = grant_record(2000, grant_use(false));
    ck_assert_int_eq(direct_undo(5, 0, &half), 0);
    ck_assert_uint_eq(grants[2000].entry.flags, GTF_permit_access);
    ck_assert_uint_eq(grants[2001].entry.flags, used);
    ck_assert_uint_eq(half.pins[0], 0);
    ck_assert_int_eq(direct_undo(5, 0, &half), 0);
    ck_assert_uint_eq(mapped(), 2);
    /* Granted to another by now. */
    half.pins[0] = grant_record(2001, grant_use(false));
    ck_assert_int_eq(direct_undo(5, 7, &half), 0);
    ck_assert_uint_eq(grants[2001].entry.flags, used);
    ck_assert_uint_eq(half.pins[0], 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("direct_map");
    TCase *tcase = unit_case(suite, "direct_map");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, begins_with_table_and_status);
    tcase_add_test(tcase, chunks_come_by_need);
    tcase_add_test(tcase, refused_chunks_are_asked_for_once);
    tcase_add_test(tcase, past_the_guest_nobody_asks);
    tcase_add_test(tcase, leaves_are_bounded);
    tcase_add_test(tcase, chunks_are_bounded);
    tcase_add_test(tcase, one_window_for_all_vifs);
    tcase_add_test(tcase, another_guest_of_that_number);
    tcase_add_loop_test(tcase, why_there_is_none, 0, 4);
    tcase_add_test(tcase, undoes_what_a_dead_process_left);
    return unit_run(suite);
}
