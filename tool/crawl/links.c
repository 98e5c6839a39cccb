/* SPDX-License-Identifier: MIT */
/*
 * Links of a page. libxml2 tells of each element as it meets it (SAX: no tree is made); references
 * are kept as they are written, each once, and resolved at the end, since <base> counts for all of
 * them wherever it stands.
 */

#include "crawl/links.h"

#include <ctype.h>
#include <errno.h>
#include <libxml/HTMLparser.h>
#include <libxml/parser.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "crawl/url.h"

enum { SEEN_LEAST = 64, WRITTEN_MOST = 200 };

struct page {
    struct text raw; /* records: letter, reference, 0 */
    uint32_t *seen;  /* places in raw plus 1; 0: free; open addressing */
    size_t mask, count;
    struct resolver resolver;
    bool based;    /* there was a <base href> */
    bool nofollow; /* meta robots: of all links */
    bool anchors;
    bool failed; /* no memory */
};

/* ---- Each once ---- */

static size_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return (size_t)(hash ^ hash >> 29);
}

static bool grow(struct page *page)
{
    size_t slots = page->seen ? 2 * (page->mask + 1) : SEEN_LEAST;
    uint32_t *seen = calloc(slots, sizeof *seen);

    if (!seen) return false;
    for (size_t i = 0; page->seen && i <= page->mask; i++) {
        if (!page->seen[i]) continue;
        size_t at = hash_of(page->raw.data + page->seen[i] - 1) & (slots - 1);
        while (seen[at]) at = (at + 1) & (slots - 1);
        seen[at] = page->seen[i];
    }
    free(page->seen);
    page->seen = seen;
    page->mask = slots - 1;
    return true;
}

/* The record is written first and taken back if it is there already. */
static void keep(struct page *page, char letter, const char *reference, size_t size)
{
    size_t start = page->raw.size;

    if (start + size > UINT32_MAX - 8) return; /* four gigabytes of links are enough */
    if ((!page->seen || 2 * page->count > page->mask) && !grow(page)) page->failed = true;
    text_add(&page->raw, &letter, 1);
    text_add(&page->raw, reference, size);
    text_add(&page->raw, "", 1);
    if (page->raw.broken) page->failed = true;
    if (page->failed) return;
    const char *record = page->raw.data + start;
    size_t at = hash_of(record) & page->mask;
    for (; page->seen[at]; at = (at + 1) & page->mask) {
        if (strcmp(page->raw.data + page->seen[at] - 1, record) != 0) continue;
        page->raw.size = start;
        return;
    }
    page->seen[at] = (uint32_t)start + 1;
    page->count++;
}

static void keep_all(struct page *page, char letter, const char *reference)
{
    keep(page, letter, reference, strlen(reference));
}

/* ---- Attributes ---- */

static const char *attribute(const xmlChar **attributes, const char *name)
{
    for (; attributes && *attributes; attributes += 2)
        if (!strcasecmp((const char *)*attributes, name)) return (const char *)attributes[1];
    return NULL;
}

/* Is `word` one of the words in `text`, which spaces or commas separate? */
static bool has_word(const char *text, const char *word)
{
    size_t size = strlen(word);

    while (text && *text) {
        text += strspn(text, " \t\n\r\f,;");
        size_t length = strcspn(text, " \t\n\r\f,;");
        if (length == size && !strncasecmp(text, word, size)) return true;
        text += length;
    }
    return false;
}

/* srcset: URLs, each perhaps with a width or density, between commas. A URL may have commas itself,
 * but not at its end. */
static void keep_srcset(struct page *page, const char *text)
{
    while (*(text += strspn(text, " \t\n\r\f,"))) {
        size_t size = strcspn(text, " \t\n\r\f"), length = size;
        while (length && text[length - 1] == ',') length--;
        keep(page, LINK_RESOURCE, text, length);
        if (length < size) {
            text += size;
            continue;
        }
        text += size;
        for (int depth = 0; *text && (depth || *text != ','); text++)
            depth += *text == '(' ? 1 : *text == ')' && depth ? -1 : 0;
    }
}

