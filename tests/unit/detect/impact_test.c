/*
 * impact_test - what a candidate would do to traffic, forecast from requests that are made up here:
 * which route and pool they go to, what capacity is left.
 *
 * Threads  the first
 */
#include "tests/unit/detect/forecasts.h"

/* ---- routes ---- */

#define TWO "'p':" POOL("", ABC) ",'q':" POOL("", SERVER("x", ""))

static void requests_go_to_another_pool(void **state)
{
    (void)state;
    see("h", "/shop/cart", 800, 100);
    see("h", "/api/v1", 200, 100);
    forecast(CONF(TWO, "'r':{'pool':'p'}"),
             CONF(TWO, "'r':{'pool':'p'},'api':{'path_prefix':'/api','pool':'q'}"));
    assert_float_equal(pool("p")->requests_per_second.before, 10, 1e-6);
    assert_float_equal(pool("p")->requests_per_second.after, 8, 1e-6);
    assert_float_equal(pool("q")->requests_per_second.before, 0, 1e-6);
    assert_float_equal(pool("q")->requests_per_second.after, 2, 1e-6);
    assert_int_equal(impact->move_count, 1);
    assert_string_equal(impact->moves[0].from_route, "r");
    assert_string_equal(impact->moves[0].to_route, "api");
    assert_string_equal(impact->moves[0].from_pool, "p");
    assert_string_equal(impact->moves[0].to_pool, "q");
    assert_string_equal(impact->moves[0].example, "GET h/api/v1");
    assert_float_equal(impact->moves[0].requests_per_second, 2, 1e-6);
    assert_int_equal(impact->routes_losing_count, 0);
}

static void kinds_count_for_more_than_the_requests_that_were_kept(void **state)
{
    (void)state;
    see("h", "/a", 100, 1000); /* of late nearly all that is kept */
    see("h", "/b/c", 900, 10);
    see("h", "/d", 1000, 0); /* nothing is kept of it */
    forecast(CONF(TWO, "'r':{'pool':'p'}"),
             CONF(TWO, "'r':{'pool':'p'},'b':{'path_prefix':'/b','pool':'q'},"
                       "'d':{'path':'/d','pool':'q'}"));
    assert_float_equal(pool("q")->requests_per_second.after, 19, 1e-6);
    assert_float_equal(pool("p")->requests_per_second.after, 1, 1e-6);
    assert_int_equal(impact->requests, 2000);
}

static void what_is_in_no_kind_counts_by_the_requests_that_were_kept(void **state)
{
    struct sample_request *requests = see("h", "/a", 100, 20);

    (void)state;
    for (size_t i = 10; i < 20; i++)
        requests[i].path = i < 15 ? "/rare" : "/other";
    seen.requests += 60;
    seen.other_requests = 60;
    forecast(CONF(TWO, "'r':{'pool':'p'}"),
             CONF(TWO, "'r':{'pool':'p'},'s':{'path':'/rare','pool':'q'}"));
    assert_float_equal(pool("q")->requests_per_second.after, 0.3, 1e-6);
    assert_float_equal(pool("p")->requests_per_second.before, 1.6, 1e-6);
}

static void splits_divide_by_their_weights(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(CONF(TWO, "'r':{'split':{'p':9,'q':1}}"), CONF(TWO, "'r':{'split':{'p':6,'q':4}}"));
    assert_float_equal(pool("q")->requests_per_second.before, 1, 1e-6);
    assert_float_equal(pool("q")->requests_per_second.after, 4, 1e-6);
    assert_int_equal(impact->move_count, 1); /* 3 a second, and none the other way */
    assert_float_equal(impact->moves[0].requests_per_second, 3, 1e-6);
    assert_string_equal(impact->moves[0].to_pool, "q");
}

static void regular_expressions_decide_as_they_do_for_workers(void **state)
{
    (void)state;
    see("h", "/item/17", 600, 6);
    see("h", "/item/new", 400, 4);
    forecast(CONF(TWO, "'r':{'pool':'p'}"),
             CONF(TWO, "'r':{'pool':'p'},'n':{'path_regex':'/item/[0-9]+','pool':'q'}"));
    assert_float_equal(pool("q")->requests_per_second.after, 6, 1e-6);
}

