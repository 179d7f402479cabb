use crate::insights::{Query, Row, Settings};

/// The value of an expression for a message, as results show it.
fn value(expression: &str, message: &str) -> Option<String> {
    let query = Query::parse(&format!("fields {expression} as x"))
        .unwrap_or_else(|error| panic!("{expression}: {error}"));
    let row =
        Row { message, timestamp: 1_774_003_217_042, ingestion_time: 1_774_003_218_000, ..Row::default() };
    let settings = Settings { now: 1_774_003_299_999, limit: None };
    let results = query.run([row], settings).unwrap();
    results.rows[0].get("x").map(str::to_owned)
}

const MESSAGE: &str = r#"{"n": -2.5, "t": "xyZfooxyZ", "blank": "  ", "empty": "", "nothing": null, "yes": true, "no": false,
    "ip": "10.0.3.9", "six": "2001:db8::1", "u": "Grüße", "js": "{\"a\": [1, {\"b c\": \"d\"}]}", "count": 404}"#;

#[test]
fn arithmetic() {
    for (expression, expected) in [
        ("1 + 2 * 3", Some("7")),
        ("(1 + 2) * 3", Some("9")),
        ("2 ^ 3", Some("8")),
        ("2 ^ 3 ^ 2", Some("512")),
        ("-2 ^ 2", Some("4")),
        ("10 % 3", Some("1")),
        ("10 / 4", Some("2.5")),
        ("1 / 0", None),
        ("1 - 2 - 3", Some("-4")),
        ("8 / 4 / 2", Some("1")),
        ("n * 2", Some("-5")),
        ("-n", Some("2.5")),
        ("- -n", Some("-2.5")),
        ("count + 1", Some("405")),
        ("t + 1", None),
        ("missing + 1", None),
        ("yes + yes", Some("2")),
        (".5 + 1e1", Some("10.5")),
    ] {
        assert_eq!(value(expression, MESSAGE).as_deref(), expected, "{expression}");
    }
}

#[test]
fn conditions() {
    for (expression, expected) in [
        ("count = 404", "1"),
        ("count = '404'", "1"),
        ("count != 404", "0"),
        ("count > 1e2 and count <= 404", "1"),
        ("count < 9", "0"),
        ("t > 'xyA'", "1"),
        ("missing = 1", "0"),
        ("missing != 1", "1"),
        ("missing < 1 or missing >= 1", "0"),
        ("missing = missing", "0"),
        ("nothing = ''", "0"),
        ("not count = 404", "0"),
        ("not not count = 404", "1"),
        ("count = 1 or count = 404 and n < 0", "1"),
        ("(count = 1 or count = 404) and n > 0", "0"),
        ("t like 'foo'", "1"),
        ("t like /^xy.foo/", "1"),
        ("t like /FOO/", "0"),
        ("t like /(?i)FOO/", "1"),
        ("t =~ /o+x/", "1"),
        ("t =~ 'foo'", "1"),
        ("t not like 'foo'", "0"),
        ("missing like /x/", "0"),
        ("missing not like /x/", "1"),
        ("count like /4\\d4/", "1"),
        ("count in [300, 404]", "1"),
        ("t in ['xyZfooxyZ']", "1"),
        ("t in ['foo']", "0"),
        ("t not in ['foo', 1]", "1"),
        ("missing not in ['foo']", "1"),
        ("count in []", "0"),
        ("yes", "1"),
        ("yes = true and no = false", "1"),
        ("yes = 1 and no = 0", "1"),
        ("yes = 'true'", "1"),
        ("`t` = 'xyZfooxyZ'", "1"),
        ("@timestamp < @ingestionTime", "1"),
        ("@timestamp like '2026-03-20'", "1"),
        ("@requestId = 'x'", "0"),
    ] {
        assert_eq!(value(expression, MESSAGE).as_deref(), Some(expected), "{expression}");
    }
}

