/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes local: a frontend's hello, and a grant table full of what it likes.
 * The memory is exactly as large as it says, so that a sanitizer sees a
 * copy that leaves it; after each batch every entry is as it was.
 */
#include "fuzz.h"
#include "netback/local.h"

#define PAGES 4u
#define COPIES 16u

static uint8_t *memory;
static uint8_t before[ACCESS_PAGE_SIZE];
static uint8_t host[COPIES][ACCESS_PAGE_SIZE];

static void play_hello(struct fuzz_input *in)
{
    const struct local_offer offer = {
        .magic = LOCAL_MAGIC, .version = LOCAL_VERSION,
        .queues_max = fuzz_byte(in),
        .features = fuzz_byte(in),
    };
    struct local_hello hello;
    const char *why = NULL;
    uint8_t shape = fuzz_byte(in);
    uint32_t pages = fuzz_word(in);
    size_t fds = fuzz_byte(in) % 20;

    fuzz_bytes(in, &hello, sizeof(hello));
    if ((shape & 1) != 0) {
        hello.magic = LOCAL_MAGIC;
        hello.version = LOCAL_VERSION;
        hello.pad[0] = hello.pad[1] = 0;
        hello.queue_count %= 20;
        hello.grant_frames %= 300;
        hello.ctrl_ref &= (shape & 4) != 0 ? UINT32_MAX : 0;
        fds = (shape & 2) != 0 ? hello.queue_count + 1u +
                                 (hello.ctrl_ref != 0) : fds;
    }
    if (local_check(&hello, sizeof(hello), fds, pages, &offer, &why) != 0) {
        fuzz_require(why != NULL, "a refusal is explained");
        return;
    }
    fuzz_require(hello.queue_count <= LOCAL_QUEUES_MAX &&
                 hello.queue_count <= offer.queues_max &&
                 fds <= LOCAL_FDS_MAX && hello.grant_frames <= pages,
                 "a hello that is too large");
    fuzz_require(hello.ctrl_ref == 0 || (offer.features & LOCAL_CTRL) != 0,
                 "a control ring that was not offered");
}

/* Entries that are often good, in the memory's first page. */
static void write_grants(struct fuzz_input *in)
{
    union grant_v1 *grants = (union grant_v1 *)memory;

    for (unsigned int i = fuzz_byte(in) % 64; i > 0; i--) {
        union grant_v1 *grant = &grants[fuzz_byte(in) % 64];

        grant->entry.flags = fuzz_byte(in) % 4 == 0 ? fuzz_word(in) :
                             GTF_permit_access;
        grant->entry.domid = fuzz_byte(in) % 8 == 0;
        /* Page 0 is the table: a copy there would change entries. */
        grant->entry.frame = 1 + fuzz_byte(in) % (PAGES + 1);
    }
}

static void play_copies(struct fuzz_input *in, struct access *access)
{
    struct access_copy copies[COPIES];
    unsigned int count = 1 + fuzz_byte(in) % COPIES;
    enum access_direction direction = fuzz_byte(in) % 2 == 0 ?
                                      ACCESS_FROM_GUEST : ACCESS_TO_GUEST;

    for (unsigned int i = 0; i < count; i++) {
        uint16_t offset = fuzz_word(in) % ACCESS_PAGE_SIZE;

        copies[i] = (struct access_copy){
            .ref = fuzz_byte(in) % 8 == 0 ? fuzz_word(in) * 65537u :
                   fuzz_byte(in) % 66,
            .offset = offset,
            .size = 1 + fuzz_word(in) % (ACCESS_PAGE_SIZE - offset),
            .status = INT16_MAX,
            .host = host[i],
        };
    }
    memcpy(before, memory, ACCESS_PAGE_SIZE);
    access_copy(access, direction, copies, count);
    fuzz_require(memcmp(before, memory, ACCESS_PAGE_SIZE) == 0,
                 "an entry has changed");
    for (unsigned int i = 0; i < count; i++) {
        fuzz_require(copies[i].status <= 0, "a copy has no status");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct local_link link = { .fd = -1, .page_count = PAGES };
    struct window_counts counts = { 0 };
    struct access *access;

    play_hello(&in);
    memory = aligned_alloc(ACCESS_PAGE_SIZE, PAGES * ACCESS_PAGE_SIZE);
    memset(memory, 0, PAGES * ACCESS_PAGE_SIZE);
    link.memory = memory;
    link.grant_count = LOCAL_GRANTS_PER_PAGE;
    access = local_create(&link, NULL, &counts);
    for (unsigned int round = 0; round < 20 && in.size != 0; round++) {
        write_grants(&in);
        play_copies(&in, access);
    }
    access->ops->destroy(access);
    free(memory);
    return 0;
}
