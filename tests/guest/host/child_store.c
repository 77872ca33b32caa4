/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The xenstored of a child for which there is nothing in the store: whatever
 * it asks, the answer is ENOENT.  pvgrub asks for its disks before its menu.
 */
#include "host/child.h"

#include <xen/io/xs_wire.h>

#define MASK(i) ((i) & (XENSTORE_RING_SIZE - 1))

static const char answer[] = "ENOENT";

static void put(struct xenstore_domain_interface *s, const void *data,
                uint32_t size)
{
    uint32_t prod = s->rsp_prod;

    for (uint32_t i = 0; i < size; i++) {
        s->rsp[MASK(prod++)] = ((const char *)data)[i];
    }
    barrier();
    WRITE_ONCE(s->rsp_prod, prod);
}

void child_answer_store(struct xenstore_domain_interface *s)
{
    uint32_t cons = s->req_cons, prod = READ_ONCE(s->req_prod);
    struct xsd_sockmsg m;

    barrier();
    if (prod - cons < sizeof(m) || prod - cons > XENSTORE_RING_SIZE
        || s->rsp_prod != READ_ONCE(s->rsp_cons)) {
        return;
    }
    for (uint32_t i = 0; i < sizeof(m); i++) {
        ((char *)&m)[i] = s->req[MASK(cons + i)];
    }
    if (prod - cons - sizeof(m) < m.len) {
        return;
    }
    barrier();
    WRITE_ONCE(s->req_cons, cons + (uint32_t)sizeof(m) + m.len);
    m.type = XS_ERROR;
    m.len = sizeof(answer);
    put(s, &m, sizeof(m));
    put(s, answer, sizeof(answer));
}
