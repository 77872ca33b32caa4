/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests of ovs-bridge/reconcile.c: the difference, and that it settles. */

#include <string.h>

#include "unit.h"

#include "ovs-bridge/reconcile.h"

#define VM_A "aaaaaaaa-2222-3333-4444-555555555555"
#define VM_B "bbbbbbbb-2222-3333-4444-555555555555"
#define MAX 256

static const struct port_template template = {
    "dpdk", "net_xenvif", "", "" };

/* A test's switch: bridges br0 and br1 in user space, k0 in the kernel. */
static struct actual_bridge bridges[] = {
    { "br0", true }, { "br1", true }, { "k0", false },
};
static struct actual_port ports[MAX];
static struct actual_switch sw;
static struct port wanted[MAX];
static size_t n_wanted;
static struct reconcile_op ops[2 * MAX];
static size_t n_ops;

static void
setup(void)
{
    memset(ports, 0, sizeof ports);
    sw = (struct actual_switch) {
        .connected = true, .dpdk_initialized = true,
        .bridges = bridges, .n_bridges = 3, .ports = ports,
    };
    n_wanted = 0;
}

static struct port
make_port(uint32_t domid, uint32_t devid, const char *bridge, const char *vm)
{
    struct vif vif = { .domid = domid, .devid = devid, .place.tag = -1 };
    struct port port;

    strcpy(vif.place.bridge, bridge);
    strcpy(vif.vm_uuid, vm);
    strcpy(vif.mac, "00:16:3e:00:00:01");
    port_from_vif(&vif, &template, &port);
    return port;
}

static void
want(struct port port)
{
    wanted[n_wanted++] = port;
    qsort(wanted, n_wanted, sizeof wanted[0], port_compare_names);
}

static void
have(struct port port, bool owned)
{
    ports[sw.n_ports] = (struct actual_port) { .port = port, .owned = owned };
    sw.n_ports++;
    qsort(ports, sw.n_ports, sizeof ports[0], port_compare_names);
}

static void
run(void)
{
    n_ops = reconcile(wanted, n_wanted, &sw, ops);
}

/* Does to the switch what the operations say. */
static void
apply(void)
{
    static struct actual_port next[MAX];
    size_t i, j, n = 0;

    for (i = 0; i < sw.n_ports; i++) {
        struct actual_port p = ports[i];
        bool removed = false;

        for (j = 0; j < n_ops; j++) {
            if (ops[j].actual == &ports[i]) {
                ck_assert(p.owned);
                removed = ops[j].kind == RECONCILE_REMOVE;
                if (!removed) {
                    p.port = *ops[j].wanted;
                }
            }
        }
        if (!removed) {
            next[n++] = p;
        }
    }
    for (j = 0; j < n_ops; j++) {
        if (ops[j].kind == RECONCILE_ADD) {
            next[n++] = (struct actual_port) {
                .port = *ops[j].wanted, .owned = true };
        }
    }
    memcpy(ports, next, sizeof ports);
    sw.n_ports = n;
    qsort(ports, n, sizeof ports[0], port_compare_names);
}

START_TEST(port_of_a_vif)
{
    struct vif vif = {
        .domid = 7, .devid = 2,
        .place = { .bridge = "br0", .tag = 5, .trunks = { 9 }, .n_trunks = 1 },
        .mac = "00:16:3e:00:00:01", .vm_uuid = VM_A, .vm_name = "web",
        .access = "copy: no window",
    };
    struct port p;

    port_from_vif(&vif, &template, &p);
    ck_assert_str_eq(p.name, "vif7.2");
    ck_assert_str_eq(p.type, "dpdk");
    ck_assert_str_eq(p.devargs, "net_xenvif7_2");
    ck_assert_str_eq(p.place.bridge, "br0");
    ck_assert_int_eq(p.place.tag, 5);
    ck_assert_uint_eq(p.place.n_trunks, 1);
    ck_assert_str_eq(p.ids[PORT_ID_ATTACHED_MAC], "00:16:3e:00:00:01");
    ck_assert_str_eq(p.ids[PORT_ID_IFACE_ID], VM_A "-2");
    ck_assert_str_eq(p.ids[PORT_ID_IFACE_STATUS], "active");
    ck_assert_str_eq(p.ids[PORT_ID_VM_ID], VM_A);
    ck_assert_str_eq(p.ids[PORT_ID_XS_VM_UUID], VM_A);
    ck_assert_str_eq(p.ids[PORT_ID_XS_VIF_UUID], "");
    ck_assert_str_eq(p.ids[PORT_ID_XEN_VM_NAME], "web");
    ck_assert_str_eq(p.ids[PORT_ID_ACCESS], "copy: no window");

    strcpy(vif.uuid, VM_B);
    port_from_vif(&vif, &template, &p);
    ck_assert_str_eq(p.ids[PORT_ID_IFACE_ID], VM_B);
    ck_assert_str_eq(p.ids[PORT_ID_XS_VIF_UUID], VM_B);
}
END_TEST

