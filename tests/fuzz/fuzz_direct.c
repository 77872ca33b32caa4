/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes a whole queue on the direct way while its guest is at work: between
 * bursts, and in a second thread all the time, the rings, the grant table,
 * the payload and the window's status are rewritten as the input says.
 *
 * The guest's memory is one mapped chunk between pages without access, so a
 * copy that leaves it dies; host buffers are exactly as large as they say.
 * Whatever happens: calls return what their contracts allow, no pin stays in
 * a record, rsp_prod is where the answers end, and a journal's answers are
 * over.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "fuzz.h"
#include "netback/direct.h"
#include "netback/from_guest.h"
#include "netback/ring.h"
#include "netback/to_guest.h"

#define GRANTS 512u
#define ROUNDS 8u
#define STEPS 200u              /* of the guest between two bursts */
#define INPUT_MAX 8192u

static union grant_v1 *grants;
static netif_tx_sring_t *tx;
static netif_rx_sring_t *rx;
static uint8_t *chunk;
static struct gantry_window_status status;
static struct direct_view view;
static struct window_counts counts[2];
static struct journal_half halves[2];
static struct access *from_access, *to_access;
static struct from_guest_burst from_burst;
static struct to_guest_burst to_burst;

/* The second thread's orders: bytes of the input, over and over. */
static uint8_t orders[INPUT_MAX];
static unsigned int order_count;    /* [a] */

static uint32_t next_order(unsigned int *at)
{
    unsigned int count = __atomic_load_n(&order_count, __ATOMIC_ACQUIRE);
    uint32_t value = 0;

    for (unsigned int i = 0; i < 4 && count != 0; i++) {
        value = value << 8 |
                __atomic_load_n(&orders[(*at)++ % count], __ATOMIC_RELAXED);
    }
    return value;
}

static void put(void *page, uint32_t at, uint32_t value)
{
    uint32_t *words = page;

    __atomic_store_n(&words[at % (ACCESS_PAGE_SIZE / sizeof(*words))], value,
                     __ATOMIC_RELAXED);
}

/* Entries that are good more often than not. */
static void put_grant(uint32_t at, uint32_t value)
{
    union grant_v1 *entry = &grants[at % GRANTS];
    uint32_t head = (value & 7) != 0 ? GTF_permit_access :
                    value >> 3 & 0xffff;

    __atomic_store_n(&entry->word.frame, value >> 20, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->word.head, head, __ATOMIC_RELAXED);
}

/* A request that a parser takes, more often than not. */
static void put_request(uint32_t at, uint32_t value)
{
    union netif_tx_sring_entry *entries = tx->ring;
    netif_tx_request_t request = {
        .gref = value % GRANTS,
        .offset = value >> 9 & 0x7ff,
        .flags = (value & 0xf00000) == 0 ? NETTXF_more_data : 0,
        .id = (uint16_t)at,
        .size = 14 + (value >> 16 & 0x7ff),
    };

    memcpy(&entries[at % FROM_GUEST_RING_SIZE].req, &request,
           sizeof(request));
}

/* One thing that the guest does. */
static void step(unsigned int *at)
{
    uint32_t what = next_order(at), value = next_order(at);

    switch (what & 7) {
    case 0:
        put_request(what >> 3, value);
        break;
    case 1:
        put(rx, what >> 3, value);
        break;
    case 2:
    case 3:
        put_grant(what >> 3, value);
        break;
    case 4:
        put((what & 8) != 0 ? chunk : (void *)tx, what >> 4, value);
        break;
    case 5:
        ring_publish(&tx->req_prod, tx->rsp_prod + value % 257);
        break;
    case 6:
        ring_publish(&rx->req_prod, rx->rsp_prod + value % 257);
        break;
    default:
        if ((what >> 3) % 256 == 0) {
            __atomic_fetch_xor(&status.revoked, 1, __ATOMIC_SEQ_CST);
        }
        if ((what >> 3) % 32 == 0) {
            __atomic_fetch_add(&status.generation, 1, __ATOMIC_SEQ_CST);
        }
    }
}

