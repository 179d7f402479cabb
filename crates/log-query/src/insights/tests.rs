use proptest::prelude::*;

use super::{Query, Results, Row, RunError, Settings};

const MINUTE: i64 = 60_000;

/// Runs a query over messages a minute apart, the first one the newest, at 10:09.
fn run(query: &str, messages: &[&str]) -> Results {
    let query = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let mut execution = query.start(Settings::default());
    for (at, message) in (0..).zip(messages) {
        let timestamp = 1_774_001_340_000 - at * MINUTE;
        let ptr = || format!("ptr{at}");
        let row =
            Row { timestamp, ingestion_time: timestamp, message, log_stream: "s", log: "1:g", ptr: &ptr };
        execution.push(&row).unwrap();
    }
    execution.finish().unwrap()
}

/// The rows as `field=value field=value`, without `@ptr`.
fn rows(query: &str, messages: &[&str]) -> Vec<String> {
    let shown = |(name, value): &(String, String)| format!("{name}={value}");
    let row = |row: &super::ResultRow| {
        let fields = row.fields.iter().filter(|(name, _)| name != "@ptr");
        fields.map(shown).collect::<Vec<_>>().join(" ")
    };
    run(query, messages).rows.iter().map(row).collect()
}

const REQUESTS: [&str; 6] = [
    r#"{"host": "a", "status": 200, "took": 10, "user": {"name": "ann"}}"#,
    r#"{"host": "b", "status": 500, "took": 31.5, "tags": ["x", "y"]}"#,
    r#"{"host": "a", "status": 404, "took": 20}"#,
    r#"{"host": "a", "status": 500, "took": 5}"#,
    r#"{"host": "b", "status": 200, "took": 8}"#,
    "plain text",
];

#[test]
fn what_is_shown() {
    for (query, first) in [
        (
            "limit 1",
            r#"@timestamp=2026-03-20 10:09:00.000 @message={"host": "a", "status": 200, "took": 10, "user": {"name": "ann"}}"#,
        ),
        ("fields host, status | limit 1", "host=a status=200"),
        ("fields host\n| fields took * 2 | limit 1", "host=a took * 2=20"),
        ("fields host as h, h as i | limit 1", "h=a i=a"),
        ("fields host | display status, host | limit 1", "status=200 host=a"),
        ("display host | display status", "status=200"),
        ("fields user.name, `user`.name as u, missing", "user.name=ann u=ann"),
        (
            "fields @logStream, @log, @ingestionTime | filter tags.1 = 'y'",
            "@logStream=s @log=1:g @ingestionTime=2026-03-20 10:08:00.000",
        ),
        ("fields tags[0] | filter tags.1 = 'y'", "tags[0]=x"),
        ("fields status, status", "status=200"),
        ("fields strlen(@message) as n, n > 10 as long", "n=65 long=1"),
        ("fields 'text' as t", "t=text"),
        ("parse @message '\"host\": \"*\"' as h | display h", "h=a"),
        ("fields status | parse @message '\"host\": \"*\"' as h", "status=200 h=a"),
        ("# all\nfields host # the host\n# | limit 2\n| limit 1", "host=a"),
        ("| fields host", "host=a"),
        ("FIELDS host | SORT host DESC, status ASC", "host=b"),
    ] {
        assert_eq!(rows(query, &REQUESTS).first().map(String::as_str), Some(first), "{query}");
    }
    let results = run("fields host | limit 2", &REQUESTS);
    assert_eq!(
        results.rows[1].fields,
        [("host", "b"), ("@ptr", "ptr1")].map(|(n, v)| (n.to_owned(), v.to_owned()))
    );
    assert_eq!(run("fields @ptr | limit 1", &REQUESTS).rows[0].get("@ptr"), Some("ptr0"));
}

#[test]
fn filters_count() {
    let results = run("filter status = 500 | fields host", &REQUESTS);
    assert_eq!(results.rows.len(), 2);
    assert_eq!(results.statistics.records_matched, 2);
    assert_eq!(results.statistics.records_scanned, 6);
    assert_eq!(results.statistics.bytes_scanned, REQUESTS.iter().map(|m| m.len() as u64).sum::<u64>());
    // What a limit leaves out has matched.
    let results = run("filter ispresent(host) | limit 2", &REQUESTS);
    assert_eq!((results.rows.len(), results.statistics.records_matched), (2, 5));
    assert_eq!(rows("filter host = 'a' | filter took > 7 | fields took", &REQUESTS), ["took=10", "took=20"]);
}

