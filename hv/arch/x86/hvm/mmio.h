/* SPDX-License-Identifier: GPL-2.0-only */
/* Emulated device memory. */
#ifndef HVM_MMIO_H
#define HVM_MMIO_H

#include "hvm/hvm.h"

/* One kind of device; 'size' is 1, 2, 4 or 8, inside one page. */
struct mmio_device {
    bool (*covers)(struct vcpu *v, uint64_t gpa);
    uint64_t (*read)(struct vcpu *v, uint64_t gpa, unsigned int size);
    void (*write)(struct vcpu *v, uint64_t gpa, unsigned int size,
                  uint64_t value);
};

/* The device at 'gpa', or NULL. */
const struct mmio_device *mmio_find(struct vcpu *v, uint64_t gpa);
/*
 * Executes the instruction at rip on the device at 'gpa' (NULL: nothing
 * there, reads give ones).  A fault on the way is injected; an instruction
 * that we do not know crashes the domain.
 */
void mmio_emulate(struct vcpu *v, const struct mmio_device *device,
                  uint64_t gpa, bool is_write);

extern const struct mmio_device vioapic_device, vpci_table_device,
                                vpci_ecam_device;

#endif