static void a_host_that_no_route_takes_is_dropped(void **state)
{
    (void)state;
    see("a.example", "/", 500, 5);
    see("b.example", "/", 500, 5);
    forecast(
        CONF(TWO, "'r':{'pool':'p'}"),
        CONF(TWO, "'r':{'hosts':['a.example'],'pool':'p'},'s':{'hosts':['*.org'],'pool':'q'}"));
    assert_int_equal(impact->hosts_dropped_count, 1);
    assert_string_equal(impact->hosts_dropped[0], "b.example");
    assert_null(impact->moves[0].to_route);
    assert_null(impact->moves[0].to_pool);
    assert_float_equal(pool("p")->requests_per_second.after, 5, 1e-6);
}

static void a_host_that_routes_name_is_dropped_without_traffic_too(void **state)
{
    (void)state;
    subject.sample = NULL;
    forecast(CONF(TWO, "'r':{'hosts':['a.example','www.b.example'],'pool':'p'}"),
             CONF(TWO, "'r':{'hosts':['*.b.example'],'pool':'p'}"));
    assert_int_equal(impact->hosts_dropped_count, 1);
    assert_string_equal(impact->hosts_dropped[0], "a.example");
}

static void a_route_loses_its_traffic(void **state)
{
    struct sample_request *requests = see("h", "/api/v1", 500, 5);

    (void)state;
    for (size_t i = 0; i < 5; i++)
        requests[i].route = "api";
    see("h", "/", 500, 5);
    forecast(CONF(TWO, "'r':{'pool':'p'},'api':{'path_prefix':'/api','pool':'q'},"
                       "'idle':{'path':'/idle','pool':'q'}"),
             CONF(TWO, "'r':{'pool':'p'},'api':{'path_prefix':'/apis','pool':'q'}"));
    assert_int_equal(impact->routes_losing_count, 1);
    assert_string_equal(impact->routes_losing_traffic[0], "api");
}

static void a_listener_that_goes_takes_its_requests_along(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(CONF(TWO, "'r':{'pool':'p'}"),
             "{'listeners':{'new':{'address':'127.0.0.1:81'}},'pools':{" TWO
             "},'routes':{'r':{'pool':'p'}}}");
    assert_float_equal(pool("p")->requests_per_second.after, 0, 1e-9);
    assert_int_equal(impact->routes_losing_count, 1);
}

static void who_was_turned_away_is_again(void **state)
{
    struct sample_request *requests = see("h", "/", 1000, 10);

    (void)state;
    for (size_t i = 0; i < 5; i++)
        requests[i].pool = NULL;
    forecast(CONF(TWO, "'r':{'pool':'p'}"), CONF(TWO, "'r':{'pool':'q'}"));
    assert_float_equal(pool("p")->requests_per_second.before, 5, 1e-6);
    assert_float_equal(pool("q")->requests_per_second.after, 5, 1e-6);
}

/* ---- headers ---- */

static const struct sample_header beta[] = {{.name = "x-beta", .value = "1"}};
static const struct sample_header secret[] = {{.name = "x-key", .value = NULL, .is_held = true}};

#define ON_BETA "'r':{'pool':'p'},'beta':{'headers':{'x-beta':'1'},'pool':'q'}"

static void headers_that_were_looked_for_decide(void **state)
{
    struct sample_request *requests = see("h", "/", 1000, 10);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        requests[i].headers = beta;
        requests[i].header_count = 1;
    }
    forecast(CONF(TWO, ON_BETA),
             CONF(TWO, "'r':{'pool':'p'},'beta':{'headers':{'x-beta':'2'},'pool':'q'}"));
    assert_float_equal(pool("q")->requests_per_second.before, 3, 1e-6);
    assert_float_equal(pool("q")->requests_per_second.after, 0, 1e-6);
    assert_int_equal(impact->unknown, 0);
}

static void a_header_that_was_not_looked_for_is_not_guessed(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(CONF(TWO, "'r':{'pool':'p'}"), CONF(TWO, ON_BETA));
    assert_int_equal(impact->unknown, 1000);
    assert_true(pool("p")->requests_per_second.after < 0);
    assert_true(pool("q")->requests_per_second.after < 0);
    assert_true(server("q", "x")->requests_per_second.after < 0);
    assert_int_equal(pool("q")->n_minus_1, N_MINUS_1_UNKNOWN);
    assert_int_equal(impact->routes_losing_count, 0);
    assert_int_equal(impact->hosts_dropped_count, 0);
    assert_int_equal(impact->move_count, 0);
}