#[test]
fn limits_of_rows() {
    let messages = vec!["m"; 10_005];
    assert_eq!(run("fields @message", &messages).rows.len(), 10_000);
    let query = Query::parse("fields @message").unwrap();
    let rows = messages.iter().map(|message| Row { message, ..Row::default() });
    let settings = |limit| Settings { now: 0, limit: Some(limit) };
    assert_eq!(query.run(rows.clone(), settings(7)).unwrap().rows.len(), 7);
    assert_eq!(query.run(rows.clone(), settings(70_000)).unwrap().rows.len(), 10_000);
    let query = Query::parse("limit 3").unwrap();
    assert_eq!(query.run(rows, settings(7)).unwrap().rows.len(), 3);
}

#[test]
fn sorting() {
    for (query, expected) in [
        (
            "fields took | filter ispresent(took) | sort took",
            vec!["took=5", "took=8", "took=10", "took=20", "took=31.5"],
        ),
        ("fields took | sort took desc | limit 2", vec!["took=31.5", "took=20"]),
        (
            "fields host, took | sort host desc, took asc | limit 3",
            vec!["host=b took=8", "host=b took=31.5", "host=a took=5"],
        ),
        ("display took | sort @timestamp asc | limit 2", vec!["", "took=8"]),
        ("fields took | sort took % 3 desc, took | limit 2", vec!["took=5", "took=8"]),
        ("sort took desc | limit 3 | filter host = 'a' | display took", vec!["took=20", "took=10"]),
        ("sort took desc | filter host = 'a' | limit 2 | display took", vec!["took=20", "took=10"]),
    ] {
        assert_eq!(rows(query, &REQUESTS), expected, "{query}");
    }
    let numbers: Vec<String> = (0..5000).map(|n| (n * 7919 % 5003).to_string()).collect();
    let messages: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let top = rows("fields @message as n | sort n desc | limit 100", &messages);
    let mut expected: Vec<u32> = numbers.iter().map(|n| n.parse().unwrap()).collect();
    expected.sort_by(|left, right| right.cmp(left));
    assert_eq!(top, expected[..100].iter().map(|n| format!("n={n}")).collect::<Vec<_>>());
}

#[test]
fn deduplication() {
    assert_eq!(
        rows("fields host, took | dedup host", &REQUESTS[..5]),
        ["host=a took=10", "host=b took=31.5"]
    );
    assert_eq!(rows("fields took | sort took | dedup host | limit 1", &REQUESTS[..5]), ["took=5"]);
    assert_eq!(rows("fields took | dedup host, status", &REQUESTS).len(), 6);
    // What lacks the field is kept.
    assert_eq!(rows("fields @message | dedup host", &["x", "x"]).len(), 2);
}