/* <meta http-equiv=refresh content="5; url='next.html'"> */
static void keep_refresh(struct page *page, const char *content)
{
    const char *at = content + strcspn(content, ";,");

    if (!*at) return;
    at += 1 + strspn(at + 1, " \t\n\r\f");
    if (!strncasecmp(at, "url", 3)) {
        const char *equals = at + 3 + strspn(at + 3, " \t\n\r\f");
        if (*equals == '=') at = equals + 1 + strspn(equals + 1, " \t\n\r\f");
    }
    char end[2] = { *at == '"' || *at == '\'' ? *at : 0, 0 };
    if (*end) at++;
    size_t size = *end ? strcspn(at, end) : strlen(at);
    if (size) keep(page, LINK_PAGE, at, size);
}

static void take_meta(struct page *page, const xmlChar **attributes)
{
    const char *content = attribute(attributes, "content");
    const char *equiv = attribute(attributes, "http-equiv");
    const char *name = attribute(attributes, "name");

    if (!content) return;
    if (equiv && !strcasecmp(equiv, "refresh")) keep_refresh(page, content);
    if (name && !strcasecmp(name, "robots") &&
        (has_word(content, "nofollow") || has_word(content, "none")))
        page->nofollow = true;
}

static void take_link(struct page *page, const xmlChar **attributes)
{
    static const char *const hints[] = { "preconnect", "dns-prefetch", "pingback", "profile" };
    static const char *const pages[] = { "next",  "prev",     "canonical", "alternate",
                                         "help",  "author",   "license",   "search",
                                         "index", "contents", "start" };
    const char *href = attribute(attributes, "href"), *rel = attribute(attributes, "rel");
    const char *type = attribute(attributes, "type");
    char letter = LINK_RESOURCE;

    if (!href) return;
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (has_word(rel, hints[i])) return;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (has_word(rel, pages[i])) letter = LINK_PAGE;
    if (has_word(rel, "stylesheet") || (type && !strstr(type, "html"))) letter = LINK_RESOURCE;
    keep_all(page, letter, href);
}

/* Elements that refer to something by an attribute. */
static const struct rule {
    const char *element, *attribute;
    char letter;
} rules[] = {
    { "a", "href", LINK_PAGE },           { "area", "href", LINK_PAGE },
    { "audio", "src", LINK_RESOURCE },    { "body", "background", LINK_RESOURCE },
    { "embed", "src", LINK_RESOURCE },    { "frame", "src", LINK_PAGE },
    { "iframe", "src", LINK_PAGE },       { "img", "src", LINK_RESOURCE },
    { "input", "src", LINK_RESOURCE },    { "object", "data", LINK_RESOURCE },
    { "script", "src", LINK_RESOURCE },   { "source", "src", LINK_RESOURCE },
    { "track", "src", LINK_RESOURCE },    { "video", "src", LINK_RESOURCE },
    { "video", "poster", LINK_RESOURCE },
};

static void take_rules(struct page *page, const char *name, const xmlChar **attributes)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (strcasecmp(name, rules[i].element) != 0) continue;
        const char *value = attribute(attributes, rules[i].attribute);
        if (!value) continue;
        bool no =
            rules[i].letter == LINK_PAGE && has_word(attribute(attributes, "rel"), "nofollow");
        keep_all(page, no ? LINK_NOFOLLOW : rules[i].letter, value);
    }
}

static void take_anchors(struct page *page, const char *name, const xmlChar **attributes)
{
    const char *id = attribute(attributes, "id");
    const char *old = strcasecmp(name, "a") ? NULL : attribute(attributes, "name");

    if (id && *id) keep_all(page, LINK_ANCHOR, id);
    if (old && *old) keep_all(page, LINK_ANCHOR, old);
}

static void start_element(void *context, const xmlChar *element, const xmlChar **attributes)
{
    struct page *page = ((htmlParserCtxtPtr)context)->_private;
    const char *name = (const char *)element, *value;

    if (!attributes) return;
    if (!strcasecmp(name, "meta")) {
        take_meta(page, attributes);
    } else if (!strcasecmp(name, "link")) {
        take_link(page, attributes);
    } else if (!strcasecmp(name, "base")) {
        value = attribute(attributes, "href");
        if (value && !page->based) resolver_base(&page->resolver, value);
        if (value) page->based = true;
    } else {
        take_rules(page, name, attributes);
    }
    if ((!strcasecmp(name, "img") || !strcasecmp(name, "source")) &&
        (value = attribute(attributes, "srcset")))
        keep_srcset(page, value);
    if (page->anchors) take_anchors(page, name, attributes);
}

