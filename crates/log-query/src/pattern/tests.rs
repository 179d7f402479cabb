use proptest::prelude::*;

use super::{FilterPattern, MAX_CHARS};

fn matches(pattern: &str, message: &str) -> bool {
    FilterPattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")).matches(message)
}

#[track_caller]
fn check(table: &[(&str, &str, bool)]) {
    for (pattern, message, expected) in table {
        assert_eq!(matches(pattern, message), *expected, "{pattern} on {message}");
    }
}

#[test]
fn terms() {
    check(&[
        ("", "anything", true),
        ("  ", "", true),
        (r#""""#, "anything", true),
        ("ERROR", "[ERROR] it broke", true),
        ("ERROR", "Exiting with ERRORCODE: -1", true),
        ("ERROR", "error in lower case", false),
        ("ERROR Exception", "[ERROR] Unhandled Exception", true),
        ("ERROR Exception", "[ERROR] out of disk", false),
        (r#""out of disk""#, "[ERROR] out of disk", true),
        (r#""out of disk""#, "[ERROR] out of the disk", false),
        (r#""say \"no\"""#, r#"they say "no""#, true),
        ("ERROR -Exiting", "ERROR while starting", true),
        ("ERROR -Exiting", "Exiting with ERRORCODE: -1", false),
        (r#""ERROR" - "Exiting""#, "Exiting with ERRORCODE: -1", false),
        (r#"-"a b""#, "a b", false),
        (r#"-"a b""#, "ab", true),
        ("?ERROR ?WARN", "WARN slow", true),
        ("?ERROR ?WARN", "INFO fine", false),
        (r#"?"a b" ?c"#, "x a b y", true),
        // Optional terms count for nothing beside others.
        ("?ERROR REQUEST", "REQUEST came", true),
        ("?ERROR REQUEST", "ERROR came", false),
        ("?ERROR -DEBUG", "INFO fine", true),
    ]);
}

#[test]
fn regular_expressions() {
    check(&[
        ("%ERROR%", "[ERROR] it broke", true),
        ("%^ERROR%", "[ERROR] it broke", false),
        ("%colou?r%", "grey color", true),
        ("%gray|grey%", "a grey day", true),
        ("%[0-9]{3}-[0-9]{4}%", "call 555-0199", true),
        (r"%10\.10\.0\.1%", "from 10.10.0.1", true),
        (r"%10\.10\.0\.1%", "from 10a10b0c1", false),
        (r"%\d\d:\d\d$%", "at 10:59", true),
        (r"%\d%", "٣", false),
        (r"%^\S+\s\w+\W%", "one two!", true),
        (r"%[\d,]+x%", "1,2x", true),
        (r"%\x41%", "A", true),
        (r"%\(\)%", "f()", true),
        (" %a.c% ", "abc", true),
    ]);
}

const TRAIL: &str = r#"{"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"], "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": null, "ThisFlag": true, "That": false, "took": 12.5, "status": 404, "big": 1.2e4,
    "user-agent": "curl", "odd key": {"x.y": "z"}, "text": "tab\tquote\"u\u0041", "grid": [[0, 1], [2, 3]]}"#;

#[test]
fn json() {
    for (pattern, expected) in [
        (r#"{ $.eventType = "UpdateTrail" }"#, true),
        ("{$.eventType=UpdateTrail}", true),
        (r#"{ $.eventType = "Update" }"#, false),
        ("{ $.eventType = Update* }", true),
        ("{ $.eventType = *Trail }", true),
        ("{ $.eventType = *dateT* }", true),
        ("{ $.eventType = Up*Trail }", false),
        ("{ $.eventType = * }", true),
        (r#"{ $.eventType != "UpdateTrail" }"#, false),
        ("{ $.eventType = %^Upd.*l$% }", true),
        ("{ $.eventType != %^Upd.*l$% }", false),
        ("{ $.sourceIPAddress != 123.123.* }", true),
        ("{ $.sourceIPAddress = 111.111.* }", true),
        (r#"{ $.arrayKey[0] = "value" }"#, true),
        (r#"{ $.arrayKey[1] = "value" }"#, false),
        (r#"{ $.arrayKey[*] = "another value" }"#, true),
        (r#"{ $.arrayKey = "value" }"#, false),
        (r#"{ $.arrayKey != "value" }"#, false),
        ("{ $.objectList[1].id = 2 }", true),
        ("{ $.objectList[*].id = 1 }", true),
        ("{ $.objectList[*].id = 3 }", false),
        ("{ $.objectList[*].id = 1 && $.objectList[1].name = b && $.objectList[*].name = a }", true),
        ("{ $.eventType[0] = U }", false),
        ("{ $.grid[1][0] = 2 }", true),
        ("{ $.grid[*][1] = 3 }", true),
        ("{ $.SomeObject IS NULL }", true),
        ("{ $.took IS NULL }", false),
        ("{ $.missing IS NULL }", false),
        ("{ $.missing NOT EXISTS }", true),
        ("{ $.SomeObject NOT EXISTS }", false),
        ("{ $.ThisFlag IS TRUE }", true),
        ("{ $.ThisFlag is true }", true),
        ("{ $.ThisFlag IS FALSE }", false),
        ("{ $.That IS FALSE }", true),
        ("{ $.ThisFlag = true }", true),
        ("{ $.SomeObject = * }", false),
        ("{ $.missing != 1 }", false),
        ("{ $.took >= 12.5 }", true),
        ("{ $.took > 12.5 }", false),
        ("{ $.took < +1.3e1 }", true),
        ("{ $.took <= 10e-3 }", false),
        ("{ $.took > -1 }", true),
        ("{ $.big = 12000 }", true),
        ("{ $.status = 404 }", true),
        ("{ $.status = 404.0 }", true),
        ("{ $.status != 404 }", false),
        ("{ $.status = 4* }", true),
        (r#"{ $.status = "404" }"#, true),
        ("{ $.eventType > 3 }", false),
        ("{ $.user-agent = curl }", true),
        ("{ $.['user-agent'] = curl }", true),
        (r#"{ $["user-agent"] = curl }"#, true),
        ("{ $.['odd key'].['x.y'] = z }", true),
        (r#"{ $.text = "tab	quote\"uA" }"#, true),
        ("{ $.text = *uA }", true),
        ("{ ($.status = 404) && ($.took < 1 || $.That IS FALSE) }", true),
        ("{ $.status = 1 || $.took = 12.5 && $.big > 1 }", true),
        ("{ ($.status = 404 || $.took = 12.5) && $.big < 1 }", false),
        ("{ $.objectList = 1 || $.objectList[0].id = 1 }", true),
    ] {
        assert_eq!(matches(pattern, TRAIL), expected, "{pattern}");
    }
}

#[test]
fn json_asks_for_json() {
    check(&[
        ("{ $.a NOT EXISTS }", "not JSON", false),
        ("{ $.a NOT EXISTS }", "{}", true),
        ("{ $.a NOT EXISTS }", "{} and more", false),
        ("{ $.a = 1 }", r#"  {"a": 1}  "#, true),
        ("{ $.a = 1 }", r#"{"a": 1"#, false),
        ("{ $.a = 1 }", r#"{"b": {"a": 1}}"#, false),
        ("{ $[0].a = 1 }", r#"[{"a": 1}]"#, true),
        // Any character may be written as an escape, in names too.
        (r#"{ $.level = "ERROR" }"#, r#"{"lev\u0065l": "\u0045RROR"}"#, true),
        ("{ $.a.b = 1 && $.a NOT EXISTS }", r#"{"a": {"b": 1}}"#, false),
    ]);
}

const ACCESS: &str =
    r#"127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html?q=\"x\" HTTP/1.0" 404 1534"#;

#[test]
fn columns() {
    for (pattern, expected) in [
        ("[ip, user, username, timestamp, request, status_code, bytes]", true),
        ("[ip, user, username, timestamp, request, status_code]", false),
        ("[ip, user, username, timestamp, request, status_code, bytes, more]", false),
        ("[ip, user, username, timestamp, request, status_code, bytes > 1000]", true),
        ("[ip, user, username, timestamp, request, status_code, bytes > 2e3]", false),
        ("[ip, user, username, timestamp, request, status_code = 404, bytes]", true),
        ("[ip, user, username, timestamp, request =*html*, status_code=4*, bytes]", true),
        ("[ip, user, username, timestamp, request, status_code = 4* && status_code != 404, bytes]", false),
        ("[ip, user, username, timestamp, request, status_code = 403 || status_code = 404, bytes]", true),
        ("[ip, user, username, timestamp, request, status_code = 4* && bytes > 1000]", true),
        (
            "[ip, user, username, timestamp, request, (status_code = 5* || bytes > 1000) && ip = 127*, bytes]",
            true,
        ),
        ("[..., status_code, bytes]", true),
        ("[..., status_code = 404, bytes]", true),
        ("[ip = 127.0.0.1, user, ..., status_code = 404, bytes]", true),
        ("[ip, user, ...]", true),
        ("[ip, user, username = frank, ...]", true),
        ("[..., request=*.html*, status_code=4*,]", true),
        ("[..., request=%^GET .*HTTP%, status_code=%4\\d4%, bytes]", true),
        ("[,,,,,,]", true),
        ("[...]", true),
        ("[a, b, c, ..., d, e, f, g, h]", false),
    ] {
        assert_eq!(matches(pattern, ACCESS), expected, "{pattern}");
    }
    check(&[
        ("[w1=ERROR, w2]", "ERROR message", true),
        ("[w1=ERROR, w2]", "WARN message", false),
        ("[w1=ERROR, w2]", "ERROR WARN message", false),
        ("[w1=ERROR || w1=WARN, w2]", "WARN message", true),
        ("[w1!=ERROR&&w1!=WARN, w2]", "INFO message", true),
        ("[a, b]", "[open bracket", true),
        ("[a]", "", false),
        ("[a, b, c]", "[x]y\"z z\"", true),
        ("[a, b = \"[\", c = y]", "[x] [ y", true),
        ("[a = \"x y\", b]", "[x y] z", true),
    ]);
}

#[test]
fn extracted_fields() {
    let extract = |pattern, message| FilterPattern::parse(pattern).unwrap().extract(message).unwrap();
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(
        extract("[..., request=*.html*, status_code=4*,]", ACCESS),
        pairs(&[
            ("$1", "127.0.0.1"),
            ("$2", "-"),
            ("$3", "frank"),
            ("$4", "10/Oct/2000:13:25:15 -0700"),
            ("$request", r#"GET /index.html?q=\"x\" HTTP/1.0"#),
            ("$status_code", "404"),
            ("$7", "1534"),
        ])
    );
    assert_eq!(extract("[a, ..., z]", "1 2 3"), pairs(&[("$a", "1"), ("$2", "2"), ("$z", "3")]));
    assert_eq!(
        extract("{ $.took > 1 || $.level = * || $.absent = 1 }", r#"{"level": "a\nb", "took": 1.50}"#),
        pairs(&[("$.took", "1.50"), ("$.level", "a\nb")])
    );
    assert_eq!(extract("ERROR", "ERROR"), Vec::new());
    assert_eq!(FilterPattern::parse("ERROR").unwrap().extract("fine"), None);
}

#[test]
fn errors_tell_what_and_where() {
    for (pattern, at, part) in [
        ("ab c.d", 3, "Invalid character(s) in term 'c.d'"),
        ("é \"open", 0, "Invalid character(s)"),
        ("a \"open", 2, "not closed"),
        ("a ?", 3, "a term after '?' or '-' is expected"),
        ("a %x%", 2, "stands alone"),
        ("%x% a", 4, "stands alone"),
        ("%x", 0, "not closed"),
        ("%%", 0, "is expected"),
        ("%a!%", 2, "'!' is not supported"),
        ("%(a)%", 1, "no groups"),
        ("%é%", 1, "not ASCII"),
        (r"%a\b%", 2, r"'\b' is not supported"),
        (r"%\xg%", 1, "hexadecimal"),
        ("%[a%", 0, "not valid"),
        ("{", 1, "a selector"),
        ("{ $.a }", 6, "a comparison"),
        ("{ $.a = }", 8, "is expected"),
        ("{ $.a = 1", 9, "'}', '&&' or '||' is expected"),
        ("{ $.a = 1 } x", 12, "nothing may follow"),
        ("{ ($.a = 1 }", 11, "')', '&&' or '||'"),
        ("{ $.a > abc }", 6, "with numbers only"),
        ("{ $.a IS NOTHING }", 9, "NULL, TRUE or FALSE"),
        ("{ $.a NOT NULL }", 10, "EXISTS after NOT"),
        ("{ $ = 1 }", 3, "'.' and the name"),
        ("{ $.a[x] = 1 }", 6, "an index"),
        ("{ $.a[0 = 1 }", 7, "']'"),
        ("{ $.a = %x% && $.b = %x% || $.c = %x% }", 34, "at most 2 regular expressions"),
        ("[a b]", 3, "a comparison"),
        ("[a, a]", 0, "two columns are named 'a'"),
        ("[a, ..., b, ...]", 12, "one ellipsis"),
        ("[a", 2, "',' or ']'"),
        ("[a] b", 4, "nothing may follow"),
        ("[a IS NULL]", 3, "a comparison"),
    ] {
        let error = FilterPattern::parse(pattern).expect_err(pattern);
        assert!(error.message.contains(part), "{pattern}: {error}");
        assert_eq!(error.at, at, "{pattern}: {error}");
    }
}

#[test]
fn limits() {
    assert!(FilterPattern::parse(&"a".repeat(MAX_CHARS)).is_ok());
    assert!(FilterPattern::parse(&"é".repeat(MAX_CHARS + 1)).unwrap_err().message.contains("1024"));
    let nested = format!("{{ {}$.a = 1{} }}", "(".repeat(500), ")".repeat(500));
    assert!(FilterPattern::parse(&nested).unwrap_err().message.contains("nest deeper"));
    let deep = format!("{{ ${} = 1 }}", ".a".repeat(200));
    assert!(FilterPattern::parse(&deep).unwrap_err().message.contains("deeper than"));
    assert!(FilterPattern::parse("%[a-z]{900}{900}{900}%").is_err());
    // Brackets that nothing closes are each looked at once.
    assert!(matches("[a, ..., z = x]", &format!("{} x", "[ ".repeat(500_000))));
    // A message of any depth is skipped without recursion.
    let message = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches("{ $[0][0].x NOT EXISTS }", &message));
}

#[test]
fn literals_of_patterns() {
    for (pattern, expected) in [
        ("", vec![]),
        ("a \"b c\" -d", vec!["a", "b c"]),
        ("?a ?b", vec![]),
        ("%abc[0-9]+def%", vec!["abc", "def"]),
        ("[a = x*, b = *y* && b != z, c = %q+% || c = r, d > 3]", vec!["x", "y"]),
        ("{ $.a = b }", vec![]),
    ] {
        assert_eq!(FilterPattern::parse(pattern).unwrap().literals(), expected, "{pattern}");
    }
}

/// Patterns that are mostly right, made of the language's own pieces.
fn pattern() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "$.a",
        "$.b[0]",
        "$.c[*].d",
        "=",
        "!=",
        ">",
        "<=",
        "&&",
        "||",
        "1",
        "2.5e1",
        "x*",
        "*",
        "\"x y\"",
        "%x+%",
        "%[xy]\\d%",
        "IS NULL",
        "IS TRUE",
        "NOT EXISTS",
        ",",
        "...",
        "w",
        "v = x",
        "w > 1",
        "?x",
        "-y",
        "x",
        "\"",
        "%",
        " ",
        "é",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.join(" "))
}

/// Messages in which such patterns find something.
fn message() -> impl Strategy<Value = String> {
    let value = prop::sample::select(vec![
        "1",
        "25",
        "\"x y\"",
        "\"xy1\"",
        "null",
        "true",
        "[]",
        "[{\"d\": \"x\"}]",
        "{}",
    ]);
    let object = prop::collection::vec((prop::sample::select(vec!["a", "b", "c", "\\u0061"]), value), 0..4);
    let json = object.prop_map(|pairs| {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}", pairs.join(", "))
    });
    let words =
        prop::sample::select(vec!["x", "y", "w", "xy1", "1", "25", "\"x y\"", "[x y]", "é", "[", "\""]);
    let line = prop::collection::vec(words, 0..6).prop_map(|words| words.join(" "));
    prop_oneof![json, line]
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), message in any::<String>()) {
        if let Ok(pattern) = FilterPattern::parse(&text) {
            let _ = pattern.matches(&message);
        }
    }

    #[test]
    fn what_matches_contains_the_literals(text in pattern(), message in message()) {
        if let Ok(pattern) = FilterPattern::parse(&text) {
            let matches = pattern.matches(&message);
            prop_assert_eq!(pattern.extract(&message).is_some(), matches);
            if matches {
                for literal in pattern.literals() {
                    prop_assert!(message.contains(&literal), "{} lacks {}", message, literal);
                }
            }
        }
    }

    #[test]
    fn a_quoted_phrase_is_found_where_it_is(before in any::<String>(), phrase in any::<String>(), after in any::<String>()) {
        prop_assume!(phrase.chars().count() < 400);
        let quoted = phrase.replace('\\', "\\\\").replace('"', "\\\"");
        let message = format!("{before}{phrase}{after}");
        let pattern = FilterPattern::parse(&format!("\"{quoted}\"")).unwrap();
        prop_assert!(pattern.matches(&message));
        if !phrase.is_empty() {
            let exclusion = FilterPattern::parse(&format!("-\"{quoted}\"")).unwrap();
            prop_assert!(!exclusion.matches(&message));
        }
    }
}
