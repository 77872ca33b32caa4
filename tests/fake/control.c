/* SPDX-License-Identifier: GPL-2.0-only */
/* See control.h.  A lock that is taken twice fails the test by abort(). */
#include <stdlib.h>

#include "netback/control.h"
#include "tests/fake/control.h"
#include "tests/fake/xenstore.h"

unsigned int fake_control_kicks;

static bool locked;

int control_add(struct control_member *member)
{
    member->id = FAKE_CONTROL_ID;
    return 0;
}

void control_remove(struct control_member *member)
{
    control_release(member, fake_store_handle());
}

void control_wait_removed(unsigned int ms)
{
    (void)ms;
}

void control_kick(void)
{
    fake_control_kicks++;
}

void control_lock(void)
{
    if (locked) {
        abort();
    }
    locked = true;
}

void control_unlock(void)
{
    if (!locked) {
        abort();
    }
    locked = false;
}
