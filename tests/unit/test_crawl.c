/* SPDX-License-Identifier: MIT */
/* Claims about the parts of `interlock crawl`: the pace of a host, robots.txt, URLs, the links of a
 * page, and what it keeps of them. They live in the tool and are linked in. */

#include "check.h"

#include <inttypes.h>

#include "crawl/frontier.h"
#include "crawl/links.h"
#include "crawl/pace.h"
#include "crawl/robots.h"
#include "crawl/spool.h"
#include "crawl/url.h"

/* ---- The pace of a host ---- */

/* A server that allows so many requests in a window that slides; and time that passes for it alone. */
struct server {
    int64_t window, retry_after;
    unsigned allowed;
    int64_t latency;
    il_time now, served[64]; /* the last that were let through, in a circle */
    uint64_t count, limited;
};

static bool server_allows(struct server *server)
{
    il_time oldest = server->count < server->allowed
                         ? 0
                         : server->served[(server->count - server->allowed) % 64];
    if (oldest && server->now - oldest < server->window) {
        server->limited++;
        return false;
    }
    server->served[server->count++ % 64] = server->now;
    return true;
}

/* Ask it until `wanted` answers were good, one request under way at a time; what it took. */
static int64_t ask(struct pace *pace, struct server *server, uint64_t wanted)
{
    il_time begin = server->now;

    for (uint64_t good = 0; good < wanted && !pace->given_up;) {
        il_time when = pace_when(pace);
        if (when > server->now) server->now = when;
        il_time started = server->now;
        pace_start(pace, started);
        bool allowed = server_allows(server);
        server->now += server->latency;
        if (allowed) pace_good(pace, started);
        else pace_limited(pace, started, server->now, server->retry_after);
        good += allowed;
    }
    return server->now - begin;
}

static void a_free_host_is_asked_by_one_more_after_each_good_answer(void **state)
{
    struct pace pace;
    pace_init(&pace, 3);
    assert_true(pace_when(&pace) <= 1000);
    pace_start(&pace, 1000);
    assert_true(pace_when(&pace) == IL_FOREVER);
    pace_good(&pace, 1000);
    pace_start(&pace, 1001);
    assert_true(pace_when(&pace) <= 1001);
    pace_start(&pace, 1001);
    assert_true(pace_when(&pace) == IL_FOREVER);
    pace_good(&pace, 1001);
    pace_good(&pace, 1001);
    for (int i = 0; i < 3; i++) pace_start(&pace, 1002);
    assert_true(pace_when(&pace) == IL_FOREVER); /* three are the limit */
}

static void nothing_starts_before_the_time_that_was_asked_for(void **state)
{
    struct pace pace;
    pace_init(&pace, 3);
    pace_start(&pace, IL_SEC(10));
    pace_limited(&pace, IL_SEC(10), IL_SEC(11), IL_SEC(7));
    assert_true(pace_when(&pace) == IL_SEC(18));
}

static void without_a_time_the_pause_doubles(void **state)
{
    struct pace pace;
    il_time now = IL_SEC(10);
    pace_init(&pace, 1);
    for (int i = 1; i <= 3; i++) {
        pace_start(&pace, now);
        pace_limited(&pace, now, now, -1);
        assert_true(pace_when(&pace) == now + (IL_SEC(1) << i));
        now = pace_when(&pace);
    }
}

static void a_burst_that_is_refused_says_so_once(void **state)
{
    struct pace pace;
    pace_init(&pace, 8);
    pace.width = 8;
    for (int i = 0; i < 8; i++) pace_start(&pace, IL_SEC(1));
    for (int i = 0; i < 5; i++) pace_good(&pace, IL_SEC(1));
    pace_limited(&pace, IL_SEC(1), IL_SEC(1), IL_SEC(1));
    int64_t gap = pace.gap;
    pace_limited(&pace, IL_SEC(1), IL_SEC(1), IL_SEC(1));
    pace_limited(&pace, IL_SEC(1), IL_SEC(1), IL_SEC(1));
    assert_true(pace.gap == gap);
    assert_int_equal(pace.under_way, 0);
    assert_true(gap > IL_MS(200) && gap < IL_MS(250)); /* five in a second, less a tenth */
}

