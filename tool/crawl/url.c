/* SPDX-License-Identifier: MIT */
/*
 * URLs in one spelling. What people write in pages is made fit for libcurl first, as browsers do it:
 * white space around it and line ends in it go, \ in a path is /, and octets that no URL has are
 * encoded; then libcurl resolves; then what it leaves as it was is brought to one spelling.
 */

#include "crawl/url.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "crawl/percent.h"

static void put_encoded(struct text *out, unsigned char c)
{
    char encoded[3];

    percent_encode(encoded, c);
    text_add(out, encoded, sizeof encoded);
}

/* The length of "scheme" in "scheme:...", or 0. */
static size_t scheme_of(const char *text)
{
    size_t size = 0;

    if (!isalpha((unsigned char)*text)) return 0;
    while (isalnum((unsigned char)text[size]) || (text[size] && strchr("+-.", text[size]))) size++;
    return text[size] == ':' ? size : 0;
}

static bool is_web(const char *text, size_t scheme)
{
    return (scheme == 4 && !strncasecmp(text, "http", 4)) ||
           (scheme == 5 && !strncasecmp(text, "https", 5));
}

/* Where the host begins and ends in a reference that has one, so that it is left alone: libcurl makes
 * ASCII of it. */
static size_t end_of_host(const char *text, size_t scheme)
{
    size_t at = scheme ? scheme + 1 : 0;

    if (strncmp(text + at, "//", 2) != 0) return 0;
    return at + 2 + strcspn(text + at + 2, "/?#\\");
}

/* White space and control characters around it, and line ends and tabs within, are not part of it. */
static void strip(struct text *out, const char *text)
{
    while (*text && (unsigned char)*text <= ' ') text++;
    size_t size = strlen(text);
    while (size && (unsigned char)text[size - 1] <= ' ') size--;
    for (const char *end = text + size; text < end;) {
        size_t run = strcspn(text, "\t\n\r");
        if (run > (size_t)(end - text)) run = (size_t)(end - text);
        text_add(out, text, run);
        text += run < (size_t)(end - text) ? run + 1 : run;
    }
    text_add(out, "", 0);
}

/* Octets as a URL has them. In the query \ is not /. */
static void spell(struct text *out, const char *text, bool path)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        int octet = percent_decode(text);
        if (octet >= 0) {
            if (percent_is_unreserved((unsigned char)octet))
                text_add(out, &(char){ (char)octet }, 1);
            else put_encoded(out, (unsigned char)octet);
            text += 2;
        } else if (c == '\\' && path) {
            text_add(out, "/", 1);
        } else if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c)) {
            put_encoded(out, c);
        } else if (c == '%') {
            text_add(out, "%25", 3);
        } else {
            if (c == '?') path = false;
            text_add(out, text, 1);
        }
    }
}

static void decode(struct text *out, const char *text)
{
    for (; *text; text++) {
        int octet = percent_decode(text);
        if (octet > 0) text += 2;
        text_add(out, octet > 0 ? &(char){ (char)octet } : text, 1);
    }
}

/* ---- Resolving ---- */

/* libcurl's words for a URL, with the host in small letters and what is encoded in capitals. */
static bool write_url(CURLU *url, struct text *out)
{
    char *words = NULL;
    size_t start = out->size;

    if (curl_url_get(url, CURLUPART_URL, &words, CURLU_NO_DEFAULT_PORT | CURLU_PUNYCODE))
        return false;
    text_put(out, words);
    curl_free(words);
    if (out->broken || out->size - start > URL_MOST) {
        out->size = start;
        return false;
    }
    char *host = strchr(out->data + start, ':') + 3;
    char *end = host + strcspn(host, "/?");
    char *at = memchr(host, '@', (size_t)(end - host));
    for (host = at ? at : host; host < end; host++) *host = (char)tolower((unsigned char)*host);
    for (char *c = end; (c = strchr(c, '%')); c++) {
        if (percent_decode(c) < 0) continue;
        percent_encode(c, (unsigned char)percent_decode(c));
    }
    text_add(out, "", 1);
    return true;
}

/* The base has changed. */
static int note_base(struct resolver *resolver)
{
    struct text text = { 0 };

    free(resolver->text);
    resolver->text = NULL;
    if (!write_url(resolver->base, &text)) return text.broken ? -ENOMEM : -EINVAL;
    text.data[strcspn(text.data, "?#")] = 0;
    resolver->text = text.data;
    resolver->origin = url_origin(text.data);
    resolver->folder = (size_t)(strrchr(text.data, '/') + 1 - text.data);
    return 0;
}

int resolver_open(struct resolver *resolver, const char *base)
{
    *resolver = (struct resolver){ .base = curl_url() };
    if (!resolver->base) return -ENOMEM;
    int status = curl_url_set(resolver->base, CURLUPART_URL, base, 0) ? -EINVAL : 0;
    if (!status) status = note_base(resolver);
    if (status) resolver_close(resolver);
    return status;
}

