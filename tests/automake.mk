# SPDX-License-Identifier: GPL-2.0-only
# Unit tests, fuzzers and lint: `make check`.  Each component has a fragment
# in tests/unit/; a unit test is a check_PROGRAM that is also named in
# unit_tests.

# For host objects of tests: sanitizers when asked for, and the tree's root
# as include path, so that "netback/ring.h" says the layer.
UNIT_CPPFLAGS = -I$(top_srcdir) -I$(top_srcdir)/tests/unit
UNIT_CFLAGS = $(WARN_CFLAGS) $(SAN_CFLAGS) $(CHECK_CFLAGS)
UNIT_LDADD = $(CHECK_LIBS)

unit_tests =
fuzz_tests =
lint_tests = tests/lint/layers

include tests/unit/hv.mk
include tests/unit/core.mk
include tests/unit/netback.mk
include tests/unit/dom0.mk
include tests/unit/bridge.mk
include tests/unit/hvm.mk

include tests/guest/automake.mk
include tests/sys/automake.mk

if HAVE_CHECK
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif
check_PROGRAMS += $(fuzz_tests)
TESTS += $(fuzz_tests) $(lint_tests)
EXTRA_DIST += $(lint_tests) tests/run-unit tests/sys/guest-tests

# Tests may need the source tree (lint) and a bound (fuzzers).
AM_TESTS_ENVIRONMENT = top_srcdir='$(top_srcdir)'; export top_srcdir;
