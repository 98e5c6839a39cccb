/* SPDX-License-Identifier: MIT */
/* Who listens to the probes. */

#include "base/probe.h"

il__probe_fn *il__probe_listener;
