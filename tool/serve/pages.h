/* SPDX-License-Identifier: MIT */
#ifndef TOOL_SERVE_PAGES_H
#define TOOL_SERVE_PAGES_H

/*
 * A site for those who walk sites: N pages of HTML, / and /page/1 to /page/N-1, made when they are
 * asked for and the same each time. A page has links to up to 8 below it (so that all can be
 * found), to the one above, to its neighbours and to some anywhere: there are circles everywhere.
 * Not all is well:
 *
 *     /old/K       of a page in 10: 301 to a page
 *     /missing/K   of a page in 25: 404
 *     /error/K     of a page in 200: 500
 *     /private/K   of a page in 50: robots.txt asks not to go there; leads to /private/K/deeper
 *     /loop/a      of one page: to /loop/b, and that back again
 *
 * /site.json has how many there are of each.
 */

#include "serve/site.h"

/* False: no such path. */
bool route_pages(const struct site *site, const struct question *question, struct answer *answer);

#endif
