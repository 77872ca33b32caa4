/* SPDX-License-Identifier: GPL-2.0-only */
/* Dom0's view of the PCI configuration space. */
#ifndef HVM_VPCI_H
#define HVM_VPCI_H

#include "hvm/hvm.h"

/* Gives 'd' (dom0) the host's PCI functions: 0 or -ENOMEM. */
int vpci_create(struct domain *d);
/* Ports 0xcf8-0xcff; '*value' is in or out. */
void vpci_port(struct vcpu *v, uint16_t port, unsigned int size, bool in,
               uint32_t *value);

#endif
