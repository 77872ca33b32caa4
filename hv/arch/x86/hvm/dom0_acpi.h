/* SPDX-License-Identifier: GPL-2.0-only */
/* The ACPI tables that dom0 sees. */
#ifndef HVM_DOM0_ACPI_H
#define HVM_DOM0_ACPI_H

#include <stddef.h>
#include <stdint.h>

/* An upper bound in bytes of what dom0_acpi_build() writes. */
size_t dom0_acpi_size(unsigned int vcpus);
/*
 * Writes the RSDP, an XSDT, an MADT for 'vcpus' and copies of the host's
 * other tables, less those that dom0 must not see, to 'to', which dom0 knows
 * as 'address'; dom0's address of the RSDP.
 */
uint64_t dom0_acpi_build(void *to, uint64_t address, unsigned int vcpus);

#endif
