/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests of ovs-bridge/verdict.c: what the toolstack hears, and when. */

#include <string.h>

#include "unit.h"

#include <xen/io/xenbus.h>

#include "ovs-bridge/verdict.h"

static struct actual_bridge bridges[] = { { "br0", true }, { "k0", false } };
static struct actual_port port;
static struct actual_switch sw;
static struct vif vif;
static struct port wanted;
static struct verdict v;

static void
setup(void)
{
    memset(&port, 0, sizeof port);
    memset(&wanted, 0, sizeof wanted);
    memset(&vif, 0, sizeof vif);
    vif.online = true;
    vif.state = XenbusStateInitialising;
    sw = (struct actual_switch) {
        .connected = true, .dpdk_initialized = true,
        .bridges = bridges, .n_bridges = 2, .ports = &port,
    };
    strcpy(wanted.name, "vif1.0");
    strcpy(wanted.type, "dpdk");
    strcpy(wanted.place.bridge, "br0");
    port.port = wanted;
    port.owned = true;
}

static void
expect(long long int age, enum verdict_kind kind, const char *word)
{
    verdict_attach(&vif, &wanted, &sw, age, &v);
    ck_assert_int_eq(v.kind, kind);
    if (kind == VERDICT_FAILED) {
        ck_assert_msg(strstr(v.reason, word), "no \"%s\" in \"%s\"",
                      word, v.reason);
        ck_assert_ptr_null(strchr(v.reason, '\n'));
    } else {
        ck_assert_str_eq(v.reason, "");
    }
}

START_TEST(attached)
{
    expect(0, VERDICT_WAIT, NULL);
    sw.n_ports = 1;
    expect(0, VERDICT_WAIT, NULL);
    port.ofport = 4;
    expect(0, VERDICT_ATTACHED, NULL);
    expect(1000000, VERDICT_ATTACHED, NULL);
}
END_TEST

/* What the database would refuse, and what it has refused. */
START_TEST(failed_by_its_name)
{
    struct actual_interface iface = { "vif1.0", "bond0", "br7" };
    struct refused_port refused = { "vif1.0", "too bad" };

    sw.interfaces = &iface;
    sw.n_interfaces = 1;
    expect(0, VERDICT_FAILED,
           "interface vif1.0 exists on port bond0 of bridge br7");
    strcpy(iface.name, "vif1.1");
    expect(0, VERDICT_WAIT, NULL);
    sw.refused = &refused;
    sw.n_refused = 1;
    expect(0, VERDICT_FAILED, "refuses port vif1.0: too bad");
    /* A port that works does so without a change that was refused. */
    sw.n_ports = 1;
    port.ofport = 4;
    expect(0, VERDICT_ATTACHED, NULL);
}
END_TEST

START_TEST(failed_at_once)
{
    strcpy(vif.problem, "key bridge is bad");
    expect(0, VERDICT_FAILED, "key bridge is bad");
    vif.problem[0] = '\0';

    wanted.place.bridge[0] = '\0';
    expect(0, VERDICT_FAILED, "no bridge is named");
    strcpy(wanted.place.bridge, "none");
    expect(0, VERDICT_FAILED, "has no bridge \"none\"");
    strcpy(wanted.place.bridge, "k0");
    expect(0, VERDICT_FAILED, "datapath_type=netdev");
    strcpy(wanted.place.bridge, "br0");

    sw.dpdk_initialized = false;
    expect(0, VERDICT_FAILED, "dpdk-init=true");
    strcpy(wanted.type, "dummy");
    expect(0, VERDICT_WAIT, NULL);
}
END_TEST

START_TEST(failed_port)
{
    sw.n_ports = 1;
    strcpy(port.error, "could not open network device vif1.0");
    expect(0, VERDICT_FAILED, "could not open");
    strcpy(vif.driver_error, "net_xenvif: no grants");
    expect(0, VERDICT_FAILED, "net_xenvif: no grants");
    port.error[0] = '\0';
    port.ofport = -1;
    expect(0, VERDICT_FAILED, "could not make port vif1.0");
    port.ofport = 3;
    port.owned = false;
    expect(0, VERDICT_FAILED, "not gantry-bridge's");
}
END_TEST

START_TEST(time_is_over)
{
    expect(VERDICT_ATTACH_MS - 1, VERDICT_WAIT, NULL);
    expect(VERDICT_ATTACH_MS, VERDICT_FAILED, "ovs-vswitchd did not make");
    vif.state = XenbusStateInitWait;
    expect(VERDICT_DRIVER_MS - 1, VERDICT_WAIT, NULL);
    expect(VERDICT_DRIVER_MS, VERDICT_FAILED, "within 25 s");
    sw = (struct actual_switch) { .connected = false };
    expect(VERDICT_CONNECT_MS - 1, VERDICT_WAIT, NULL);
    expect(VERDICT_CONNECT_MS, VERDICT_FAILED, "ovsdb-server");
}
END_TEST

static void
expect_close(bool has_port, bool connected, long long int age, bool keep,
             bool set)
{
    struct verdict_close c = verdict_close(&vif, has_port, connected, age);

    ck_assert_int_eq(c.keep_port, keep);
    ck_assert_int_eq(c.set_closed, set);
}

START_TEST(closing)
{
    /* A frontend that leaves and comes back is the driver's business. */
    vif.state = XenbusStateClosed;
    expect_close(true, true, 100000, true, false);

    vif.online = false;
    expect_close(true, true, 0, false, false);
    expect_close(false, true, 0, false, false);

    vif.state = XenbusStateClosing;
    expect_close(true, true, 0, true, false);
    expect_close(true, true, VERDICT_CLOSE_MS, false, false);
    expect_close(true, true, 2 * VERDICT_CLOSE_MS, false, true);
    expect_close(false, true, 0, false, true);
    expect_close(false, false, 0, false, false);
    expect_close(false, false, VERDICT_CLOSE_MS, false, true);

    vif.state = XenbusStateConnected;
    expect_close(true, true, 100000, true, false);
}
END_TEST

/* libxl waits 10 s for a state, so that we must be done well before. */
START_TEST(limits)
{
    ck_assert_int_lt(VERDICT_ATTACH_MS, 9000);
    ck_assert_int_lt(VERDICT_CONNECT_MS, VERDICT_ATTACH_MS);
    ck_assert_int_lt(2 * VERDICT_CLOSE_MS, 9000);
    ck_assert_int_lt(VERDICT_DRIVER_MS, 30000);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("verdict");
    TCase *tcase = unit_case(suite, "verdicts");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, attached);
    tcase_add_test(tcase, failed_by_its_name);
    tcase_add_test(tcase, failed_at_once);
    tcase_add_test(tcase, failed_port);
    tcase_add_test(tcase, time_is_over);
    tcase_add_test(tcase, closing);
    tcase_add_test(tcase, limits);
    return unit_run(suite);
}
