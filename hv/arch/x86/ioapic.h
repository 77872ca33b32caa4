/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's IO-APICs: pins by global system interrupt (GSI). */
#ifndef X86_IOAPIC_H
#define X86_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

/* Maps the IO-APICs of acpi_facts and masks every pin.  After acpi_init(). */
void ioapic_init(void);
unsigned int ioapic_gsi_count(void);
/* Pins of the 'apic'th of acpi_facts. */
unsigned int ioapic_pins(unsigned int apic);
/* The APIC with 'gsi' and the pin on it; -EINVAL. */
int ioapic_pin(uint32_t gsi, unsigned int *pin);
/* Routes 'gsi' to 'vector' of the CPU with 'apic_id'; masked. 0, -EINVAL. */
int ioapic_route(uint32_t gsi, uint8_t vector, uint32_t apic_id, bool level,
                 bool active_low);
void ioapic_mask(uint32_t gsi, bool masked);

#endif