static void a_rate_is_learnt_with_few_refusals_and_used(void **state)
{
    static const struct server servers[] = {
        { .window = IL_SEC(1), .allowed = 5, .retry_after = IL_SEC(1), .latency = IL_MS(2) },
        { .window = IL_SEC(1), .allowed = 5, .retry_after = -1, .latency = IL_MS(2) },
        { .window = IL_SEC(1), .allowed = 50, .retry_after = IL_SEC(1), .latency = IL_MS(1) },
        { .window = IL_SEC(10), .allowed = 20, .retry_after = IL_SEC(10), .latency = IL_MS(1) },
        { .window = IL_SEC(1), .allowed = 2, .retry_after = IL_SEC(30), .latency = IL_MS(1) },
    };
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        struct server server = servers[i];
        struct pace pace;
        server.now = IL_SEC(1000);
        pace_init(&pace, 8);
        int64_t took = ask(&pace, &server, 500);
        int64_t ideal = 500 * server.window / server.allowed;
        if (server.limited > 10) fail_msg("server %zu: %" PRIu64 " refusals", i, server.limited);
        if (took > 2 * ideal + IL_SEC(120)) fail_msg("server %zu: %" PRId64 " ns", i, took);
    }
}

static void a_host_that_only_refuses_is_given_up(void **state)
{
    struct server server = { .window = IL_SEC(1), .retry_after = IL_SEC(1), .now = IL_SEC(5) };
    struct pace pace;
    server.count = 1; /* .allowed 0: its last was served now, whenever that is */
    pace_init(&pace, 8);
    for (int i = 0; i < 5; i++) {
        assert_false(pace.given_up);
        pace_start(&pace, server.now);
        pace_limited(&pace, server.now, server.now, server.retry_after);
        server.now = pace_when(&pace);
    }
    assert_true(pace.given_up);
}

static void a_host_that_asks_for_an_hour_is_given_up(void **state)
{
    struct pace pace;
    pace_init(&pace, 8);
    pace_start(&pace, 1);
    pace_limited(&pace, 1, 1, IL_SEC(3600));
    assert_true(pace.given_up);
}

static void a_delay_that_is_asked_for_is_kept(void **state)
{
    struct pace pace;
    pace_init(&pace, 8);
    pace_delay(&pace, IL_SEC(2));
    pace_start(&pace, IL_SEC(10));
    assert_true(pace_when(&pace) == IL_FOREVER);
    pace_good(&pace, IL_SEC(10));
    assert_true(pace_when(&pace) == IL_SEC(12));
}

static void a_failure_halves_and_waits_a_little(void **state)
{
    struct pace pace;
    pace_init(&pace, 8);
    pace.width = 8;
    pace_start(&pace, IL_SEC(1));
    pace_failed(&pace, IL_SEC(1));
    assert_int_equal(pace.width, 4);
    assert_true(pace_when(&pace) == IL_SEC(1) + IL_MS(100));
}

/* ---- robots.txt ---- */

static bool allows(const char *text, const char *path)
{
    struct robots robots;
    if (robots_read(&robots, text, strlen(text), "interlock")) fail_msg("no memory");
    bool allowed = robots_allow(&robots, path);
    robots_free(&robots);
    return allowed;
}

static void no_rule_allows_everything(void **state)
{
    assert_true(allows("", "/"));
    assert_true(allows("<html>404</html>", "/x"));
    assert_true(allows("User-agent: *\nDisallow:\n", "/x"));
    assert_true(allows("Disallow: /\n", "/x")); /* of nobody */
}

static void the_longest_rule_decides_and_allow_between_equals(void **state)
{
    const char *text = "User-agent: *\nDisallow: /\nAllow: /a\nDisallow: /a/b\n"
                       "Allow: /same\nDisallow: /same\n";
    assert_false(allows(text, "/x"));
    assert_true(allows(text, "/a/c"));
    assert_false(allows(text, "/a/bc"));
    assert_true(allows(text, "/same"));
}

static void our_group_counts_and_not_that_of_all(void **state)
{
    const char *text =
        "User-agent: *\nDisallow: /\n\nUser-Agent: other\nuser-agent: InterLock/1.0\n"
        "Disallow: /ours\n\nUser-agent: interlocking\nDisallow: /theirs\n"
        "User-agent: interlock\nDisallow: /too\n";
    assert_true(allows(text, "/x"));
    assert_true(allows(text, "/theirs"));
    assert_false(allows(text, "/ours"));
    assert_false(allows(text, "/too")); /* groups of one name are one */
    assert_true(allows("User-agent: interlock\nAllow: /\nUser-agent: *\nDisallow: /\n", "/x"));
}

