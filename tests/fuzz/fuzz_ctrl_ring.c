/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes ctrl_ring, hash and gref together with a guest that writes what it
 * likes into the ring and into the pages that its requests name, also while
 * they are being read.  The table of grants is the real one; its mapper
 * counts, so that a page that is mapped twice or never unmapped is seen.
 */
#include "fuzz.h"
#include "netback/ctrl_ring.h"
#include "netback/gref.h"
#include "tests/fake/guest.h"

#define QUEUES 3u
#define PACKET_MAX 128u

static struct fuzz_input in;
static struct fake_guest *guest;
static xen_netif_ctrl_sring_t *sring;
static struct hash hash;
static struct hash_table table;
static struct gref_table *tables[QUEUES];
static uint8_t mapped[QUEUES][FAKE_GUEST_PAGES];
static const uint16_t numbers[QUEUES] = { 0, 1, 2 };
static bool quiet[QUEUES];          /* nobody copies since entries went */

static void *map_page(void *self, grant_ref_t ref, bool readonly)
{
    uint16_t queue = *(const uint16_t *)self;
    uint32_t at = ref - FAKE_GUEST_REF;

    if (at >= FAKE_GUEST_PAGES || guest->refuse[at] != GNTST_okay ||
        (guest->read_only[at] && !readonly)) {
        return NULL;
    }
    fuzz_require(!mapped[queue][at], "mapped twice");
    mapped[queue][at] = 1;
    quiet[queue] = false;
    return guest->pages[at];
}

static void unmap_page(void *self, void *page)
{
    uint16_t queue = *(const uint16_t *)self;
    size_t at = (size_t)((uint8_t *)page - guest->pages[0]) /
                ACCESS_PAGE_SIZE;

    fuzz_require(at < FAKE_GUEST_PAGES, "its own page");
    fuzz_require(quiet[queue], "unmapped while in use");
    fuzz_require(mapped[queue][at], "unmapped twice");
    mapped[queue][at] = 0;
}

static void quiesce(void *self)
{
    quiet[*(const uint16_t *)self] = true;
}

static uint32_t grefs_size(void *self)
{
    (void)self;
    return GREF_TABLE_SIZE;
}

static int grefs_add(void *self, uint16_t queue,
                     const struct xen_netif_gref *list, uint32_t count)
{
    uint32_t before = gref_count(tables[queue]);
    int error = gref_add(tables[queue], list, count);

    (void)self;
    fuzz_require(gref_count(tables[queue]) ==
                 before + (error == 0 ? count : 0), "all or nothing");
    return error;
}

static uint32_t grefs_del(void *self, uint16_t queue,
                          struct xen_netif_gref *list, uint32_t count)
{
    uint32_t before = gref_count(tables[queue]);
    uint32_t gone = gref_del(tables[queue], list, count);

    (void)self;
    fuzz_require(gref_count(tables[queue]) == before - gone, "count");
    return gone;
}

static const struct ctrl_ring_grefs grefs = {
    grefs_size, grefs_add, grefs_del,
};

static union xen_netif_ctrl_sring_entry *entry(RING_IDX index)
{
    union xen_netif_ctrl_sring_entry *entries = sring->ring;

    return entries + index % CTRL_RING_SIZE;
}

/* Something for requests to read; few pages, so that they are met. */
static void write_page(void)
{
    uint8_t *page = guest->pages[fuzz_byte(&in) % 4];
    unsigned int count = fuzz_byte(&in) % 40;

    switch (fuzz_byte(&in) % 3) {
    case 0:
        fuzz_bytes(&in, page, 64);
        break;
    case 1:
        for (unsigned int i = 0; i < count; i++) {
            ((uint32_t *)page)[i] = fuzz_byte(&in) % (QUEUES + 1);
        }
        break;
    default:
        for (unsigned int i = 0; i < count; i++) {
            ((struct xen_netif_gref *)page)[i] = (struct xen_netif_gref){
                .ref = FAKE_GUEST_REF + 4 + fuzz_byte(&in),
                .flags = (uint16_t)(fuzz_byte(&in) % 64 == 1),
            };
        }
        break;
    }
}

static void write_request(RING_IDX index)
{
    struct xen_netif_ctrl_request *request = &entry(index)->req;
    uint8_t shape = fuzz_byte(&in);

    fuzz_bytes(&in, request, sizeof(*request));
    if (shape % 8 == 0) {
        return;
    }
    request->type %= 11;
    switch (request->type) {
    case XEN_NETIF_CTRL_TYPE_SET_HASH_KEY:
    case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING:
        request->data[0] = FAKE_GUEST_REF + request->data[0] % 4;
        request->data[1] %= 44;
        request->data[2] %= 90;
        break;
    case XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING:
    case XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING:
        request->data[0] %= QUEUES + 1;
        request->data[1] = FAKE_GUEST_REF + request->data[1] % 4;
        request->data[2] %= shape % 8 == 1 ? 600 : 44;
        break;
    default:
        request->data[0] %= 140;
        break;
    }
}

