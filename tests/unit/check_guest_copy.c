/* SPDX-License-Identifier: GPL-2.0-only */
/* guest_copy.c: page walks, and whose rights count. */
#include <errno.h>
#include <string.h>

#include "core/arch.h"
#include "core/p2m.h"
#include "guest_copy.h"
#include "hvm/hvm.h"
#include "unit.h"

#define FRAMES 8u
#define LEVEL4 1u
#define LEVEL1 4u
#define KERNEL 5u                   /* a page without USER, and its place */
#define USER 6u
#define READ_ONLY 7u
#define PRESENT 1ull
#define WRITE 2ull
#define USER_BIT 4ull
#define VA(page) ((uint64_t)(page) << PAGE_SHIFT)

static uint8_t memory[FRAMES][PAGE_SIZE];
static struct frame frames[FRAMES];
static struct arch_vcpu arch;
static struct domain domain;
static struct vcpu vcpu;
static struct hvm_paging paging;
static int held;                    /* references on frames */

/* ---- what guest_copy.c asks of its surroundings ---- */

struct vcpu *vcpu_current(void)
{
    return &vcpu;
}

int p2m_read(struct domain *d, void *dst, uint64_t gpa, size_t size)
{
    (void)d;
    if (gpa >= sizeof(memory) || size > sizeof(memory) - gpa) {
        return -EFAULT;
    }
    memcpy(dst, &memory[0][0] + gpa, size);
    return 0;
}

int p2m_read_word(struct domain *d, uint64_t *word, uint64_t gpa)
{
    return p2m_read(d, word, gpa, sizeof(*word));
}

struct frame *p2m_get_frame(struct domain *d, gfn_t g, enum p2m_type *type)
{
    (void)d;
    *type = P2M_RAM_RW;
    held += g.v < FRAMES;
    return g.v < FRAMES ? &frames[g.v] : NULL;
}

void frame_put(struct frame *f)
{
    (void)f;
    held--;
}

mfn_t frame_mfn(const struct frame *f)
{
    return mfn((uint64_t)(f - frames));
}

void *arch_frame_map(mfn_t m)
{
    return memory[m.v];
}

static void get_paging(struct vcpu *v, struct hvm_paging *p)
{
    (void)v;
    *p = paging;
}

static const struct hvm_ops ops = { .get_paging = get_paging };
const struct hvm_ops *hvm_ops = &ops;

/* ---- */

static void set_entry(unsigned int table, unsigned int i, uint64_t frame,
                      uint64_t bits)
{
    uint64_t entry = frame << PAGE_SHIFT | bits;

    memcpy(&memory[table][i * sizeof(entry)], &entry, sizeof(entry));
}

static void setup(void)
{
    memset(memory, 0, sizeof(memory));
    vcpu = (struct vcpu){ .domain = &domain, .arch = &arch };
    paging = (struct hvm_paging){ .cr0 = 1ull << 31, .efer = 1u << 10,
                                  .cr3 = VA(LEVEL4) };
    for (unsigned int table = LEVEL4; table < LEVEL1; table++) {
        set_entry(table, 0, table + 1, PRESENT | WRITE | USER_BIT);
    }
    set_entry(LEVEL1, KERNEL, KERNEL, PRESENT | WRITE);
    set_entry(LEVEL1, USER, USER, PRESENT | WRITE | USER_BIT);
    set_entry(LEVEL1, READ_ONLY, READ_ONLY, PRESENT | USER_BIT);
}

static struct guest_ptr at(uint64_t va)
{
    return (struct guest_ptr){ va };
}

/* Registered areas are the kernel's, and written when user mode stopped. */
START_TEST(areas_are_written_from_user_mode)
{
    uint32_t value = 7, back = 0;

    paging.cpl = 3;
    ck_assert_int_eq(guest_write(at(VA(KERNEL) + 8), &value, 4), 0);
    ck_assert_int_eq(guest_read(&back, at(VA(KERNEL) + 8), 4), 0);
    ck_assert_uint_eq(back, 7);
    ck_assert_uint_eq(memory[KERNEL][8], 7);
}
END_TEST

