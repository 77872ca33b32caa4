/* SPDX-License-Identifier: GPL-2.0-only */
/* A 16550 at COM1 as the console. */
#ifndef X86_UART_H
#define X86_UART_H

#include <stdbool.h>
#include <stdint.h>

/* 8n1 at baud; before it nothing is printed. */
void uart_init(uint32_t baud);
bool uart_is_used(void);
/* Takes input by interrupt from here on; after ioapic_init(). */
void uart_start_input(void);

#endif