#[test]
fn statistics() {
    for (query, expected) in [
        ("stats count(*)", vec!["count(*)=6"]),
        ("stats count() as all, count(took) as some", vec!["all=6 some=5"]),
        ("stats count(*) by host", vec!["host=a count(*)=3", "host=b count(*)=2", "count(*)=1"]),
        (
            "filter ispresent(host) | stats avg(took), max(took) as top by host | sort host desc",
            vec!["host=b avg(took)=19.75 top=31.5", "host=a avg(took)=11.6667 top=20"],
        ),
        (
            "stats sum(took), min(took), median(took), pct(took, 100) as p",
            vec!["sum(took)=74.5 min(took)=5 median(took)=10 p=31.5"],
        ),
        ("filter host='a' | stats stddev(took) as d", vec!["d=6.2361"]),
        (
            "stats count_distinct(host) as hosts, count_distinct(status) as statuses",
            vec!["hosts=2 statuses=3"],
        ),
        (
            "stats earliest(took) as e, latest(took) as l, sortsFirst(host) as f, sortsLast(host) as z",
            vec!["e=8 l=10 f=a z=b"],
        ),
        (
            "stats count(*) as n by bin(5m)",
            vec!["bin(5m)=2026-03-20 10:05:00.000 n=5", "bin(5m)=2026-03-20 10:00:00.000 n=1"],
        ),
        (
            "stats count(*) by bin(5m) as t | sort t asc | limit 1",
            vec!["t=2026-03-20 10:00:00.000 count(*)=1"],
        ),
        (
            "stats sum(status >= 500) as errors, count(*) as all | display errors / all",
            vec!["errors / all=0.3333"],
        ),
        ("stats sum(status >= 500) / count(*) * 100 as percent", vec!["percent=33.3333"]),
        ("stats count(*) as n by host | filter n > 1 | sort n | fields host", vec!["host=b", "host=a"]),
        ("stats count(*) by host | sort count(*) desc | limit 1", vec!["host=a count(*)=3"]),
        (
            "stats count(*) by bin(1d) | sort bin(1d) | limit 1",
            vec!["bin(1d)=2026-03-20 00:00:00.000 count(*)=6"],
        ),
        (
            "stats count(*) as n by host, status | stats max(n) as most, count(*) as kinds",
            vec!["most=1 kinds=6"],
        ),
        (
            "stats count(*) as n by @timestamp | stats sum(n) by bin(1h)",
            vec!["bin(1h)=2026-03-20 10:00:00.000 sum(n)=6"],
        ),
        ("stats count(*) as n by user.name | filter ispresent(user.name)", vec!["user.name=ann n=1"]),
        (
            "stats avg(nothing), min(nothing), sum(nothing), count(nothing)",
            vec!["sum(nothing)=0 count(nothing)=0"],
        ),
        (
            "stats max(took) as high, min(took) as low, high - low as spread",
            vec!["high=31.5 low=5 spread=26.5"],
        ),
        ("stats avg (took) as mean by host | sort by mean desc | limit 1", vec!["host=b mean=19.75"]),
        ("stats min(@timestamp) as first", vec!["first=2026-03-20 10:04:00.000"]),
        ("filter host = 'none' | stats count(*)", vec![]),
    ] {
        assert_eq!(rows(query, &REQUESTS), expected, "{query}");
    }
    assert_eq!(run("stats count(*)", &REQUESTS).rows[0].get("@ptr"), None);
}

/// Queries of the kinds that the service's own documentation gives as samples.
#[test]
fn usual_queries_are_of_the_language() {
    for query in [
        "fields @timestamp, @message | sort @timestamp desc | limit 20",
        "stats count(*) as exceptionCount by bin(5m) | sort exceptionCount desc",
        "filter @message like /(?i)(exception|error|fail|5\\d\\d)/ | stats count(*) by bin(1h)",
        "fields @message | parse @message \"user=*, method:*, latency := *\" as @user, @method, @latency\n\
         | stats avg(@latency) by @method, @user",
        "fields @message | parse @message \"[*] *\" as kind, text | filter kind IN [\"ERROR\", \"INFO\"]\n\
         | display text, kind = \"ERROR\" as isError",
        "filter @type = \"REPORT\" | stats max(@memorySize / 1000 / 1000) as provisioned,\n\
         max(@maxMemoryUsed / 1000 / 1000) as used, provisioned - used as unused",
        "filter @type = 'REPORT' | fields @requestId, @billedDuration | sort by @billedDuration desc",
        "stats sum(packets) as packetsTransferred by srcAddr, dstAddr | sort packetsTransferred desc | limit 15",
        "filter eventSource=\"ec2.amazonaws.com\" and not (userIdentity.type = 'AssumedRole') | stats count(*) by eventName",
        "filter isIpv4InSubnet(srcAddr, \"192.0.2.0/24\") | fields strlen(@message) % 2 as odd, `foo-bar`, action",
        "fields concat(Operation, '-', StatusCode) as opStatus | filter f1=10 or f3>25 | filter Type not in [\"foo\",1]",
        "fields jsonParse(@message) as json | stats count() by json.status_code, json.list[0].name",
        "parse @message /(?<NetworkInterface>eni-.*?) / | display NetworkInterface, @message",
        "stats avg(latency), pct(latency, 95) as p95, stddev(latency) by datefloor(@timestamp, 1h), host as machine",
        "stats sum(bytes) as total by bin(5m) as t | stats max(total) as peak, avg(total)",
        "fields @timestamp, server, severity, message | sort @timestamp desc | dedup server, severity | limit 5",
    ] {
        if let Err(error) = Query::parse(query) {
            panic!("{query}: {error}");
        }
    }
}