#[test]
fn functions() {
    for (expression, expected) in [
        ("abs(n)", Some("2.5")),
        ("ceil(n)", Some("-2")),
        ("floor(n)", Some("-3")),
        ("sqrt(16)", Some("4")),
        ("sqrt(n)", None),
        ("log(1)", Some("0")),
        ("log(0)", None),
        ("greatest(1, n, count, missing)", Some("404")),
        ("least(1, n, t)", Some("-2.5")),
        ("isPresent(n)", Some("1")),
        ("ISPRESENT(missing)", Some("0")),
        ("ispresent(nothing)", Some("0")),
        ("coalesce(missing, nothing, t)", Some("xyZfooxyZ")),
        ("coalesce(missing)", None),
        ("isempty(empty)", Some("1")),
        ("isempty(missing)", Some("1")),
        ("isempty(blank)", Some("0")),
        ("isblank(blank)", Some("1")),
        ("isblank(t)", Some("0")),
        ("concat(t, '-', count, missing)", Some("xyZfooxyZ-404")),
        ("ltrim(t, 'xyZ')", Some("fooxyZ")),
        ("rtrim(t, 'xyZ')", Some("xyZfoo")),
        ("trim(t, 'xyZ')", Some("foo")),
        ("trim('  a b ')", Some("a b")),
        ("ltrim('  a ')", Some("a ")),
        ("rtrim(' a  ')", Some(" a")),
        ("strlen(u)", Some("5")),
        ("strlen(missing)", None),
        ("toupper(u)", Some("GRÜSSE")),
        ("tolower('ÄB')", Some("äb")),
        ("substr(t, 3, 3)", Some("foo")),
        ("substr(u, 2)", Some("üße")),
        ("substr(u, 99)", Some("")),
        ("substr(u, -1, 1)", Some("G")),
        ("replace('foo', 'o', '0')", Some("f00")),
        ("replace('foo', '', 'x')", Some("foo")),
        ("strcontains(t, 'foo')", Some("1")),
        ("strcontains(t, 'bar')", Some("0")),
        ("strcontains(missing, 'bar')", Some("0")),
        ("bin(5m)", Some("2026-03-20 10:40:00.000")),
        ("bin(1 h)", None),
        ("datefloor(@timestamp, 1h)", Some("2026-03-20 10:00:00.000")),
        ("dateceil(@timestamp, 1d)", Some("2026-03-21 00:00:00.000")),
        ("toMillis(@timestamp)", Some("1774003217042")),
        ("fromMillis(1774003217042)", Some("2026-03-20 10:40:17.042")),
        ("fromMillis(t)", None),
        ("now()", Some("1774003299")),
        ("@ingestionTime - @timestamp", Some("958")),
        ("isValidIp(ip)", Some("1")),
        ("isValidIp(six)", Some("1")),
        ("isValidIp(t)", Some("0")),
        ("isValidIpV4(six)", Some("0")),
        ("isValidIpV6(six)", Some("1")),
        ("isIpInSubnet(ip, '10.0.0.0/16')", Some("1")),
        ("isIpv4InSubnet(ip, '10.0.4.0/24')", Some("0")),
        ("isIpv6InSubnet(six, '2001:db8::/32')", Some("1")),
        ("isIpv6InSubnet(ip, '2001:db8::/32')", Some("0")),
        ("jsonStringify(jsonParse('[1,  2]'))", Some("[1,2]")),
        ("jsonParse('3')", Some("3")),
        ("jsonParse('{')", None),
    ] {
        if expression == "bin(1 h)" {
            assert!(Query::parse("fields bin(1 h)").is_err());
            continue;
        }
        assert_eq!(value(expression, MESSAGE).as_deref(), expected, "{expression}");
    }
}

#[test]
fn parts_of_parsed_json() {
    for (field, expected) in [
        ("p.a[0]", Some("1")),
        ("p.a.1.`b c`", Some("d")),
        ("p.a[7]", None),
        ("p.a", Some(r#"[1,{"b c":"d"}]"#)),
        ("p.x.y", None),
        ("p", Some(r#"{"a":[1,{"b c":"d"}]}"#)),
    ] {
        let query =
            Query::parse(&format!("fields jsonParse(js) as p | fields {field} as x | display x")).unwrap();
        let results = query.run([Row { message: MESSAGE, ..Row::default() }], Settings::default()).unwrap();
        assert_eq!(results.rows[0].get("x"), expected, "{field}");
    }
}
