/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ovs-bridge/watch.c on a fake of store.c: how often the table's vifs are
 * read, and what a connection that is lost means.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "ovs-bridge/store.h"
#include "ovs-bridge/watch.h"

#define BASE "/local/domain/0/backend/vif"
#define FLOOD 50000u

static unsigned int events;     /* of vif 1/0, still to be taken */
static unsigned int scans;      /* of that vif */
static unsigned int scans_left; /* until the connection is lost */
static bool connected, other_there;

void store_init(void)
{
}

void store_destroy(void)
{
}

bool store_run(void)
{
    bool is_new = !connected;

    connected = true;
    return is_new;
}

void store_wait(void)
{
}

bool store_is_connected(void)
{
    return connected;
}

const char *store_base(void)
{
    return BASE;
}

char *store_vif_dir(uint32_t domid, uint32_t devid)
{
    char *dir = malloc(64);

    ck_assert_ptr_nonnull(dir);
    snprintf(dir, 64, BASE "/%u/%u", domid, devid);
    return dir;
}

char *store_next_event(void)
{
    if (events == 0) {
        return NULL;
    }
    events--;
    return strdup(BASE "/1/0/state");
}

char *store_read(const char *dir, const char *key)
{
    bool first = strcmp(dir, BASE "/1/0") == 0;

    if (first && strcmp(key, "frontend-id") == 0) {
        scans++;
        if (scans_left != 0 && --scans_left == 0) {
            connected = false;
        }
    }
    if (!connected || (!first && !other_there)) {
        return NULL;
    }
    if (strcmp(key, "frontend-id") == 0) {
        return strdup(first ? "1" : "2");
    }
    return strcmp(key, "state") == 0 ? strdup("2") : NULL;
}

/* One domain's directory with one vif in it; or two. */
char **store_list(const char *dir, const char *sub, unsigned int *n)
{
    char **names = calloc(2, sizeof(*names) + 2);

    (void)dir;
    ck_assert_ptr_nonnull(names);
    *n = sub != NULL || !other_there ? 1 : 2;
    for (unsigned int i = 0; i < 2; i++) {
        names[i] = (char *)&names[2] + 2 * i;
        names[i][0] = sub != NULL ? '0' : (char)('1' + i);
        names[i][1] = '\0';
    }
    return names;
}

bool store_write_verdict(uint32_t domid, uint32_t devid, const char *status,
                         const char *error)
{
    (void)domid;
    (void)devid;
    (void)status;
    (void)error;
    return false;
}

bool store_write_closed(uint32_t domid, uint32_t devid)
{
    (void)domid;
    (void)devid;
    return false;
}

char *store_read_error(uint32_t domid, uint32_t devid)
{
    (void)domid;
    (void)devid;
    return NULL;
}

void store_remove_error(uint32_t domid, uint32_t devid)
{
    (void)domid;
    (void)devid;
}

static void setup(void)
{
    events = scans = scans_left = 0;
    connected = false;
    other_there = true;
    watch_init();
    watch_run();
    ck_assert(watch_is_ready());
    ck_assert_uint_eq(hmap_count(watch_vifs()), 2);
}

/*
 * Each event was a scan of some twenty answers, and more came meanwhile than
 * were taken: libxenstore's list of them grew without end.
 */
START_TEST(a_storm_is_one_scan)
{
    unsigned int before = scans;

    events = FLOOD;
    watch_run();
    ck_assert_uint_eq(events, 0);
    ck_assert_uint_eq(scans, before + 1);
    watch_run();
    ck_assert_uint_eq(scans, before + 1);
    ck_assert_uint_eq(hmap_count(watch_vifs()), 2);
}
END_TEST

/* A vif that xenstored did not answer for is not one that is gone. */
START_TEST(a_lost_connection_removes_nothing)
{
    events = 1;
    scans_left = 1;
    watch_run();
    ck_assert(!watch_is_ready());
    ck_assert_uint_eq(hmap_count(watch_vifs()), 2);
    other_there = false;        /* it went meanwhile */
    watch_run();
    ck_assert(watch_is_ready());
    ck_assert_uint_eq(hmap_count(watch_vifs()), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watch");
    TCase *tcase = unit_case(suite, "watch");

    tcase_add_checked_fixture(tcase, setup, watch_destroy);
    tcase_add_test(tcase, a_storm_is_one_scan);
    tcase_add_test(tcase, a_lost_connection_removes_nothing);
    return unit_run(suite);
}