START_TEST(default_bridge)
{
    struct port_template t = { "dummy", "", "", "br9" };
    struct vif vif = { .domid = 32751, .devid = 65535, .place.tag = -1 };
    struct port p;

    port_from_vif(&vif, &t, &p);
    ck_assert_str_eq(p.name, "vif32751.65535");
    ck_assert_str_eq(p.place.bridge, "br9");
    ck_assert_str_eq(p.devargs, "");
    ck_assert_str_eq(p.ids[PORT_ID_IFACE_ID], "");
    strcpy(vif.place.bridge, "br0");
    port_from_vif(&vif, &t, &p);
    ck_assert_str_eq(p.place.bridge, "br0");
}
END_TEST

START_TEST(nothing)
{
    run();
    ck_assert_uint_eq(n_ops, 0);
    sw.n_bridges = 0;
    want(make_port(1, 0, "br0", VM_A));
    run();
    ck_assert_uint_eq(n_ops, 0);
}
END_TEST

START_TEST(add)
{
    want(make_port(1, 0, "br0", VM_A));
    run();
    ck_assert_uint_eq(n_ops, 1);
    ck_assert_int_eq(ops[0].kind, RECONCILE_ADD);
    ck_assert_ptr_eq(ops[0].wanted, &wanted[0]);
    apply();
    run();
    ck_assert_uint_eq(n_ops, 0);
}
END_TEST

START_TEST(add_only_where_possible)
{
    want(make_port(1, 0, "none", VM_A));
    want(make_port(2, 0, "k0", VM_A));
    want(make_port(3, 0, "", VM_A));
    run();
    ck_assert_uint_eq(n_ops, 0);
}
END_TEST

START_TEST(remove_what_nobody_wants)
{
    have(make_port(1, 0, "br0", VM_A), true);
    have(make_port(2, 0, "br0", VM_A), true);
    want(make_port(2, 0, "br0", VM_A));
    run();
    ck_assert_uint_eq(n_ops, 1);
    ck_assert_int_eq(ops[0].kind, RECONCILE_REMOVE);
    ck_assert_str_eq(ops[0].actual->port.name, "vif1.0");
}
END_TEST

START_TEST(leave_others_alone)
{
    have(make_port(1, 0, "br0", VM_A), false);
    have(make_port(2, 0, "br1", VM_A), false);
    have(make_port(3, 0, "br0", VM_A), false);
    want(make_port(2, 0, "br0", VM_B));
    want(make_port(3, 0, "br0", VM_B));
    run();
    ck_assert_uint_eq(n_ops, 0);
}
END_TEST

/* Names of interfaces are unique in the database: an interface of ours beside
 * somebody's of that name made the whole transaction fail. */
START_TEST(name_on_another_port)
{
    struct actual_interface interfaces[] = {
        { "eth0", "bond0", "br0" }, { "vif3.0", "bond0", "br0" } };

    sw.interfaces = interfaces;
    sw.n_interfaces = 2;
    want(make_port(2, 0, "br0", VM_A));
    want(make_port(3, 0, "br0", VM_A));
    want(make_port(4, 0, "br1", VM_A));
    run();
    ck_assert_uint_eq(n_ops, 2);
    ck_assert_str_eq(reconcile_name(&ops[0]), "vif2.0");
    ck_assert_str_eq(reconcile_name(&ops[1]), "vif4.0");
    apply();
    sw.n_interfaces = 1;
    run();
    ck_assert_uint_eq(n_ops, 1);
    ck_assert_str_eq(reconcile_name(&ops[0]), "vif3.0");
}
END_TEST