static void *guest(void *unused)
{
    unsigned int at = 0;

    (void)unused;
    for (;;) {
        for (unsigned int n = 0; n < 16; n++) {
            step(&at);
        }
        sched_yield();
    }
    return NULL;
}

static void *guarded(size_t size)
{
    uint8_t *base = mmap(NULL, size + 2 * ACCESS_PAGE_SIZE, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    fuzz_require(base != MAP_FAILED &&
                 mprotect(base + ACCESS_PAGE_SIZE, size,
                          PROT_READ | PROT_WRITE) == 0, "memory");
    return base + ACCESS_PAGE_SIZE;
}

/* A hypervisor that checks what it is given, as gcopy.c's does. */
static void hypervisor_copy(struct access *access,
                            enum access_direction direction,
                            struct access_copy *copies, unsigned int count)
{
    (void)access;
    for (unsigned int i = 0; i < count; i++) {
        struct access_copy *c = &copies[i];

        fuzz_require(c->size != 0 && c->size <= ACCESS_PAGE_SIZE &&
                     c->offset <= ACCESS_PAGE_SIZE - c->size,
                     "a copy that leaves its page");
        c->status = c->ref % 3 == 0 ? GNTST_bad_page : GNTST_okay;
        if (c->status == GNTST_okay && direction == ACCESS_FROM_GUEST) {
            memset(c->host, 0x5a, c->size);
        }
    }
}

static void nothing(struct access *access)
{
    (void)access;
}

static void miss(struct window *window, uint32_t frame)
{
    (void)window;
    fuzz_require(frame >= WINDOW_CHUNK_PAGES, "a miss of what is here");
}

static void start(void)
{
    static const struct access_ops ops = {
        .name = "test", .copy = hypervisor_copy, .destroy = nothing,
    };
    static struct access hypervisor = { .ops = &ops };
    struct window_leaf *leaf = calloc(1, sizeof(*leaf));
    pthread_t thread;

    grants = guarded(ACCESS_PAGE_SIZE);
    tx = guarded(ACCESS_PAGE_SIZE);
    rx = guarded(ACCESS_PAGE_SIZE);
    chunk = guarded(WINDOW_CHUNK_SIZE);
    view.status = &status;
    view.window = (struct window){
        .grants = grants, .grant_count = GRANTS, .miss = miss,
        .map = window_map_create(UINT32_MAX),
    };
    leaf->chunk[0] = chunk;
    leaf->chunk[1] = WINDOW_REFUSED;
    leaf->chunk[2] = WINDOW_ASKED;
    view.window.map->leaf[0] = leaf;
    from_access = direct_create(&view, &hypervisor, halves[0].pins,
                                &counts[0]);
    to_access = direct_create(&view, &hypervisor, halves[1].pins,
                              &counts[1]);
    fuzz_require(from_access != NULL && to_access != NULL, "memory");
    fuzz_require(pthread_create(&thread, NULL, guest, NULL) == 0, "thread");
    pthread_detach(thread);
}

static void check_statuses(const struct access_copy *copies,
                           unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        fuzz_require(copies[i].status <= 0, "a copy has no status");
    }
}

