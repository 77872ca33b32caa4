/* SPDX-License-Identifier: GPL-2.0-only */
/* Dom0's IO-APICs: the host's pins, one for one. */
#ifndef HVM_VIOAPIC_H
#define HVM_VIOAPIC_H

#include "hvm/hvm.h"

/* Gives 'd' (dom0) a virtual one for each host IO-APIC: 0 or -ENOMEM. */
int vioapic_create(struct domain *d);
/* The guest ended a level-triggered 'vector'. */
void vioapic_eoi(struct domain *d, unsigned int vector);

#endif
