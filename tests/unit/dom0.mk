# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of tools/libdom0 and the commands in tools/.