#[test]
fn the_documentation_names_everything() {
    let page = include_str!("../../../../docs/log-queries.md");
    let names = super::functions::names().chain(super::aggregate::AggregateFunction::names());
    for name in names.chain(super::parser::REFUSED) {
        assert!(page.contains(&format!("`{name}")), "{name} is not in docs/log-queries.md");
    }
}

#[test]
fn parsing_fields_out() {
    let line = "25 May 2019 10:24:39,474 [ERROR] {foo=2, bar=data} The error was: DataIntegrityException";
    for (query, expected) in [
        (
            "parse @message \"[*] * The error was: *\" as level, config, exception | display level, config, exception",
            "level=ERROR config={foo=2, bar=data} exception=DataIntegrityException",
        ),
        (
            r"parse @message /\[(?<level>\S+)\]\s+(?<config>\{.*\})\s+The error was: (?<exception>\S+)/ | display level, config, exception",
            "level=ERROR config={foo=2, bar=data} exception=DataIntegrityException",
        ),
        (r"parse @message /foo=(\d), bar=(\w+)/ as a, @b | display @b, a", "@b=data a=2"),
        (
            "parse @message '[*]' as level | filter level = 'ERROR' | stats count(*) as n by level",
            "level=ERROR n=1",
        ),
        ("parse @message '{*}' as inner | parse inner 'foo=*,' as foo | display foo", "foo=2"),
        ("parse @message 'absent *' as x | display ispresent(x) as p", "p=0"),
        (r"parse @message /at \/(?<path>.*)|(?<level>ERROR)/ | display path, level", "level=ERROR"),
        ("fields tolower(@message) as low | parse low '[*]' as level | display level", "level=error"),
    ] {
        assert_eq!(rows(query, &[line]), [expected], "{query}");
    }
}

#[test]
fn results_while_running() {
    let query = Query::parse("stats count(*) as n by @message | sort n desc").unwrap();
    let mut execution = query.start(Settings::default());
    for (n, message) in ["a", "b", "b"].into_iter().enumerate() {
        execution.push(&Row { message, ..Row::default() }).unwrap();
        let results = execution.results().unwrap();
        assert_eq!(results.statistics.records_scanned, n as u64 + 1);
        assert_eq!(results.rows[0].get("n"), Some(["1", "1", "2"][n]));
    }
    assert_eq!(execution.statistics().records_matched, 3);
    assert_eq!(execution.results(), execution.finish());
}

#[test]
fn too_many_groups_are_an_error() {
    let query = Query::parse("stats count(*) by @timestamp").unwrap();
    let mut execution = query.start(Settings::default());
    let mut end = Ok(());
    for timestamp in 0..=250_000 {
        end = execution.push(&Row { timestamp, ..Row::default() });
    }
    assert_eq!(end, Err(RunError::TooManyGroups { limit: 250_000 }));
}

