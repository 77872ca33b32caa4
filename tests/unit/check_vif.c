/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests of ovs-bridge/vif.c: what XenStore may say and what we make of it. */

#include <stdio.h>
#include <string.h>

#include "unit.h"

#include "ovs-bridge/vif.h"

START_TEST(paths)
{
    static const char *const bad[] = {
        "", "/", "/b", "/b/", "/b/1", "/b/1/", "/b/x/0", "/b/1/x", "/b/01/0",
        "/b/1/00", "/b/1/0x", "/bb/1/0", "/b/-1/0", "/b/1/-1", "/b/ 1/0",
        "/b/32752/0", "/b/1/65536", "/b/99999999999999999999/0",
        "/b/4294967297/0", "/c/1/0", "/b//1/0",
    };
    uint32_t domid, devid;
    size_t i;

    ck_assert(vif_parse_path("/b/1/0", "/b", &domid, &devid));
    ck_assert_uint_eq(domid, 1);
    ck_assert_uint_eq(devid, 0);
    ck_assert(vif_parse_path("/b/32751/65535/state", "/b", &domid, &devid));
    ck_assert_uint_eq(domid, 32751);
    ck_assert_uint_eq(devid, 65535);
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!vif_parse_path(bad[i], "/b", &domid, &devid),
                      "%s was taken", bad[i]);
    }
    ck_assert_uint_eq(domid, 32751);
}
END_TEST

START_TEST(places)
{
    struct vif_place p;

    ck_assert(vif_parse_place("", &p));
    ck_assert_str_eq(p.bridge, "");
    ck_assert_int_eq(p.tag, -1);
    ck_assert_uint_eq(p.n_trunks, 0);

    ck_assert(vif_parse_place("br-int_0", &p));
    ck_assert_str_eq(p.bridge, "br-int_0");
    ck_assert_int_eq(p.tag, -1);

    ck_assert(vif_parse_place("br0.4095", &p));
    ck_assert_str_eq(p.bridge, "br0");
    ck_assert_int_eq(p.tag, 4095);

    ck_assert(vif_parse_place("br0.0:30:10:20:10", &p));
    ck_assert_int_eq(p.tag, 0);
    ck_assert_uint_eq(p.n_trunks, 3);
    ck_assert_uint_eq(p.trunks[0], 10);
    ck_assert_uint_eq(p.trunks[1], 20);
    ck_assert_uint_eq(p.trunks[2], 30);

    ck_assert(vif_parse_place("br0:7", &p));
    ck_assert_int_eq(p.tag, -1);
    ck_assert_uint_eq(p.n_trunks, 1);
}
END_TEST

START_TEST(bad_places)
{
    static const char *const bad[] = {
        ".5", ":5", "br0.", "br0:", "br0.4096", "br0:4096", "br0.x", "br0.5x",
        "br0.05", "br0:1:", "br0::1", "br0.1.2", "br0:1.2", "br 0", "br0/1",
        "br0 ", "br0\n", "../br0", "br0.-1", "br\xc3\xa4",
        "a234567890123456789012345678901234567890123456789012345678901234",
    };
    struct vif_place p, old;
    size_t i;

    ck_assert(vif_parse_place("keep.9:8", &p));
    old = p;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!vif_parse_place(bad[i], &p), "%s was taken", bad[i]);
    }
    ck_assert_mem_eq(&p, &old, sizeof p);
}
END_TEST

/* They were compared by their bytes once, which differ behind the strings'
 * ends and between the members without a change: the daemon then took a vif
 * for moved, and gave it its time anew. */
START_TEST(same_places)
{
    static const char *const others[] = {
        "", "br1.7:1:2", "br0:1:2", "br0.8:1:2", "br0.7:1", "br0.7:1:3",
        "br0.7:1:2:3", "br0.7",
    };
    struct vif_place a, b;
    size_t i;

    memset(&a, 0xaa, sizeof a);
    memset(&b, 0x55, sizeof b);
    strcpy(a.bridge, "br0");
    strcpy(b.bridge, "br0");
    a.tag = b.tag = 7;
    a.trunks[0] = b.trunks[0] = 1;
    a.trunks[1] = b.trunks[1] = 2;
    a.n_trunks = b.n_trunks = 2;
    ck_assert(vif_is_same_place(&a, &b));
    ck_assert(vif_parse_place("br0.7:2:1", &b));
    ck_assert(vif_is_same_place(&a, &b));
    for (i = 0; i < sizeof others / sizeof others[0]; i++) {
        ck_assert(vif_parse_place(others[i], &b));
        ck_assert_msg(!vif_is_same_place(&a, &b), "\"%s\"", others[i]);
    }
    ck_assert(vif_parse_place("br1.7:1:2", &b));
    ck_assert(vif_is_same_vlan(&a, &b));
}
END_TEST

