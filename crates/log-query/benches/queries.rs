//! How many messages a second one core matches against each form of filter pattern, and takes through queries.
//!
//! Reports, asserts nothing: `cargo bench -p log-query`. One line of JSON for each figure.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark reports on stdout and may panic")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use log_query::FilterPattern;
use log_query::insights::{Query, Row, Settings};

const ROUND: Duration = Duration::from_millis(100);
const ROUNDS: usize = 15;
const MESSAGES: usize = 10_000;

/// Levels and statuses of which one in a hundred is what the patterns look for.
fn rare<'t>(n: usize, common: &'t str, rare: &'t str) -> &'t str {
    if n.is_multiple_of(100) { rare } else { common }
}

fn main() {
    let text: Vec<String> = (0..MESSAGES).map(plain).collect();
    let access: Vec<String> = (0..MESSAGES).map(access).collect();
    let json: Vec<String> = (0..MESSAGES).map(json).collect();

    let patterns = [
        ("a term", "Exception", &text),
        ("two terms and an exclusion", "ERROR Exception -retry", &text),
        ("one of three terms", "?Exception ?timeout ?refused", &text),
        ("a regular expression", "%request-[0-9]+7 failed%", &text),
        ("a JSON pattern, one match in a hundred", r#"{ $.level = "ERROR" && $.took > 100 }"#, &json),
        ("a JSON pattern that reads every message", "{ $.took > 990 }", &json),
        ("a pattern of columns, one match in a hundred", "[ip, ..., status = 5*, bytes > 100]", &access),
        (
            "a pattern of columns that reads every message",
            "[ip, id, user, time, request, status, bytes > 1990]",
            &access,
        ),
    ];
    for (figure, pattern, messages) in patterns {
        let pattern = FilterPattern::parse(pattern).unwrap();
        report(&format!("filter pattern, {figure}"), messages, || {
            messages.iter().filter(|message| pattern.matches(black_box(message))).count()
        });
    }

    let queries = [
        ("count by bin(5m)", "stats count(*) by bin(5m)", &text),
        (
            "a filter and count by bin(5m)",
            "filter @message like 'Exception' | stats count(*) by bin(5m)",
            &text,
        ),
        ("avg and max of a JSON field by another", "stats avg(took), max(took) by host", &json),
        (
            "parse by a glob, then pct by a part",
            "parse @message 'took * ms' as took | stats pct(took, 99)",
            &text,
        ),
        (
            "parse by a regular expression, then count",
            r"parse @message /request-(?<id>\d+)/ | stats count(id)",
            &text,
        ),
        (
            "the last 20 of a filter",
            "filter @message like /Exception/ | sort @timestamp desc | limit 20",
            &text,
        ),
    ];
    for (figure, query, messages) in queries {
        let query = Query::parse(query).unwrap();
        report(&format!("query, {figure}"), messages, || {
            let rows =
                (0..).zip(messages).map(|(n, message)| Row { timestamp: n * 997, message, ..Row::default() });
            query.run(rows, Settings::default()).unwrap().rows.len()
        });
    }
}

/// Prints how many messages go through `work`, which takes all of them once, in a second: the best of some rounds, so
/// that another program on the same core counts little.
fn report(figure: &str, messages: &[String], mut work: impl FnMut() -> usize) {
    let mut best = 0.0_f64;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut count = 0_u32;
        while start.elapsed() < ROUND {
            black_box(work());
            count += u32::try_from(messages.len()).unwrap();
        }
        best = best.max(f64::from(count) / start.elapsed().as_secs_f64());
    }
    let bytes = messages.iter().map(String::len).sum::<usize>() / messages.len();
    println!(
        r#"{{"figure": "log-query: {figure}, {bytes} bytes each", "value": {best:.0}, "unit": "messages/s", "aim": ""}}"#
    );
}

fn plain(n: usize) -> String {
    let level = rare(n, "INFO ", "ERROR");
    let outcome = rare(n, "answered with success by worker", "failed: java.net.SocketException in worker");
    format!(
        "2026-11-21 10:35:17,{:03} [{level}] request-{n} {outcome} {} and took {} ms",
        n % 1000,
        n % 16,
        n % 997
    )
}

fn access(n: usize) -> String {
    let status = rare(n, "200", "503");
    format!(
        r#"10.0.{}.{} - frank [21/Nov/2026:10:35:17 +0000] "GET /items/{n}?page=2 HTTP/1.1" {status} {}"#,
        n % 7,
        n % 251,
        n % 2000
    )
}

fn json(n: usize) -> String {
    let level = rare(n, "INFO", "ERROR");
    format!(
        r#"{{"time": "2026-11-21T10:35:17.{:03}Z", "level": "{level}", "host": "web-{}", "request": {{"id": "r-{n}", "path": "/items/{n}", "tags": ["a", "b"]}}, "status": 200, "took": {}.5}}"#,
        n % 1000,
        n % 12,
        n % 997
    )
}
