/* SPDX-License-Identifier: GPL-2.0-only */
/* Vifs without journals: what vif_journal.c does when it can keep none. */
#ifndef TESTS_FAKE_VIF_JOURNAL_H
#define TESTS_FAKE_VIF_JOURNAL_H

#include <stdbool.h>

extern bool fake_vif_journal_busy;      /* another process serves the vif */

#endif