static void star_and_dollar_are_known(void **state)
{
    const char *text = "user-agent:*\ndisallow:/*.pdf$\ndisallow: /a*b*c\nDisallow: /q$x\n";
    assert_false(allows(text, "/x/y.pdf"));
    assert_true(allows(text, "/x/y.pdf?x"));
    assert_true(allows(text, "/y.pdfx"));
    assert_false(allows(text, "/x.pdf.pdf"));
    assert_false(allows(text, "/aXbXc"));
    assert_false(allows(text, "/abbc/d"));
    assert_true(allows(text, "/ab"));
    assert_true(allows(text, "/q"));
}

static void spelling_makes_no_difference(void **state)
{
    const char *text = "User-agent: *\nDisallow: /%7Ejoe/\nDisallow: /\xc3\xa9\nDisallow: /a%3cd\n"
                       "Disallow: /file%2A\n";
    assert_false(allows(text, "/~joe/x"));
    assert_false(allows(text, "/%C3%A9"));
    assert_false(allows(text, "/a%3Cd"));
    assert_false(allows(text, "/file*x"));
    assert_true(allows(text, "/filex"));
}

static void ends_of_line_comments_and_marks_are_no_harm(void **state)
{
    const char *text = "\xEF\xBB\xBFUser-agent: * # all\r\rSitemap: http://x/\rDisallow: /a # b\r\n"
                       "Disallow /c\nNonsense\n:\n disallow : /d \n";
    assert_false(allows(text, "/a"));
    assert_true(allows(text, "/c"));
    assert_false(allows(text, "/d"));
    assert_true(allows("User-agent: *\nDisallow: /", "/robots.txt"));
}

static void a_delay_is_read(void **state)
{
    static const struct {
        const char *text;
        int64_t delay;
    } cases[] = { { "1.5", IL_MS(1500) },  { "0", 0 }, { "-3", 0 }, { "x", 0 }, { "nan", 0 },
                  { "1e30", IL_SEC(3600) } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100];
        struct robots robots;
        snprintf(text, sizeof text, "User-agent: *\nCrawl-delay: %s\n", cases[i].text);
        assert_int_equal(robots_read(&robots, text, strlen(text), "interlock"), 0);
        assert_true(robots.delay == cases[i].delay);
        robots_free(&robots);
    }
}

static void what_cannot_be_had_forbids_all(void **state)
{
    struct robots robots = { .forbidden = true };
    assert_false(robots_allow(&robots, "/"));
}

/* ---- URLs ---- */

static enum url_kind resolve(const char *base, const char *reference, char *out, char *fragment)
{
    struct resolver resolver;
    struct text text = { 0 };
    if (resolver_open(&resolver, base)) fail_msg("not a base: %s", base);
    enum url_kind kind = resolver_resolve(&resolver, reference, &text);
    resolver_close(&resolver);
    *out = *fragment = 0;
    if (kind == URL_WEB) {
        strcpy(out, text.data);
        strcpy(fragment, text.data + strlen(text.data) + 1);
    }
    text_free(&text);
    return kind;
}

static void references_are_resolved_to_one_spelling(void **state)
{
    static const struct {
        const char *reference, *url, *fragment;
    } cases[] = {
        { "g", "http://a.example/b/c/g", "" },
        { "./g", "http://a.example/b/c/g", "" },
        { "/g", "http://a.example/g", "" },
        { "../../../g", "http://a.example/g", "" },
        { "g/./h/../i", "http://a.example/b/c/g/i", "" },
        { "//other.example", "http://other.example/", "" },
        { "//Other.Example:80/", "http://other.example/", "" },
        { "HTTPS://A.EXAMPLE:443", "https://a.example/", "" },
        { "http://a.example:8080/x", "http://a.example:8080/x", "" },
        { "?y", "http://a.example/b/c/d?y", "" },
        { "#s", "http://a.example/b/c/d?q", "s" },
        { "", "http://a.example/b/c/d?q", "" },
        { "g?y#s%20t", "http://a.example/b/c/g?y", "s t" },
        { "  \n/a\tb\n ", "http://a.example/ab", "" },
        { "/a b", "http://a.example/a%20b", "" },
        { "/%7ejoe/%c3%a9", "http://a.example/~joe/%C3%A9", "" },
        { "/\xc3\xa9?\xc3\xa9", "http://a.example/%C3%A9?%C3%A9", "" },
        { "/100%", "http://a.example/100%25", "" },
        { "\\x\\y", "http://a.example/x/y", "" },
        { "/a/%2e%2e/b", "http://a.example/b", "" },
        { "..?x", "http://a.example/b/?x", "" },
        { "/x/.", "http://a.example/x/", "" },
        { "x.html", "http://a.example/b/c/x.html", "" },
        { ".hidden", "http://a.example/b/c/.hidden", "" },
        { "a/.../b", "http://a.example/b/c/a/.../b", "" },
    };
    char url[3000], fragment[3000];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(resolve("http://a.example/b/c/d?q", cases[i].reference, url, fragment),
                         URL_WEB);
        assert_string_equal(url, cases[i].url);
        assert_string_equal(fragment, cases[i].fragment);
    }
}