START_TEST(many_trunks)
{
    char s[512] = "b";
    struct vif_place p;
    int i;

    for (i = 0; i < VIF_TRUNKS_MAX; i++) {
        sprintf(s + strlen(s), ":%d", 100 - i);
    }
    ck_assert(vif_parse_place(s, &p));
    ck_assert_uint_eq(p.n_trunks, VIF_TRUNKS_MAX);
    ck_assert_uint_eq(p.trunks[0], 100 - VIF_TRUNKS_MAX + 1);
    strcat(s, ":100");
    ck_assert(vif_parse_place(s, &p));
    strcat(s, ":1");
    ck_assert(!vif_parse_place(s, &p));
}
END_TEST

START_TEST(rates)
{
    static const char *const bad[] = {
        "", ",", "1", "1,", ",1", "0,1", "1,0", "1,1,", "1,1x", "-1,1", "1, 1",
        "4294967296,1", "1,4294967296",
    };
    struct vif_rate r = { 7, 7 };
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!vif_parse_rate(bad[i], &r), "%s was taken", bad[i]);
    }
    ck_assert_uint_eq(r.kbps, 7);
    /* 1 MB/s in xl's default interval of 50 ms. */
    ck_assert(vif_parse_rate("50000,50000", &r));
    ck_assert_uint_eq(r.kbps, 8000);
    ck_assert_uint_eq(r.burst_kb, 525);
    /* 1 GB/s. */
    ck_assert(vif_parse_rate("50000000,50000", &r));
    ck_assert_uint_eq(r.kbps, 8000000);
    ck_assert_uint_eq(r.burst_kb, 400000);
    ck_assert(vif_parse_rate("1,4294967295", &r));
    ck_assert_uint_eq(r.kbps, 1);
    ck_assert(vif_parse_rate("4294967295,1", &r));
    ck_assert_uint_eq(r.kbps, 0);
    ck_assert_uint_eq(r.burst_kb, 0);
}
END_TEST

START_TEST(macs)
{
    char mac[VIF_MAC_LEN + 1] = "old";

    ck_assert(!vif_parse_mac("", mac));
    ck_assert(!vif_parse_mac("00:00:00:00:00:00", mac));
    ck_assert(!vif_parse_mac("01:16:3e:00:00:01", mac));
    ck_assert(!vif_parse_mac("ff:ff:ff:ff:ff:ff", mac));
    ck_assert(!vif_parse_mac("00:16:3e:00:00:0", mac));
    ck_assert(!vif_parse_mac("00:16:3e:00:00:001", mac));
    ck_assert(!vif_parse_mac("00-16-3e-00-00-01", mac));
    ck_assert(!vif_parse_mac("00:16:3g:00:00:01", mac));
    ck_assert_str_eq(mac, "old");
    ck_assert(vif_parse_mac("00:16:3E:aB:00:01", mac));
    ck_assert_str_eq(mac, "00:16:3e:ab:00:01");
}
END_TEST

START_TEST(uuids)
{
    char uuid[VIF_UUID_LEN + 1] = "old";

    ck_assert(!vif_parse_uuid("", uuid));
    ck_assert(!vif_parse_uuid("11111111-2222-3333-4444-55555555555", uuid));
    ck_assert(!vif_parse_uuid("11111111-2222-3333-4444-5555555555555", uuid));
    ck_assert(!vif_parse_uuid("1111111112222-3333-4444-555555555555", uuid));
    ck_assert_str_eq(uuid, "old");
    ck_assert(vif_parse_uuid("ABCDEF00-2222-3333-4444-555555555555", uuid));
    ck_assert_str_eq(uuid, "abcdef00-2222-3333-4444-555555555555");
}
END_TEST

START_TEST(names)
{
    char name[VIF_NAME_MAX + 1];
    char long_name[200];

    vif_copy_name("web 1", name);
    ck_assert_str_eq(name, "web 1");
    vif_copy_name("a\nb\x1b[2J\xff", name);
    ck_assert_str_eq(name, "a?b?[2J?");
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    vif_copy_name(long_name, name);
    ck_assert_uint_eq(strlen(name), VIF_NAME_MAX);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("vif");
    TCase *tcase = unit_case(suite, "parsers");

    tcase_add_test(tcase, paths);
    tcase_add_test(tcase, places);
    tcase_add_test(tcase, bad_places);
    tcase_add_test(tcase, same_places);
    tcase_add_test(tcase, many_trunks);
    tcase_add_test(tcase, rates);
    tcase_add_test(tcase, macs);
    tcase_add_test(tcase, uuids);
    tcase_add_test(tcase, names);
    return unit_run(suite);
}
