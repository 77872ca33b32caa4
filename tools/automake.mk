# SPDX-License-Identifier: GPL-2.0-only
include tools/libdom0/automake.mk
include tools/bench/core/automake.mk
include tools/bench/native.d/automake.mk
include tools/bench/pv.d/automake.mk