/* The fake guest's copies, and a guest that writes behind them. */
static void copy(struct access *access, enum access_direction direction,
                 struct access_copy *copies, unsigned int count)
{
    (void)access;
    access_copy(&guest->access, direction, copies, count);
    if (fuzz_byte(&in) % 4 == 1) {
        write_page();
        write_request(fuzz_byte(&in));
    }
}

static void check_hash(void)
{
    uint8_t size = fuzz_byte(&in) % PACKET_MAX;
    uint8_t *packet = malloc(size + 1u);
    struct hash_value value;

    fuzz_bytes(&in, packet, size);
    if (size > 14) {
        packet[12] = size % 2 != 0 ? 0x08 : 0x86;
        packet[13] = size % 2 != 0 ? 0x00 : 0xdd;
    }
    value = hash_packet(&table, packet, size);
    fuzz_require(value.type != HASH_TYPE_NONE || value.value == 0, "no hash");
    fuzz_require(value.type == HASH_TYPE_NONE ||
                 (table.flags & 1u << value.type) != 0, "a type not set");
    fuzz_require(hash_queue(&table, value.value, QUEUES) < QUEUES, "queue");
    fuzz_require(hash_queue(&table, value.value, 1) == 0, "queue");
    free(packet);
}

static void play(const struct ctrl_ring_target *target)
{
    RING_IDX prod = fuzz_byte(&in) * 0x01010101u;
    struct ctrl_ring_done done;
    struct ctrl_ring q;

    sring->rsp_prod = sring->req_prod = prod;
    fuzz_require(ctrl_ring_init(&q, sring) == 0, "init");
    for (unsigned int round = 0; round < 40 && in.size != 0; round++) {
        unsigned int count = fuzz_byte(&in) % 24;
        RING_IDX before = q.req_cons;

        write_page();
        for (unsigned int i = 0; i < count; i++) {
            write_request(prod + i);
        }
        prod += fuzz_byte(&in) == 9 ? fuzz_word(&in) : count;
        sring->req_prod = prod;
        if (ctrl_ring_turn(&q, target, &done) != 0) {
            fuzz_require(prod - before > CTRL_RING_SIZE, "a good ring");
            return;
        }
        fuzz_require(prod - before <= CTRL_RING_SIZE, "a bad ring");
        fuzz_require(done.requests <= CTRL_RING_TURN, "a long turn");
        fuzz_require(q.req_cons == before + done.requests, "requests");
        fuzz_require(sring->rsp_prod == q.req_cons, "responses");
        fuzz_require(done.more == (q.req_cons != prod), "more");
        check_hash();
    }
}

static void prepare(void)
{
    static const struct gref_config configs[QUEUES] = {
        { map_page, unmap_page, quiesce, (void *)(uintptr_t)&numbers[0] },
        { map_page, unmap_page, quiesce, (void *)(uintptr_t)&numbers[1] },
        { map_page, unmap_page, quiesce, (void *)(uintptr_t)&numbers[2] },
    };

    if (guest == NULL) {
        guest = fake_guest_create();
        sring = aligned_alloc(ACCESS_PAGE_SIZE, ACCESS_PAGE_SIZE);
    }
    memset(sring, 0, ACCESS_PAGE_SIZE);
    memset(&hash, 0, sizeof(hash));
    memset(&table, 0, sizeof(table));
    memset(mapped, 0, sizeof(mapped));
    for (unsigned int i = 0; i < 4; i++) {
        memset(guest->pages[i], 0, ACCESS_PAGE_SIZE);
    }
    for (unsigned int i = 0; i + 1 < FAKE_GUEST_PAGES; i += 29) {
        guest->refuse[i] = (int8_t)fuzz_byte(&in) % 3;
        guest->read_only[i + 1] = fuzz_byte(&in) % 3 == 1;
    }
    for (unsigned int i = 0; i < QUEUES; i++) {
        tables[i] = gref_create(&configs[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct access_ops ops = { .name = "fuzz", .copy = copy };
    struct access access = { &ops };
    const struct ctrl_ring_target target = {
        .access = &access, .hash = &hash, .table = &table, .grefs = &grefs,
        .queue_count = QUEUES,
    };

    in = (struct fuzz_input){ data, size };
    prepare();
    play(&target);
    for (unsigned int i = 0; i < QUEUES; i++) {
        gref_destroy(tables[i]);
        for (unsigned int page = 0; page < FAKE_GUEST_PAGES; page++) {
            fuzz_require(!mapped[i][page], "left mapped");
        }
    }
    return 0;
}
