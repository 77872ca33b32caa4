/* SPDX-License-Identifier: GPL-2.0-only */
/* hvm/vpci_caps.c: capability walks over good and hostile devices. */
#include <string.h>

#include "hvm/vpci_caps.h"
#include "unit.h"

static uint32_t config[64];
static unsigned int reads;

static uint32_t read_config(void *arg, unsigned int reg)
{
    (void)arg;
    ck_assert_uint_lt(reg, 256);
    reads++;
    return config[reg / 4];
}

static struct vpci_caps find(void)
{
    struct vpci_caps caps;

    reads = 0;
    vpci_caps_find(read_config, NULL, &caps);
    return caps;
}

static void setup(void)
{
    memset(config, 0, sizeof(config));
    config[1] = 1u << 20;
    config[0x34 / 4] = 0x98;
}

START_TEST(virtio_device)
{
    struct vpci_caps caps;

    config[0x98 / 4] = 0x00037011;          /* MSI-X, 4 entries, next 0x70 */
    config[0x9c / 4] = 0x00000001;
    config[0x70 / 4] = 0x01806005;          /* MSI, 64 bit and mask */
    config[0x60 / 4] = 0x00000009;
    caps = find();
    ck_assert_uint_eq(caps.msix, 0x98);
    ck_assert_uint_eq(caps.msix_count, 4);
    ck_assert_uint_eq(caps.msix_bir, 1);
    ck_assert_uint_eq(caps.msix_offset, 0);
    ck_assert_uint_eq(caps.msi, 0x70);
    ck_assert(caps.msi_has_64 && caps.msi_has_mask);
}
END_TEST

START_TEST(no_list)
{
    config[1] = 0;
    config[0x98 / 4] = 0x00000011;
    ck_assert_uint_eq(find().msix, 0);
    ck_assert_uint_eq(reads, 1);
}
END_TEST

START_TEST(list_that_loops)
{
    config[0x98 / 4] = 0x00009809;
    ck_assert_uint_eq(find().msix, 0);
    ck_assert_uint_lt(reads, 100);
}
END_TEST

START_TEST(list_into_the_header_and_bad_bar)
{
    config[0x34 / 4] = 0x10;
    config[0x10 / 4] = 0x00000011;
    ck_assert_uint_eq(find().msix, 0);
    config[0x34 / 4] = 0x40;
    config[0x40 / 4] = 0x00000011;
    config[0x44 / 4] = 0x00000007;          /* BAR 7 */
    ck_assert_uint_eq(find().msix, 0);
}
END_TEST

START_TEST(message)
{
    struct vpci_msi_target t = vpci_msi_decode(0xfee02004, 0x4123);

    ck_assert_uint_eq(t.dest, 2);
    ck_assert_uint_eq(t.vector, 0x23);
    ck_assert_uint_eq(t.mode, 1);
    ck_assert(t.is_logical && !t.is_level);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vpci_caps");
    TCase *tcase = unit_case(suite, "vpci_caps");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, virtio_device);
    tcase_add_test(tcase, no_list);
    tcase_add_test(tcase, list_that_loops);
    tcase_add_test(tcase, list_into_the_header_and_bad_bar);
    tcase_add_test(tcase, message);
    return unit_run(suite);
}