static void a_plain_path_means_what_libcurl_says(void **state)
{
    /* ?x closes the plain way, and changes nothing else. */
    static const char letters[] = "ab/.-_~Z9";
    static const char *const bases[] = { "http://h.example/", "http://h.example/a/b",
                                         "https://h.example:81/a/b/?q=/x" };
    uint64_t seed = 5;
    for (int i = 0; i < 3000; i++) {
        char reference[40], twin[42], url[3000], expected[3000], fragment[3000];
        size_t size = 0, wanted = 1 + (size_t)i % 9;
        for (; size < wanted; size++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            reference[size] = letters[(seed >> 33) % (sizeof letters - 1)];
        }
        reference[size] = 0;
        snprintf(twin, sizeof twin, "%s?x", reference);
        enum url_kind kind = resolve(bases[i % 3], reference, url, fragment);
        assert_int_equal(resolve(bases[i % 3], twin, expected, fragment), kind);
        if (kind != URL_WEB) continue;
        assert_string_equal(expected + strlen(expected) - 2, "?x");
        expected[strlen(expected) - 2] = 0;
        assert_string_equal(url, expected);
    }
}

static void what_is_not_for_the_web_is_told_from_what_is_wrong(void **state)
{
    static const char *const others[] = { "mailto:a@b", "javascript:x()", "data:text/html,x",
                                          "tel:1", "ftp://x/y" };
    static const char *const wrong[] = { "http://", "http://[::1", "http://a b/", "//:80/",
                                         "http://x:99999/" };
    char url[3000], fragment[3000], huge[5000];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(resolve("http://h/", others[i], url, fragment), URL_OTHER);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(resolve("http://h/", wrong[i], url, fragment), URL_MALFORMED);
    memset(huge, 'a', sizeof huge);
    huge[sizeof huge - 1] = 0;
    assert_int_equal(resolve("http://h/", huge, url, fragment), URL_MALFORMED);
}