#[test]
fn errors_tell_what_and_where() {
    for (query, start, end, part) in [
        ("", 0, 0, "the query ends where a command (fields, display"),
        ("fields", 6, 6, "the query ends where an expression is expected"),
        ("fields a b", 9, 10, "'b' was found where '|' and a further command"),
        ("field a", 0, 5, "'field' is no command"),
        ("pattern @message", 0, 7, "pattern is not supported here"),
        ("fields a | DIFF", 11, 15, "diff is not supported here"),
        ("source logGroups()", 0, 6, "SOURCE is not supported here"),
        ("fields unmask(a)", 7, 13, "unmask is not supported here"),
        ("head 3", 0, 4, "use limit"),
        ("filter a ==1", 10, 11, "'=' was found where an expression"),
        ("filter a && b", 9, 10, "write 'and'"),
        ("filter a ~ b", 9, 10, "write '=~'"),
        ("filter (a = 1", 13, 13, "the query ends where ')'"),
        ("filter a like b", 14, 15, "a text in quotes or a /regular expression/"),
        ("filter a like /(/", 14, 17, "not valid: unclosed group"),
        ("filter a like /x", 14, 16, "no closing '/'"),
        ("filter a like /(?=x)/", 14, 21, "look-around"),
        ("filter a like 'x", 14, 16, "no closing '"),
        ("filter a not 1", 13, 14, "'like' or 'in' after 'not'"),
        ("filter a in (1)", 12, 13, "'['"),
        ("filter `a", 7, 9, "no closing `"),
        ("filter 5x = 1", 7, 9, "neither a number nor a period"),
        ("filter nosuch(1)", 7, 13, "there is no function 'nosuch'; there are bin"),
        ("filter substr(a)", 7, 16, "substr takes 2 to 3 arguments, and 1 are given"),
        ("filter abs()", 7, 12, "abs takes 1 arguments"),
        ("filter concat()", 7, 15, "concat takes 1 or more"),
        ("filter sum(a) > 1", 7, 10, "sum is a function of stats"),
        ("stats count(*), a", 16, 17, "'a' stands outside of a function of stats"),
        ("stats sum(max(a))", 10, 13, "nor in another of them"),
        ("stats avg()", 10, 11, "a field that avg is of"),
        ("stats pct(a, 200)", 13, 16, "a number from 0 to 100"),
        ("stats pct(a)", 11, 12, "','"),
        ("stats count(*) by bin(1)", 22, 23, "a period such as"),
        (
            "stats count(*) as n by a | filter b = 1",
            34,
            35,
            "there is no field 'b' after stats, which gives a, n",
        ),
        ("stats count(*) as n by a | stats sum(n) by bin(5m)", 43, 46, "bin looks at @timestamp"),
        ("stats count(*) as n | stats sum(n) as m | stats sum(m)", 42, 47, "at most 2 stats"),
        ("stats count(*) as n | limit 1 | stats sum(n)", 32, 37, "must follow the second stats"),
        ("fields a | dedup a | sort a", 21, 25, "only limit may follow dedup"),
        ("limit 0", 6, 7, "a whole number from 1 to 10000"),
        ("limit 10001", 6, 11, "a whole number from 1 to 10000"),
        ("limit 1.5", 6, 9, "a whole number"),
        ("parse @message 'a'", 15, 18, "a '*' is expected"),
        ("parse @message '*'", 18, 18, "'as' and the names of the parts"),
        ("parse @message '* *' as a", 15, 20, "takes out 2 parts, and 1 are named"),
        ("parse @message /(a)/", 15, 20, "a group with a name"),
        ("parse @message x", 15, 16, "a glob in quotes or a /regular expression/"),
        ("fields a as", 11, 11, "a name"),
        ("filter a in[1", 13, 13, "']'"),
        ("fields é", 7, 8, "unexpected symbol 'é'"),
        ("fields 5m", 7, 9, "a period goes into bin"),
    ] {
        let error = Query::parse(query).expect_err(query);
        assert!(error.message.contains(part), "{query}: {error}");
        assert_eq!((error.start, error.end), (start, end), "{query}: {error}");
    }
    let error = Query::parse("fields 'ü'\n  | nonsense").unwrap_err();
    assert_eq!((error.line, error.column, error.start), (2, 5, 15));
    assert_eq!(error.to_string(), format!("{} (line 2, column 5)", error.message));
}

#[test]
fn limits_of_the_language() {
    let nested = format!("filter {}1{}", "(".repeat(3000), ")".repeat(3000));
    assert!(Query::parse(&nested).unwrap_err().message.contains("nest deeper than 64"));
    let nested = format!("filter {}a{}", "abs(".repeat(60), ")".repeat(60));
    assert!(Query::parse(&nested).is_ok());
    assert!(Query::parse(&format!("filter {}1", "not ".repeat(2000))).is_ok());
    assert!(Query::parse(&format!("filter {}1", "-".repeat(2000))).is_ok());
    for operator in ["^1", "+1", "*a", " and a", "=1"] {
        assert!(Query::parse(&format!("filter 1{}", operator.repeat(256))).is_ok());
        let error = Query::parse(&format!("filter 1{}", operator.repeat(1000))).unwrap_err();
        assert!(error.message.contains("at most 256 operators"));
    }
    assert!(
        Query::parse(&format!("filter '{}'", "x".repeat(10_000)))
            .unwrap_err()
            .message
            .contains("at most 10000")
    );
    assert!(Query::parse(&format!("fields a{}", ".0".repeat(99))).is_ok());
    assert!(
        Query::parse(&format!("fields a{}", ".0".repeat(100)))
            .unwrap_err()
            .message
            .contains("more than 100 parts")
    );
    let many = |n: usize| Query::parse(&vec!["filter a like /x/"; n].join("|"));
    assert!(many(64).is_ok());
    assert!(many(65).unwrap_err().message.contains("at most 64 regular expressions"));
    let doubled = "| fields concat(@message, @message) as @message ".repeat(40);
    assert_eq!(
        rows(&format!("{doubled} | display ispresent(@message) as p, strlen(@message)"), &["x"]),
        ["p=1 strlen(@message)=0"]
    );
    let doubled: String = (1..60).map(|n| format!(", c{} + c{} as c{n}", n - 1, n - 1)).collect();
    assert_eq!(rows(&format!("stats count(*) as c0{doubled} | display c10"), &["x"]), ["c10=1024"]);
    assert!(Query::parse("filter a like /(x{1000}){1000}/").unwrap_err().message.contains("too much memory"));
}