/* Eight names are looked for: who lacks the ninth may have had it. */
static void a_ninth_header_is_not_taken_for_absent(void **state)
{
#define EIGHT_AND(value)                                                                           \
    CONF(TWO, "'r':{'pool':'p'},'a':{'headers':{'h1':'1','h2':'1','h3':'1','h4':'1','h5':'1',"     \
              "'h6':'1','h7':'1','h8':'1'},'pool':'p'},'beta':{'headers':{'x-beta':'" value        \
              "'},'pool':'q'}")
    (void)state;
    see("h", "/", 1000, 10);
    forecast(EIGHT_AND("1"), EIGHT_AND("2"));
    assert_int_equal(impact->unknown, 1000);
}

static void a_value_kept_back_is_known_by_the_route_it_led_to(void **state)
{
    struct sample_request *requests = see("h", "/", 1000, 10);

    (void)state;
    for (size_t i = 0; i < 10; i++) {
        requests[i].headers = secret;
        requests[i].header_count = 1;
        requests[i].route = i < 4 ? "keyed" : "r";
        requests[i].pool = i < 4 ? "q" : "p";
    }
    forecast(CONF(TWO, "'r':{'pool':'p'},'keyed':{'headers':{'x-key':'k'},'pool':'q'}"),
             CONF("'p':" POOL("", ABC) ",'q':" POOL("", SERVER("x", "") "," SERVER("y", "")),
                  "'r':{'pool':'p'},'keyed':{'headers':{'x-key':'k'},'pool':'q'}"));
    assert_float_equal(pool("q")->requests_per_second.before, 4, 1e-6);
    assert_float_equal(pool("q")->requests_per_second.after, 4, 1e-6);
    assert_int_equal(impact->unknown, 0);
}

/* ---- capacity ---- */

#define CAP(name, rps) SERVER(name, ",'capacity_rps':" #rps)

static void load_is_told_by_capacity(void **state)
{
    (void)state;
    see("h", "/", 90000, 10);
    forecast(ONE(POOL("", CAP("a", 500) "," CAP("b", 500) "," CAP("c", 500))),
             ONE(POOL("", CAP("a", 500) "," CAP("b", 1000))));
    assert_float_equal(server("p", "a")->utilisation.before, 0.6, 1e-6);
    assert_float_equal(server("p", "a")->utilisation.after, 0.9, 1e-6);
    assert_float_equal(server("p", "b")->utilisation.after, 0.45, 1e-6);
    assert_true(server("p", "c")->utilisation.after < 0);
    assert_int_equal(server("p", "c")->capacity_rps, 500);
    assert_int_equal(pool("p")->n_minus_1, N_MINUS_1_SHORT);
}

static void the_peak_decides_whether_one_may_fail(void **state)
{
    static const struct impact_peak peaks[] = {{"p", 999}};
    static const struct impact_peak more[] = {{"p", 1001}};

    (void)state;
    see("h", "/", 10000, 10);
    subject.peaks = peaks;
    subject.peak_count = 1;
    forecast(ONE(POOL("", CAP("a", 500) "," CAP("b", 500) "," CAP("c", 500))),
             ONE(POOL("", CAP("a", 500) "," CAP("b", 500) "," CAP("c", 500))));
    assert_int_equal(pool("p")->n_minus_1, N_MINUS_1_OK);
    assert_float_equal(pool("p")->peak.after, 999, 1e-6);
    subject.peaks = more;
    forecast(ONE(POOL("", CAP("a", 500) "," CAP("b", 500) "," CAP("c", 500))),
             ONE(POOL("", CAP("a", 500) "," CAP("b", 500) "," CAP("c", 500))));
    assert_int_equal(pool("p")->n_minus_1, N_MINUS_1_SHORT);
}