void resolver_close(struct resolver *resolver)
{
    curl_url_cleanup(resolver->base);
    free(resolver->text);
    *resolver = (struct resolver){ 0 };
}

/* Nearly all links of a site are plain paths, /like/this or like-this, and what they mean can be seen
 * without libcurl, which takes a page's time for a page's links. Plain: nothing to encode, to
 * decode or to take out, and no scheme or host. */
static bool resolve_plain(const struct resolver *resolver, const char *reference, struct text *out)
{
    const char *c = reference;
    bool starts = true; /* a segment */

    if (!resolver->text || !*c || (c[0] == '/' && c[1] == '/')) return false;
    for (; *c; c++) {
        if (!(isalnum((unsigned char)*c) || *c == '/' || *c == '-' || *c == '_' || *c == '~' ||
              (*c == '.' && !starts)))
            return false;
        starts = *c == '/';
    }
    size_t base = *reference == '/' ? resolver->origin : resolver->folder;
    size_t size = (size_t)(c - reference);
    if (base + size > URL_MOST) return false;
    text_add(out, resolver->text, base);
    text_add(out, reference, size + 1);
    return !out->broken;
}

/* Against the base: the reference up to its query, then the query, which libcurl does not always keep
 * apart from dot segments. An empty query is none. */
static bool set_parts(CURLU *url, struct text *fit)
{
    char *query = strchr(fit->data, '?');

    if (query) *query++ = 0;
    if (*fit->data && curl_url_set(url, CURLUPART_URL, fit->data, 0)) return false;
    if (query && curl_url_set(url, CURLUPART_QUERY, *query ? query : NULL, 0)) return false;
    return !curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
}

/* A reference without its fragment, made fit for libcurl. */
static enum url_kind resolve(const struct resolver *resolver, char *reference, struct text *out)
{
    size_t scheme = scheme_of(reference);
    struct text fit = { 0 };

    if (scheme && !is_web(reference, scheme)) return URL_OTHER;
    if (strlen(reference) > URL_MOST) return URL_MALFORMED;
    for (char *c = reference; *c && *c != '?'; c++)
        if (*c == '\\') *c = '/';
    size_t host = end_of_host(reference, scheme);
    text_add(&fit, reference, host);
    spell(&fit, reference + host, true);
    CURLU *url = resolver->base ? curl_url_dup(resolver->base) : curl_url();
    bool whole = url && fit.data && !fit.broken && set_parts(url, &fit) && write_url(url, out);
    curl_url_cleanup(url);
    text_free(&fit);
    return whole ? URL_WEB : URL_MALFORMED;
}

enum url_kind resolver_resolve(const struct resolver *resolver, const char *reference,
                               struct text *out)
{
    struct text clean = { 0 };
    enum url_kind kind = URL_MALFORMED;

    strip(&clean, reference);
    if (clean.data && !clean.broken) {
        char *fragment = clean.data + strcspn(clean.data, "#");
        if (*fragment) *fragment++ = 0;
        kind =
            resolve_plain(resolver, clean.data, out) ? URL_WEB : resolve(resolver, clean.data, out);
        if (kind == URL_WEB) {
            decode(out, fragment);
            text_add(out, "", 1);
        }
    }
    text_free(&clean);
    return kind;
}

void resolver_base(struct resolver *resolver, const char *href)
{
    struct text url = { 0 };

    if (resolver_resolve(resolver, href, &url) == URL_WEB && !url.broken &&
        !curl_url_set(resolver->base, CURLUPART_URL, url.data, 0))
        note_base(resolver); /* without memory the plain way is closed, the other is not */
    text_free(&url);
}

char *url_typed(const char *typed)
{
    struct text whole = { 0 }, url = { 0 };
    char *found = NULL;

    while (isspace((unsigned char)*typed)) typed++;
    if (*typed && !strstr(typed, "://")) text_put(&whole, "http://");
    text_put(&whole, typed);
    if (*typed && !whole.broken &&
        resolver_resolve(&(struct resolver){ 0 }, whole.data, &url) == URL_WEB && !url.broken)
        found = strdup(url.data);
    text_free(&whole);
    text_free(&url);
    return found;
}

size_t url_origin(const char *url)
{
    const char *host = strstr(url, "://");
    if (!host) return strlen(url);
    return (size_t)(host - url) + 3 + strcspn(host + 3, "/?");
}

void url_host(const char *url, const char **out_host, size_t *out_size)
{
    const char *host = strstr(url, "://"), *end = url + url_origin(url);

    host = host ? host + 3 : url;
    const char *at = memchr(host, '@', (size_t)(end - host));
    if (at) host = at + 1;
    *out_host = host;
    *out_size = (size_t)(end - host);
}