#[test]
fn literals_of_queries() {
    for (query, expected) in [
        ("fields @message", vec![]),
        ("filter @message like 'ERROR' | stats count(*)", vec!["ERROR"]),
        ("filter @message like /ab+c\\d/ and @message = 'x'", vec!["a", "b", "c", "x"]),
        ("filter @message like 'a' or @message like 'b'", vec![]),
        ("filter @message not like 'a'", vec![]),
        ("fields @message as m | filter m like 'a'", vec!["a"]),
        ("fields 'b' as @message | filter @message like 'a'", vec![]),
        ("filter level = 'ERROR'", vec![]),
        ("limit 5 | filter @message like 'a'", vec![]),
        ("filter @message like 'a' | stats count(*) as n | filter n like 'b'", vec!["a"]),
        ("parse @message '[*]' as l | filter @message like 'a'", vec!["a"]),
    ] {
        assert_eq!(Query::parse(query).unwrap().literals(), expected, "{query}");
    }
}

/// Queries that are mostly right, made of the language's own pieces.
fn query() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "fields",
        "display",
        "filter",
        "stats",
        "sort",
        "limit",
        "parse",
        "dedup",
        "by",
        "as",
        "|",
        ",",
        "(",
        ")",
        "[",
        "]",
        "@message",
        "a",
        "`b c`",
        "a.b[0]",
        "1",
        "2.5",
        "5m",
        "'x'",
        "'*y*'",
        "/x(?<g>y)?/",
        "=",
        "!=",
        ">",
        "like",
        "in",
        "not",
        "and",
        "or",
        "+",
        "-",
        "*",
        "/",
        "^",
        "count(*)",
        "sum(",
        "pct(a, 5)",
        "bin(1h)",
        "strlen(",
        "desc",
        "#",
        "\n",
        "é",
    ]);
    let command = prop::sample::select(vec![
        "fields a",
        "filter @message like 'x'",
        "filter @message like /y+/",
        "filter @message = 'x y'",
        "filter a = 1",
        "filter not @message like 'x'",
        "filter @message like 'x' or a = 1",
        "parse @message 'x*' as c",
        "limit 2",
        "sort a",
        "fields tolower(@message) as @message",
        "dedup a",
        "stats count(*) as n by a",
        "stats max(n)",
        "display n",
    ]);
    prop_oneof![
        prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.join(" ")),
        prop::collection::vec(command, 1..5).prop_map(|commands| commands.join(" | ")),
    ]
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = Query::parse(&text);
    }

    #[test]
    fn no_query_panics(text in query(), messages in prop::collection::vec("(x|y| |\\{\"a\": 1\\}){0,4}", 0..5)) {
        let Ok(query) = Query::parse(&text) else { return Ok(()) };
        let rows = || messages.iter().map(|message| Row { message, ..Row::default() });
        let results = query.run(rows(), Settings::default()).unwrap();
        prop_assert!(results.statistics.records_matched <= results.statistics.records_scanned);
        // To leave out what lacks a literal changes nothing.
        let literals = query.literals();
        let kept = rows().filter(|row| literals.iter().all(|literal| row.message.contains(literal)));
        let same = query.run(kept, Settings::default()).unwrap();
        prop_assert_eq!(results.rows, same.rows, "{} {:?}", text, literals);
        prop_assert_eq!(results.statistics.records_matched, same.statistics.records_matched);
    }

    #[test]
    fn errors_lie_in_the_query(text in query()) {
        if let Err(error) = Query::parse(&text) {
            prop_assert!(error.start <= error.end && error.end <= text.chars().count());
            prop_assert!(error.line >= 1 && error.column >= 1);
        }
    }
}