static void what_moves_brings_its_peak_along(void **state)
{
    static const struct impact_peak peaks[] = {{"p", 400}, {"q", 30}};

    (void)state;
    see("h", "/", 10000, 10);   /* 100 a second now, 400 at the peak */
    see("h", "/q/x", 1000, 10); /* 10 a second now, 30 at the peak */
    subject.peaks = peaks;
    subject.peak_count = 2;
    forecast(CONF(TWO, "'r':{'pool':'p'},'s':{'path_prefix':'/q','pool':'q'}"),
             CONF(TWO, "'r':{'split':{'p':1,'q':1}},"
                       "'s':{'path_prefix':'/q','pool':'q'}"));
    assert_float_equal(pool("p")->peak.before, 400, 1e-6);
    assert_float_equal(pool("p")->peak.after, 200, 1e-6);
    assert_float_equal(pool("q")->peak.before, 30, 1e-6);
    assert_float_equal(pool("q")->peak.after, 230, 1e-6);
}

/* ---- nothing to go by ---- */

static void without_traffic_there_are_shares_by_weight_alone(void **state)
{
    (void)state;
    subject.sample = NULL;
    forecast(CONF("'p':" POOL("", ABC), "'r':{'pool':'p'},'s':{'path':'/s','pool':'p'}"),
             ONE(POOL("", SERVER("a", "") "," SERVER("b", ""))));
    expect_share("a", 1 / 3.0, 0.5, 1e-9);
    assert_true(pool("p")->requests_per_second.before < 0);
    assert_true(pool("p")->requests_per_second.after < 0);
    assert_int_equal(pool("p")->n_minus_1, N_MINUS_1_UNKNOWN);
    assert_int_equal(impact->requests, 0);
    assert_int_equal(impact->routes_losing_count, 1); /* it is deleted; more is not known */
    assert_string_equal(impact->routes_losing_traffic[0], "s");
    assert_false(pool("p")->is_reached);
}

static void a_pool_that_is_new_takes_nothing_from_another_server(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(ONE(POOL("", ABC)), CONF(TWO, "'r':{'pool':'q'}"));
    assert_true(pool("q")->requests_per_second.before < 0);
    assert_float_equal(pool("q")->requests_per_second.after, 10, 1e-6);
    assert_float_equal(pool("q")->tvd, 0, 1e-9);
    forecast(CONF(TWO, "'r':{'pool':'q'}"), ONE(POOL("", ABC)));
    assert_float_equal(pool("q")->tvd, 1, 1e-9);
    assert_true(pool("q")->requests_per_second.after < 0);
}

static void a_side_that_does_not_compile_says_so(void **state)
{
    struct error why = {0};

    (void)state;
    see("h", "/", 1000, 10);
    base = config_of_text(CONF(TWO, "'r':{'pool':'p'}"), arena);
    target =
        config_of_text(CONF(TWO, "'r':{'pool':'p'},'x':{'path_regex':'/(','pool':'p'}"), arena);
    subject.base = base;
    subject.target = target;
    assert_null(impact_of(&subject, &why));
    assert_non_null(strstr(why.text, "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        forecast_test(requests_go_to_another_pool),
        forecast_test(kinds_count_for_more_than_the_requests_that_were_kept),
        forecast_test(what_is_in_no_kind_counts_by_the_requests_that_were_kept),
        forecast_test(splits_divide_by_their_weights),
        forecast_test(regular_expressions_decide_as_they_do_for_workers),
        forecast_test(a_host_that_no_route_takes_is_dropped),
        forecast_test(a_host_that_routes_name_is_dropped_without_traffic_too),
        forecast_test(a_route_loses_its_traffic),
        forecast_test(a_listener_that_goes_takes_its_requests_along),
        forecast_test(who_was_turned_away_is_again),
        forecast_test(headers_that_were_looked_for_decide),
        forecast_test(a_header_that_was_not_looked_for_is_not_guessed),
        forecast_test(a_ninth_header_is_not_taken_for_absent),
        forecast_test(a_value_kept_back_is_known_by_the_route_it_led_to),
        forecast_test(load_is_told_by_capacity),
        forecast_test(the_peak_decides_whether_one_may_fail),
        forecast_test(what_moves_brings_its_peak_along),
        forecast_test(without_traffic_there_are_shares_by_weight_alone),
        forecast_test(a_pool_that_is_new_takes_nothing_from_another_server),
        forecast_test(a_side_that_does_not_compile_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