START_TEST(instructions_have_the_rights_of_their_mode)
{
    uint32_t value = 9;

    paging.cpl = 3;
    ck_assert_int_eq(guest_copy_load(&value, at(VA(KERNEL)), 4), -EFAULT);
    ck_assert_int_eq(guest_copy_store(at(VA(KERNEL)), &value, 4), -EFAULT);
    ck_assert_int_eq(guest_copy_store(at(VA(USER)), &value, 4), 0);
    ck_assert_int_eq(guest_copy_load(&value, at(VA(USER)), 4), 0);
    paging.cpl = 0;
    ck_assert_int_eq(guest_copy_load(&value, at(VA(KERNEL)), 4), 0);
    ck_assert_int_eq(guest_copy_store(at(VA(KERNEL)), &value, 4), 0);
}
END_TEST

START_TEST(what_cannot_be_reached)
{
    uint32_t value = 1;

    ck_assert_int_eq(guest_write(at(VA(READ_ONLY)), &value, 4), -EFAULT);
    ck_assert_int_eq(guest_read(&value, at(VA(READ_ONLY)), 4), 0);
    ck_assert_int_eq(guest_read(&value, at(VA(1)), 4), -EFAULT);
    ck_assert_int_eq(guest_read(&value, at(1ull << 47), 4), -EFAULT);
    /* The second page of the two is not there. */
    ck_assert_int_eq(guest_read(&value, at(VA(READ_ONLY + 1) - 2), 4),
                     -EFAULT);
    ck_assert_int_eq(guest_write(at(VA(USER) - 2), &value, 4), 0);
    paging.efer = 0;
    ck_assert_int_eq(guest_read(&value, at(VA(USER)), 4), -EFAULT);
    paging.cr0 = 0;
    ck_assert_int_eq(guest_read(&value, at(VA(USER)), 4), 0);
    ck_assert_int_eq(guest_read(&value, at(1ull << 32), 4), -EFAULT);
}
END_TEST

/* Runstate and time areas: written in three steps, looked up in one. */
START_TEST(a_place_is_written_piece_by_piece)
{
    const uint64_t across = 0x1122334455667788;
    struct guest_place p;

    ck_assert_int_eq(guest_place_get(&p, at(VA(USER) - 12), 24), 0);
    ck_assert_int_eq(held, 2);
    guest_place_write(&p, 8, &across, 8);
    guest_place_write(&p, 0, &across, 8);
    guest_place_write(&p, 16, &across, 8);
    guest_place_put(&p);
    for (unsigned int i = 0; i < 24; i++) {
        unsigned char c = i < 12 ? memory[KERNEL][PAGE_SIZE - 12 + i]
                                 : memory[USER][i - 12];

        ck_assert_uint_eq(c, across >> (i % 8 * 8) & 0xff);
    }
    ck_assert_int_eq(held, 0);
}
END_TEST

START_TEST(a_place_must_be_writable_as_a_whole)
{
    struct guest_place p;

    ck_assert_int_eq(guest_place_get(&p, at(VA(READ_ONLY)), 8), -EFAULT);
    ck_assert_int_eq(guest_place_get(&p, at(VA(READ_ONLY) - 4), 8), -EFAULT);
    ck_assert_int_eq(guest_place_get(&p, at(VA(READ_ONLY) - 4), 4), 0);
    guest_place_put(&p);
    ck_assert_int_eq(held, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guest_copy");
    TCase *tc = unit_case(suite, "copies");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, areas_are_written_from_user_mode);
    tcase_add_test(tc, instructions_have_the_rights_of_their_mode);
    tcase_add_test(tc, what_cannot_be_reached);
    tcase_add_test(tc, a_place_is_written_piece_by_piece);
    tcase_add_test(tc, a_place_must_be_writable_as_a_whole);
    return unit_run(suite);
}