START_TEST(update_in_place)
{
    struct port p = make_port(1, 0, "br0", VM_A);

    have(p, true);
    p.place.tag = 3;
    want(p);
    run();
    ck_assert_uint_eq(n_ops, 1);
    ck_assert_int_eq(ops[0].kind, RECONCILE_UPDATE);
    apply();
    run();
    ck_assert_uint_eq(n_ops, 0);

    wanted[0].place.n_trunks = 1;
    run();
    ck_assert_uint_eq(n_ops, 1);
    apply();
    wanted[0].place.trunks[0] = 9;
    run();
    ck_assert_uint_eq(n_ops, 1);
    apply();
    apply();
    wanted[0].rate.kbps = 1000;
    run();
    ck_assert_uint_eq(n_ops, 1);
    apply();
    wanted[0].mtu = 9000;
    run();
    ck_assert_uint_eq(n_ops, 1);
    apply();
    /* An MTU that a person set stays if the vif does not say. */
    wanted[0].mtu = 0;
    run();
    ck_assert_uint_eq(n_ops, 0);
    strcpy(wanted[0].ids[PORT_ID_ATTACHED_MAC], "00:16:3e:00:00:02");
    run();
    ck_assert_uint_eq(n_ops, 1);
    ck_assert_int_eq(ops[0].kind, RECONCILE_UPDATE);
}
END_TEST

/* OVS ignores new arguments of a device that exists, so it must go first. */
START_TEST(move_in_two_steps)
{
    struct port old[4];
    size_t i;

    for (i = 0; i < 4; i++) {
        old[i] = make_port((uint32_t) i + 1, 0, "br0", VM_A);
        want(old[i]);
    }
    strcpy(old[0].place.bridge, "br1");
    strcpy(old[1].type, "internal");
    strcpy(old[2].devargs, "net_null0");
    strcpy(old[3].ids[PORT_ID_VM_ID], VM_B);
    for (i = 0; i < 4; i++) {
        have(old[i], true);
    }
    run();
    ck_assert_uint_eq(n_ops, 4);
    for (i = 0; i < 4; i++) {
        ck_assert_int_eq(ops[i].kind, RECONCILE_REMOVE);
    }
    apply();
    run();
    ck_assert_uint_eq(n_ops, 4);
    for (i = 0; i < 4; i++) {
        ck_assert_int_eq(ops[i].kind, RECONCILE_ADD);
    }
    apply();
    run();
    ck_assert_uint_eq(n_ops, 0);
}
END_TEST

/* Any two sets: at most three rounds, then nothing is left to do, everything
 * that can exist does, and what is not ours is as it was. */
START_TEST(settles)
{
    uint32_t seed = (uint32_t) _i * 2654435761u + 1;
    static const char *const names[] = { "br0", "br1", "k0", "none" };
    size_t i, foreign = 0, left = 0;
    int round;

    for (i = 0; i < 60; i++) {
        seed = seed * 1664525u + 1013904223u;
        if (seed >> 31) {
            want(make_port((uint32_t) i, 0, names[seed >> 20 & 3], VM_A));
        }
        if (seed >> 30 & 1) {
            have(make_port((uint32_t) i, 0, names[seed >> 18 & 1],
                           seed >> 15 & 1 ? VM_A : VM_B), seed >> 17 & 1);
            foreign += !(seed >> 17 & 1);
        }
    }
    for (round = 0; round < 3; round++) {
        run();
        apply();
    }
    run();
    ck_assert_uint_eq(n_ops, 0);
    for (i = 0; i < sw.n_ports; i++) {
        left += !ports[i].owned;
    }
    ck_assert_uint_eq(left, foreign);
    for (i = 0; i < n_wanted; i++) {
        if (!strncmp(wanted[i].place.bridge, "br", 2)) {
            ck_assert_ptr_nonnull(reconcile_find_port(&sw, wanted[i].name));
        }
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("reconcile");
    TCase *tcase = unit_case(suite, "difference");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, port_of_a_vif);
    tcase_add_test(tcase, default_bridge);
    tcase_add_test(tcase, nothing);
    tcase_add_test(tcase, add);
    tcase_add_test(tcase, add_only_where_possible);
    tcase_add_test(tcase, remove_what_nobody_wants);
    tcase_add_test(tcase, leave_others_alone);
    tcase_add_test(tcase, name_on_another_port);
    tcase_add_test(tcase, update_in_place);
    tcase_add_test(tcase, move_in_two_steps);
    tcase_add_loop_test(tcase, settles, 0, 50);
    return unit_run(suite);
}