/* ---- Reading ---- */

static void put_record(struct text *out, char letter, const char *url, size_t size)
{
    text_add(out, &letter, 1);
    text_add(out, url, size);
    text_add(out, "\0", 2); /* no fragment */
}

static void resolve_one(const struct page *page, char letter, const char *reference,
                        struct text *out)
{
    size_t start = out->size, size = strlen(reference);

    if (letter == LINK_ANCHOR) {
        put_record(out, letter, reference, size);
        return;
    }
    if (letter == LINK_PAGE && page->nofollow) letter = LINK_NOFOLLOW;
    text_add(out, &letter, 1);
    enum url_kind kind = resolver_resolve(&page->resolver, reference, out);
    if (kind == URL_WEB || out->broken) return;
    out->size = start;
    if (kind == URL_MALFORMED)
        put_record(out, LINK_MALFORMED, reference, size < WRITTEN_MOST ? size : WRITTEN_MOST);
}

/* libxml2 would print what it thinks of a page. */
static void ignore(void *context, xmlErrorPtr error)
{
    (void)context;
    (void)error;
}

/* Not in pieces (htmlParseChunk): so it would end at </html>, and pages do not. */
static void parse(struct page *page, const char *html, size_t size, const char *charset)
{
    const int options = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                        HTML_PARSE_NONET | HTML_PARSE_COMPACT;
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, xmlInitParser); /* libxml2 left to itself would race for that */
    htmlParserCtxtPtr context = htmlNewParserCtxt();
    if (!context) {
        page->failed = true;
        return;
    }
    xmlSetStructuredErrorFunc(NULL, ignore); /* of this thread */
    *context->sax = (htmlSAXHandler){ .startElement = start_element };
    context->_private = page;
    if (charset && !*charset) charset = NULL;
    xmlFreeDoc(htmlCtxtReadMemory(context, html, (int)size, NULL, charset, options));
    htmlFreeParserCtxt(context);
}

int links_read(const char *html, size_t size, const char *url, const char *charset, bool anchors,
               struct text *out)
{
    struct page page = { .anchors = anchors };
    int status = resolver_open(&page.resolver, url);

    if (status) return status == -ENOMEM ? status : 0;
    if (size > INT32_MAX) size = INT32_MAX;
    if (size) parse(&page, html, size, charset);
    for (size_t at = 0; at < page.raw.size && !page.failed;) {
        const char *record = page.raw.data + at;
        resolve_one(&page, *record, record + 1, out);
        at += strlen(record) + 1;
    }
    if (page.failed || out->broken) status = -ENOMEM;
    resolver_close(&page.resolver);
    text_free(&page.raw);
    free(page.seen);
    return status;
}

/* ---- Records ---- */

static const char *next_string(const char *bytes, size_t size, size_t *at)
{
    const char *string = bytes + *at;
    const char *end = *at < size ? memchr(string, 0, size - *at) : NULL;

    if (!end) return NULL;
    *at = (size_t)(end - bytes) + 1;
    return string;
}

bool links_next(const char *bytes, size_t size, size_t *at, struct link_record *out)
{
    if (*at >= size) return false;
    char letter = bytes[*at];
    size_t next = *at + 1;
    const char *url = next_string(bytes, size, &next);
    const char *fragment = url ? next_string(bytes, size, &next) : NULL;
    if (!fragment) return false;
    *out = (struct link_record){ letter, url, fragment };
    *at = next;
    return true;
}

void links_charset(const char *type, char *out, size_t size)
{
    const char *at = strcasestr(type, "charset=");

    *out = 0;
    if (!at) return;
    at += strlen("charset=");
    if (*at == '"' || *at == '\'') at++;
    size_t length = strcspn(at, "\"'; \t");
    if (length >= size) return;
    memcpy(out, at, length);
    out[length] = 0;
}
