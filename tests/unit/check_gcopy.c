/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/gcopy.c on a hypervisor of a few lines: GNTTABOP_copy as Xen does
 * it, each frame number being the address that it stands for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xencall.h>

#include "netback/gcopy.h"
#include "tools/libdom0/dom0.h"
#include "tools/libdom0/pagemap.h"
#include "unit.h"

#define REFS 64u
#define HOST_SIZE (1u << 20)
#define GUEST 5

static uint8_t *guest_pages;    /* grant ref -> page */
static uint8_t *host;
static unsigned int refused_ref;
static unsigned int calls;
static bool call_fails;
static bool pinned_host;

/* libxencall, libxengnttab and libdom0, as far as gcopy uses them. */
static int token;

xencall_handle *xencall_open(struct xentoollog_logger *logger,
                             unsigned int flags)
{
    (void)logger;
    (void)flags;
    return (xencall_handle *)&token;
}

int xencall_close(xencall_handle *call)
{
    ck_assert_ptr_eq(call, &token);
    return 0;
}

int xencall_buffers_never_fault(xencall_handle *call)
{
    (void)call;
    return 1;
}

static void *make_pages(size_t count)
{
    return mmap(NULL, count * 4096, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

void *xencall_alloc_buffer_pages(xencall_handle *call, size_t count)
{
    (void)call;
    return make_pages(count);
}

void xencall_free_buffer_pages(xencall_handle *call, void *pages,
                               size_t count)
{
    (void)call;
    munmap(pages, count * 4096);
}

bool dom0_is_translated(void)
{
    return true;
}

int pagemap_read(const void *address, size_t count, uint64_t *gfns)
{
    ck_assert_uint_eq((uintptr_t)address % 4096, 0);
    for (size_t i = 0; i < count; i++) {
        gfns[i] = (uintptr_t)address / 4096 + i;
    }
    return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *gnttab, uint32_t domid,
                              uint32_t ref, int prot)
{
    (void)gnttab;
    (void)domid;
    (void)prot;
    return guest_pages + ref * 4096;
}

int xengnttab_unmap(xengnttab_handle *gnttab, void *page, uint32_t count)
{
    (void)gnttab;
    (void)page;
    return count == 1 ? 0 : -1;
}

int xengnttab_grant_copy(xengnttab_handle *gnttab, uint32_t count,
                         xengnttab_grant_copy_segment_t *segments)
{
    (void)gnttab;
    (void)count;
    (void)segments;
    return -1;
}

int xenevtchn_notify(xenevtchn_handle *evtchn, evtchn_port_t port)
{
    (void)evtchn;
    (void)port;
    return 0;
}

/* One side of a copy: its bytes, or NULL when Xen would refuse. */
static uint8_t *side(const struct gnttab_copy_ptr *ptr, bool is_ref,
                     uint16_t size, int16_t *status)
{
    if (ptr->offset > 4096 || size > 4096 - ptr->offset) {
        *status = GNTST_bad_copy_arg;
        return NULL;
    }
    if (!is_ref) {
        ck_assert_uint_eq(ptr->domid, DOMID_SELF);
        return (uint8_t *)(ptr->u.gmfn * 4096) + ptr->offset;
    }
    ck_assert_uint_eq(ptr->domid, GUEST);
    if (ptr->u.ref >= REFS || ptr->u.ref == refused_ref) {
        *status = GNTST_bad_gntref;
        return NULL;
    }
    return guest_pages + ptr->u.ref * 4096 + ptr->offset;
}

int xencall3(xencall_handle *call, unsigned int op, uint64_t sub,
             uint64_t address, uint64_t count)
{
    gnttab_copy_t *ops = (gnttab_copy_t *)(uintptr_t)address;

    (void)call;
    ck_assert_uint_eq(op, __HYPERVISOR_grant_table_op);
    ck_assert_uint_eq(sub, GNTTABOP_copy);
    if (call_fails) {
        errno = EPERM;
        return -1;
    }
    calls += count != 0;        /* none: may we call at all? */
    for (uint64_t i = 0; i < count; i++) {
        int16_t status = GNTST_okay;
        bool from_ref = (ops[i].flags & GNTCOPY_source_gref) != 0;
        bool to_ref = (ops[i].flags & GNTCOPY_dest_gref) != 0;
        uint8_t *from = side(&ops[i].source, from_ref, ops[i].len, &status);
        uint8_t *to = side(&ops[i].dest, to_ref, ops[i].len, &status);

        ck_assert(from_ref != to_ref);
        if (from != NULL && to != NULL) {
            memcpy(to, from, ops[i].len);
        }
        ops[i].status = status;
    }
    return 0;
}

static uint64_t host_gfn(const void *address)
{
    const uint8_t *at = address;

    /* Every other 64 KiB of the host's memory can be pinned. */
    ck_assert(at >= host && at < host + HOST_SIZE);
    if (!pinned_host || ((at - host) / 65536) % 2 != 0) {
        return 0;
    }
    return (uintptr_t)address / 4096;
}

static void setup(void)
{
    guest_pages = make_pages(REFS);
    host = make_pages(HOST_SIZE / 4096);
    refused_ref = REFS;
    calls = 0;
    call_fails = false;
    pinned_host = false;
    for (unsigned int i = 0; i < REFS * 4096; i++) {
        guest_pages[i] = (uint8_t)random();
    }
    for (unsigned int i = 0; i < HOST_SIZE; i++) {
        host[i] = (uint8_t)random();
    }
}

static void teardown(void)
{
    munmap(guest_pages, REFS * 4096);
    munmap(host, HOST_SIZE);
}

static struct access *make(void)
{
    const struct gcopy_config config = {
        .domid = GUEST, .host_gfn = pinned_host ? host_gfn : NULL,
    };
    const char *why;
    struct access *access = gcopy_create(&config, &why);

    ck_assert_ptr_nonnull(access);
    return access;
}

/* Random pieces, host sides apart from each other; carried out and checked
 * against copies that were made before. */
static void run_random(enum access_direction direction, unsigned int count)
{
    struct access *access = make();
    struct access_copy *copies = calloc(count, sizeof(*copies));
    uint8_t *before = malloc(REFS * 4096);
    uint32_t at = 0;

    memcpy(before, guest_pages, REFS * 4096);
    for (unsigned int i = 0; i < count; i++) {
        uint16_t size = (uint16_t)(1 + random() % (HOST_SIZE / count < 4096
                                       ? HOST_SIZE / count : 4096));

        copies[i] = (struct access_copy){
            .ref = i % REFS, .size = size,
            .offset = (uint16_t)(random() % (4096 - size + 1)),
            .status = 77, .host = host + at,
        };
        at += size;
    }
    access_copy(access, direction, copies, count);
    for (unsigned int i = 0; i < count; i++) {
        const struct access_copy *c = &copies[i];
        uint8_t *page = direction == ACCESS_FROM_GUEST
                            ? before + c->ref * 4096
                            : guest_pages + c->ref * 4096;

        ck_assert_int_eq(c->status, GNTST_okay);
        /* A later piece may have written over an earlier one's place. */
        if (direction == ACCESS_FROM_GUEST || i + REFS >= count) {
            ck_assert_mem_eq(c->host, page + c->offset, c->size);
        }
    }
    access->ops->destroy(access);
    free(copies);
    free(before);
}

START_TEST(test_random_pieces)
{
    for (unsigned int round = 0; round < 8; round++) {
        pinned_host = round % 2 != 0;
        run_random(ACCESS_FROM_GUEST, 64);
        run_random(ACCESS_TO_GUEST, 64);
        run_random(ACCESS_FROM_GUEST, 1024);
        run_random(ACCESS_TO_GUEST, 1024);
    }
}
END_TEST

static void fill(struct access_copy *copies, unsigned int count,
                 uint16_t size)
{
    for (unsigned int i = 0; i < count; i++) {
        copies[i] = (struct access_copy){
            .ref = i % REFS, .size = size, .host = host + i * 2176,
        };
    }
}

START_TEST(test_one_hypercall_a_burst)
{
    struct access *access = make();
    struct access_copy copies[64];

    fill(copies, 64, 1514);
    access_copy(access, ACCESS_FROM_GUEST, copies, 64);
    ck_assert_uint_eq(calls, 1);
    ck_assert_uint_eq(gcopy_hypercalls(access), 1);
    access_copy(access, ACCESS_TO_GUEST, copies, 0);
    ck_assert_uint_eq(calls, 1);
    access->ops->destroy(access);
}
END_TEST

START_TEST(test_one_bad_grant_hurts_one_piece)
{
    for (int pinned = 0; pinned < 2; pinned++) {
        struct access_copy copies[64];
        struct access *access;
        uint8_t before[1514];

        pinned_host = pinned != 0;
        access = make();
        refused_ref = 20;
        fill(copies, 64, 1514);
        memcpy(before, copies[20].host, sizeof(before));
        access_copy(access, ACCESS_FROM_GUEST, copies, 64);
        for (unsigned int i = 0; i < 64; i++) {
            ck_assert_int_eq(copies[i].status, i == 20 ? GNTST_bad_gntref
                                                       : GNTST_okay);
        }
        ck_assert_mem_eq(before, copies[20].host, sizeof(before));
        access->ops->destroy(access);
    }
}
END_TEST

START_TEST(test_refused_hypercall_fails_all)
{
    struct access *access = make();
    struct access_copy copies[8];

    call_fails = true;
    fill(copies, 8, 100);
    access_copy(access, ACCESS_TO_GUEST, copies, 8);
    for (unsigned int i = 0; i < 8; i++) {
        ck_assert_int_eq(copies[i].status, GNTST_general_error);
    }
    access->ops->destroy(access);
}
END_TEST

/* As in a driver domain, whose kernel takes no hypercalls from processes. */
START_TEST(test_no_hypercalls_but_an_ioctl)
{
    struct access *access;

    call_fails = true;
    access = make();
    ck_assert_str_eq(access->ops->name, "gntdev's grant copies");
    access->ops->destroy(access);
}
END_TEST

START_TEST(test_pieces_that_pass_a_page_are_refused)
{
    static const struct { uint16_t offset, size; } pieces[] = {
        { 0, 0 }, { 0, 4097 }, { 1, 4096 }, { 4096, 1 }, { 65535, 2 },
    };
    struct access *access = make();

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct access_copy copy = {
            .offset = pieces[i].offset, .size = pieces[i].size, .host = host,
        };

        access_copy(access, ACCESS_FROM_GUEST, &copy, 1);
        ck_assert_int_eq(copy.status, GNTST_bad_copy_arg);
    }
    ck_assert_uint_eq(calls, 0);
    access->ops->destroy(access);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gcopy");
    TCase *tcase = unit_case(suite, "gcopy");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_random_pieces);
    tcase_add_test(tcase, test_one_hypercall_a_burst);
    tcase_add_test(tcase, test_one_bad_grant_hurts_one_piece);
    tcase_add_test(tcase, test_refused_hypercall_fails_all);
    tcase_add_test(tcase, test_no_hypercalls_but_an_ioctl);
    tcase_add_test(tcase, test_pieces_that_pass_a_page_are_refused);
    return unit_run(suite);
}