static void play_from(struct from_guest *q, uint8_t **rooms,
                      unsigned int budget)
{
    int slots = from_guest_take(q, &from_burst, budget);
    RING_IDX old = q->req_cons;
    int packets = slots <= 0 ? slots : from_guest_parse(&from_burst);

    fuzz_require(slots <= (int)FROM_GUEST_RING_SIZE, "slots");
    if (packets <= 0) {
        return;
    }
    for (int i = 0; i < packets; i++) {
        const struct from_guest_packet *p = &from_burst.packets[i];
        struct from_guest_span span = { NULL, p->size };

        free(rooms[i]);
        rooms[i] = span.data = malloc(p->size + 1);
        if (p->status == NETIF_RSP_OKAY && p->kind == FROM_GUEST_DATA) {
            (void)from_guest_plan(&from_burst, (unsigned int)i, &span, 1);
        }
    }
    access_copy(from_access, ACCESS_FROM_GUEST, from_burst.copies,
                from_burst.copy_count);
    check_statuses(from_burst.copies, from_burst.copy_count);
    from_guest_settle(&from_burst);
    (void)from_guest_respond(q, &from_burst);
    fuzz_require(q->req_cons - old <= FROM_GUEST_RING_SIZE, "answers");
}

static void play_to(struct to_guest *q, struct fuzz_input *in)
{
    struct to_guest_packet packets[8];
    struct to_guest_span spans[8];
    int sent;

    memset(packets, 0, sizeof(packets));
    for (unsigned int i = 0; i < 8; i++) {
        uint32_t size = 1 + fuzz_word(in);

        spans[i].data = malloc(size);
        memset(spans[i].data, 0, size);
        spans[i].size = size;
        packets[i].spans = &spans[i];
        packets[i].span_count = 1;
        packets[i].gso_size = fuzz_byte(in) % 2 == 0 ? 0 : 1448;
        packets[i].gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
    }
    sent = to_guest_take(q, &to_burst, packets, 8);
    fuzz_require(sent <= 8, "more packets than there are");
    if (sent > 0) {
        access_copy(to_access, ACCESS_TO_GUEST, to_burst.copies,
                    to_burst.copy_count);
        check_statuses(to_burst.copies, to_burst.copy_count);
        (void)to_guest_respond(q, &to_burst);
    }
    for (unsigned int i = 0; i < 8; i++) {
        free(spans[i].data);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    uint8_t *rooms[FROM_GUEST_BURST] = { NULL };
    unsigned int at = 0;
    struct from_guest from;
    struct to_guest to;

    if (grants == NULL) {
        start();
    }
    __atomic_store_n(&order_count, 0, __ATOMIC_RELEASE);
    for (size_t i = 0; i < size && i < INPUT_MAX; i++) {
        __atomic_store_n(&orders[i], data[i], __ATOMIC_RELAXED);
    }
    __atomic_store_n(&order_count,
                     (unsigned int)(size < INPUT_MAX ? size : INPUT_MAX),
                     __ATOMIC_RELEASE);
    __atomic_store_n(&status.revoked, 0, __ATOMIC_SEQ_CST);
    (void)from_guest_finish(tx, &halves[0]);
    to_guest_finish(rx, &halves[1]);
    if (from_guest_init(&from, tx) != 0) {
        from.fault = FROM_GUEST_OK;     /* let it be found in take, too */
    }
    (void)to_guest_init(&to, rx);
    from.journal = &halves[0];
    to.journal = &halves[1];
    from_burst.offered_gso = fuzz_byte(&in);
    for (uint32_t i = 0; i < FROM_GUEST_RING_SIZE; i++) {
        put_request(i, next_order(&at));
        put_grant(i, next_order(&at) & 0x1fffffff);
    }
    for (unsigned int round = 0; round < ROUNDS; round++) {
        for (unsigned int n = 0; n < STEPS; n++) {
            step(&at);
        }
        play_from(&from, rooms, 1 + fuzz_byte(&in) % FROM_GUEST_BURST);
        play_to(&to, &in);
        for (unsigned int i = 0; i < 2; i++) {
            for (unsigned int pin = 0; pin < JOURNAL_PINS; pin++) {
                fuzz_require(halves[i].pins[pin] == 0, "a pin stays");
            }
            fuzz_require(halves[i].answering == 0, "answers stay open");
        }
    }
    for (unsigned int i = 0; i < FROM_GUEST_BURST; i++) {
        free(rooms[i]);
    }
    return 0;
}