static void a_typed_url_needs_no_scheme(void **state)
{
    static const struct {
        const char *typed, *url;
    } cases[] = { { "example.com", "http://example.com/" },
                  { "localhost:8080/x#y", "http://localhost:8080/x" },
                  { "HTTPS://Example.com:443/a/../b", "https://example.com/b" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *url = url_typed(cases[i].typed);
        assert_non_null(url);
        assert_string_equal(url, cases[i].url);
        free(url);
    }
    assert_null(url_typed(""));
    assert_null(url_typed("ftp://x/"));
    assert_null(url_typed("http://"));
}

/* ---- Links of a page ---- */

/* What is on a page, a line a record: "P http://h/x #y". */
static char *links_of(const char *html, size_t size, const char *charset, bool anchors)
{
    struct text records = { 0 }, lines = { 0 };
    struct link_record record;
    size_t at = 0;
    if (links_read(html, size, "http://h/d/p", charset, anchors, &records)) fail_msg("no memory");
    while (links_next(records.data, records.size, &at, &record))
        text_print(&lines, "%c %s%s%s\n", record.letter, record.url, *record.fragment ? " #" : "",
                   record.fragment);
    if (at != records.size) fail_msg("records end in the middle");
    text_add(&lines, "", 0);
    text_free(&records);
    return lines.data;
}

static void assert_links(const char *html, const char *expected)
{
    char *found = links_of(html, strlen(html), NULL, false);
    assert_string_equal(found, expected);
    free(found);
}

static void every_element_that_refers_is_known(void **state)
{
    assert_links("<a href=a><area href=b><iframe src=c><frame src=d>"
                 "<img src=e><script src=f></script><video src=g poster=h><source src=i>"
                 "<link rel=stylesheet href=j><link rel=next href=k><embed src=l><object data=m>"
                 "<input src=n><track src=o><audio src=p><link rel=preconnect href=//x>",
                 "P http://h/d/a\nP http://h/d/b\nP http://h/d/c\nP http://h/d/d\n"
                 "R http://h/d/e\nR http://h/d/f\nR http://h/d/g\nR http://h/d/h\nR http://h/d/i\n"
                 "R http://h/d/j\nP http://h/d/k\nR http://h/d/l\nR http://h/d/m\nR http://h/d/n\n"
                 "R http://h/d/o\nR http://h/d/p\n");
}

static void base_counts_for_all_and_only_the_first(void **state)
{
    assert_links("<a href=a><base target=x><base href=/e/><base href=/no/><a href=b>",
                 "P http://h/e/a\nP http://h/e/b\n");
    assert_links("<base href='mailto:x'><a href=a>", "P http://h/d/a\n");
}

static void srcset_is_taken_apart(void **state)
{
    assert_links(
        "<img srcset='a.png, b.png 2x,c,d.png 10w , e,f.png,, g.png calc(1,2), h'>",
        "R http://h/d/a.png\nR http://h/d/b.png\nR http://h/d/c,d.png\nR http://h/d/e,f.png\n"
        "R http://h/d/g.png\nR http://h/d/h\n");
}

static void refresh_leads_on(void **state)
{
    assert_links("<meta http-equiv=Refresh content='5; URL=\"n x\"'>", "P http://h/d/n%20x\n");
    assert_links("<meta http-equiv=refresh content='0;url=/y'>", "P http://h/y\n");
    assert_links("<meta http-equiv=refresh content='30'>", "");
}

static void nofollow_is_told(void **state)
{
    assert_links("<a rel='x nofollow' href=a><a href=a><a href=b>",
                 "p http://h/d/a\nP http://h/d/a\nP http://h/d/b\n");
    assert_links("<meta name=robots content='noindex, nofollow'><a href=a><img src=b>",
                 "p http://h/d/a\nR http://h/d/b\n");
}

static void a_reference_is_told_once_and_malformed_ones_too(void **state)
{
    assert_links("<a href=a><a href=a><a href='http://[x'><a href=mailto:x><a href=a#b><a href=''>",
                 "P http://h/d/a\nM http://[x\nP http://h/d/a #b\nP http://h/d/p\n");
}

static void markup_of_any_kind_gives_what_there_is(void **state)
{
    assert_links("<A HREF = 'a'>x<p><a href=b><table><a href=\"c\"</table></div></div><a href=d",
                 "P http://h/d/a\nP http://h/d/b\nP http://h/d/c\nP http://h/d/d\n");
    assert_links("<!-- <a href=no> --><a href=a&amp;b?c=1&d=2><script>'<a href=no>'</script>",
                 "P http://h/d/a&b?c=1&d=2\n");
    assert_links("<html><body><a href=a></body></html><a href=b>",
                 "P http://h/d/a\nP http://h/d/b\n");
    assert_links("", "");
}

static void the_charset_of_the_server_and_of_the_page_count(void **state)
{
    const char *latin = "<a href='\xe9'>";
    char *found = links_of(latin, strlen(latin), "ISO-8859-1", false);
    assert_string_equal(found, "P http://h/d/%C3%A9\n");
    free(found);
    assert_links("<meta charset=iso-8859-1><a href='\xe9'>", "P http://h/d/%C3%A9\n");
    found = links_of("<a href='\xc3\xa9'>", 13, "nonsense-8", false);
    assert_non_null(strstr(found, "P http://h/d/"));
    free(found);

    char charset[16];
    links_charset("text/html; Charset=\"UTF-8\"; x=y", charset, sizeof charset);
    assert_string_equal(charset, "UTF-8");
    links_charset("text/html", charset, sizeof charset);
    assert_string_equal(charset, "");
}

static void anchors_are_told_when_asked_for(void **state)
{
    const char *html = "<h1 id=a>x</h1><a name='b c'>y</a><p id=''>";
    char *found = links_of(html, strlen(html), NULL, true);
    assert_string_equal(found, "A a\nA b c\n");
    free(found);
}

/* ---- Bytes at random ---- */

static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Pieces that parsers know, and bytes that nobody knows. */
static size_t scribble(uint64_t *random, char *out, size_t room, const char *const *pieces,
                       size_t count)
{
    size_t size = 0, wanted = draw(random) % room;
    while (size < wanted) {
        const char *piece = pieces[draw(random) % count];
        char byte[2] = { (char)draw(random), 0 };
        if (draw(random) % 4 == 0) piece = byte;
        size_t length = piece == byte ? 1 : strlen(piece);
        if (size + length > room) break;
        memcpy(out + size, piece, length);
        size += length;
    }
    return size;
}

static uint64_t fuzz_seed(void)
{
    const char *given = getenv("IL_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)il_now();
    printf("seed: IL_SEED=%" PRIu64 "\n", seed);
    return seed;
}

static void pages_at_random_do_no_harm(void **state)
{
    static const char *const pieces[] = {
        "<a href=",
        "<img srcset=\"",
        "<base href=",
        "<meta http-equiv=refresh content=\"0;url=",
        "<meta charset=utf-16>",
        "<meta charset=shift_jis>",
        "<link rel=",
        "<script>",
        "</script>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?xml encoding='x'?>",
        "\"",
        "'",
        ">",
        "<",
        "&amp;",
        "&#0;",
        "&#x10FFFF;",
        "http://",
        "//",
        "../",
        "%",
        "%00",
        "#",
        "?",
        " ",
        "\n",
        ",",
        "(",
        "</",
        "id=",
        "\xef\xbb\xbf",
        "\xfe\xff",
        "\xff\xfe",
        "xn--",
        "[::1]",
        ":99999",
        "@",
        "a",
        "/",
        "=",
    };
    static const char *const charsets[] = {
        NULL, "utf-8", "utf-16", "iso-8859-15", "x", "ebcdic-us"
    };
    static char html[3000];
    uint64_t random = fuzz_seed();
    for (int i = 0; i < 2000; i++) {
        struct text records = { 0 };
        struct link_record record;
        size_t at = 0,
               size = scribble(&random, html, sizeof html, pieces, sizeof pieces / sizeof *pieces);
        assert_int_equal(
            links_read(html, size, "http://h/d/p", charsets[draw(&random) % 6], i % 2, &records),
            0);
        while (links_next(records.data, records.size, &at, &record))
            if (record.letter == LINK_PAGE) {
                assert_true(!strncmp(record.url, "http", 4));
                assert_null(strpbrk(record.url, "#\" <>\n\\"));
                assert_true(strlen(record.url) <= URL_MOST);
            }
        assert_true(at == records.size);
        for (size_t cut = 0; cut < records.size && cut < 50; cut++) /* cut off anywhere */
            for (at = 0; links_next(records.data, cut, &at, &record);) assert_true(at <= cut);
        text_free(&records);
    }
}

static void robots_at_random_do_no_harm(void **state)
{
    static const char *const pieces[] = {
        "User-agent:", "Disallow:",   "Allow:", "Crawl-delay:", "*",   "$", "/", "interlock", "\n",
        "\r",          "#",           "%",      "%2",           "%41", ":", " ", "\t",        "a",
        "1e99",        "\xef\xbb\xbf"
    };
    static char text[2000];
    char path[200];
    uint64_t random = fuzz_seed();
    for (int i = 0; i < 3000; i++) {
        struct robots robots;
        size_t size = scribble(&random, text, sizeof text, pieces, sizeof pieces / sizeof *pieces);
        assert_int_equal(robots_read(&robots, text, size, "interlock"), 0);
        size = scribble(&random, path, sizeof path - 1, pieces + 4, 12);
        path[size] = 0;
        robots_allow(&robots, path);
        assert_true(robots_allow(&robots, "/robots.txt"));
        robots_free(&robots);
    }
}

/* ---- What is kept ---- */

static void a_url_is_met_once(void **state)
{
    struct frontier frontier;
    uint32_t first, again, other;
    char url[64];
    assert_int_equal(frontier_init(&frontier, 8, 1 << 20), 0);
    assert_int_equal(frontier_meet(&frontier, "http://a/", false, &first), 0);
    for (int i = 0; i < 5000; i++) {
        snprintf(url, sizeof url, "http://a/%d", i);
        assert_int_equal(frontier_meet(&frontier, url, false, &other), 0);
        assert_int_equal(other, first + 1 + (uint32_t)i);
    }
    assert_int_equal(frontier_meet(&frontier, "http://a/", false, &again), 0);
    assert_int_equal(again, first);
    assert_int_equal(frontier.count, 5001);
    assert_int_equal(frontier.lane_count, 1);
    assert_string_equal(frontier_url(&frontier, 4000), "http://a/3999");
    frontier_free(&frontier);
}

/* Start what may start at `now`, and end it well at once. */
static const char *next_url(struct frontier *frontier, il_time now)
{
    il_time when;
    struct lane *lane = frontier_ready(frontier, now, &when);
    if (!lane) return NULL;
    uint32_t id = frontier_pop(frontier, lane);
    pace_start(&lane->pace, now);
    pace_good(&lane->pace, now);
    frontier_settle(frontier, lane);
    return frontier_url(frontier, id);
}

static void hosts_take_turns_and_a_queue_keeps_its_order(void **state)
{
    static const char *const urls[] = { "http://a/1", "http://a/2", "http://a/3",
                                        "http://b/1", "http://b/2", "http://c/1" };
    static const char *const order[] = { "http://a/1", "http://b/1", "http://c/1",
                                         "http://a/2", "http://b/2", "http://a/3" };
    struct frontier frontier;
    assert_int_equal(frontier_init(&frontier, 8, 1 << 20), 0);
    for (size_t i = 0; i < 6; i++) {
        uint32_t id;
        assert_int_equal(frontier_meet(&frontier, urls[i], false, &id), 0);
        frontier_push(&frontier, id);
    }
    assert_int_equal(frontier.queued, 6);
    for (il_time i = 0; i < 6; i++) assert_string_equal(next_url(&frontier, 100 + i), order[i]);
    assert_null(next_url(&frontier, 1000));
    assert_int_equal(frontier.queued, 0);
    frontier_free(&frontier);
}

static void a_host_that_waits_holds_up_no_other(void **state)
{
    struct frontier frontier;
    uint32_t slow, more, quick;
    il_time when;
    assert_int_equal(frontier_init(&frontier, 8, 1 << 20), 0);
    assert_int_equal(frontier_meet(&frontier, "http://slow/1", false, &slow), 0);
    assert_int_equal(frontier_meet(&frontier, "http://slow/2", false, &more), 0);
    frontier_push(&frontier, slow);
    frontier_push(&frontier, more);
    struct lane *lane = frontier_ready(&frontier, 10, &when);
    assert_int_equal(frontier_pop(&frontier, lane), slow);
    pace_start(&lane->pace, 10);
    pace_limited(&lane->pace, 10, 10, IL_SEC(5));
    frontier_settle(&frontier, lane);
    for (int i = 0; i < 100; i++) {
        char url[64];
        snprintf(url, sizeof url, "http://quick/%d", i);
        assert_int_equal(frontier_meet(&frontier, url, false, &quick), 0);
        frontier_push(&frontier, quick);
    }
    for (int i = 0; i < 100; i++) assert_memory_equal(next_url(&frontier, 11), "http://quick/", 13);
    assert_null(frontier_ready(&frontier, 11, &when));
    assert_true(when == 10 + IL_SEC(5));
    assert_string_equal(next_url(&frontier, when), "http://slow/2");
    frontier_free(&frontier);
}

static void edges_come_back_sorted_and_each_once(void **state)
{
    struct frontier frontier;
    uint32_t id, ids[] = { 7, 300, 3, 7, 4000000000u, 0, 300 }, found[8];
    size_t count = 0;
    static const uint32_t expected[] = { 0, 3, 7, 300, 4000000000u };
    assert_int_equal(frontier_init(&frontier, 8, 1 << 20), 0);
    assert_int_equal(frontier_meet(&frontier, "http://a/", false, &id), 0);
    struct edges edges = frontier_edges(&frontier, id);
    assert_false(edges_next(&edges, &id));
    assert_int_equal(frontier_put_edges(&frontier, 0, ids, 7), 0);
    for (edges = frontier_edges(&frontier, 0); edges_next(&edges, &id);) found[count++] = id;
    assert_int_equal(count, 5);
    assert_memory_equal(found, expected, sizeof expected);
    frontier_free(&frontier);
}

/* Bytes of ours that are resident, of the file too. */
static long resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) return 0;
    if (fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void a_spool_keeps_all_and_little_of_it_in_memory(void **state)
{
    enum { PIECES = 60000, SIZE = 1000 };
    struct spool spool;
    static uint64_t places[PIECES];
    static char piece[SIZE];
    spool_init(&spool, 4 << 20);
    long before = resident_kib();
    for (int i = 0; i < PIECES; i++) {
        memset(piece, i % 251, sizeof piece);
        assert_int_equal(spool_put(&spool, piece, sizeof piece, &places[i]), 0);
    }
    long grown = resident_kib() - before;
    for (int i = 0; i < PIECES; i++) {
        const char *found = spool_at(&spool, places[i]);
        assert_int_equal((unsigned char)found[0], i % 251);
        assert_int_equal((unsigned char)found[SIZE - 1], i % 251);
    }
    /* TSan keeps a shadow of all that was written, and that is resident too. */
    if (spool.fd >= 0 && !IL_TSAN && grown > 20 << 10)
        fail_msg("%ld KiB of 58594 are resident", grown);
    spool_free(&spool);
}

static void a_spool_without_a_file_is_in_memory(void **state)
{
    struct spool spool;
    static char piece[SPOOL_CHUNK];
    uint64_t place;
    spool_init(&spool, 0);
    spool.fd = -2;
    for (int i = 0; i < 3; i++) {
        memset(piece, 'a' + i, sizeof piece);
        assert_int_equal(spool_put(&spool, piece, sizeof piece, &place), 0);
    }
    assert_int_equal(*spool_at(&spool, place), 'c');
    assert_int_equal(*spool_at(&spool, place - SPOOL_CHUNK), 'b');
    assert_int_equal(spool_put(&spool, piece, SPOOL_CHUNK + 1, &place), -ENOMEM);
    spool_free(&spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_free_host_is_asked_by_one_more_after_each_good_answer),
        cmocka_unit_test(nothing_starts_before_the_time_that_was_asked_for),
        cmocka_unit_test(without_a_time_the_pause_doubles),
        cmocka_unit_test(a_burst_that_is_refused_says_so_once),
        cmocka_unit_test(a_rate_is_learnt_with_few_refusals_and_used),
        cmocka_unit_test(a_host_that_only_refuses_is_given_up),
        cmocka_unit_test(a_host_that_asks_for_an_hour_is_given_up),
        cmocka_unit_test(a_delay_that_is_asked_for_is_kept),
        cmocka_unit_test(a_failure_halves_and_waits_a_little),
        cmocka_unit_test(no_rule_allows_everything),
        cmocka_unit_test(the_longest_rule_decides_and_allow_between_equals),
        cmocka_unit_test(our_group_counts_and_not_that_of_all),
        cmocka_unit_test(star_and_dollar_are_known),
        cmocka_unit_test(spelling_makes_no_difference),
        cmocka_unit_test(ends_of_line_comments_and_marks_are_no_harm),
        cmocka_unit_test(a_delay_is_read),
        cmocka_unit_test(what_cannot_be_had_forbids_all),
        cmocka_unit_test(references_are_resolved_to_one_spelling),
        cmocka_unit_test(a_plain_path_means_what_libcurl_says),
        cmocka_unit_test(what_is_not_for_the_web_is_told_from_what_is_wrong),
        cmocka_unit_test(a_typed_url_needs_no_scheme),
        cmocka_unit_test(every_element_that_refers_is_known),
        cmocka_unit_test(base_counts_for_all_and_only_the_first),
        cmocka_unit_test(srcset_is_taken_apart),
        cmocka_unit_test(refresh_leads_on),
        cmocka_unit_test(nofollow_is_told),
        cmocka_unit_test(a_reference_is_told_once_and_malformed_ones_too),
        cmocka_unit_test(markup_of_any_kind_gives_what_there_is),
        cmocka_unit_test(the_charset_of_the_server_and_of_the_page_count),
        cmocka_unit_test(anchors_are_told_when_asked_for),
        cmocka_unit_test(pages_at_random_do_no_harm),
        cmocka_unit_test(robots_at_random_do_no_harm),
        cmocka_unit_test(a_url_is_met_once),
        cmocka_unit_test(hosts_take_turns_and_a_queue_keeps_its_order),
        cmocka_unit_test(a_host_that_waits_holds_up_no_other),
        cmocka_unit_test(edges_come_back_sorted_and_each_once),
        cmocka_unit_test(a_spool_keeps_all_and_little_of_it_in_memory),
        cmocka_unit_test(a_spool_without_a_file_is_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
