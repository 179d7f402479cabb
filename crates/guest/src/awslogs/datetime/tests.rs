use super::*;

/// 2024-03-10T12:00:00Z
const NOW: i64 = 1_710_072_000_000;

fn found(format: &str, line: &str) -> Option<String> {
    found_at(format, line, NOW)
}

fn found_at(format: &str, line: &str, now: i64) -> Option<String> {
    let format = DateTimeFormat::new(format, Dialect::Python).unwrap();
    let found = TimeFinder::new(format, TimeZone::Utc).find(line.as_bytes(), now)?;
    Some(jiff::Timestamp::from_millisecond(found.timestamp).unwrap().to_string())
}

#[test]
fn times_are_found_as_pythons_strptime_reads_them() {
    let cases = [
        ("%Y-%m-%dT%H:%M:%SZ", "2024-03-10T11:59:58Z level=info", "2024-03-10T11:59:58Z"),
        ("%Y-%m-%dT%H:%M:%S.%f", "time=\"2024-03-10T11:59:58.123456789Z\"", "2024-03-10T11:59:58.123Z"),
        ("%b %d %H:%M:%S", "Mar  9 01:02:03 host kernel: x", "2024-03-09T01:02:03Z"),
        ("%b %d %H:%M:%S", "mar 09 01:02:03 host", "2024-03-09T01:02:03Z"),
        ("%b %d %H:%M:%S", "Dec 31 23:59:59 host", "2023-12-31T23:59:59Z"),
        ("%b %d %H:%M:%S", "Feb 29 23:59:59 host", "2024-02-29T23:59:59Z"),
        (
            "[%d/%b/%Y:%H:%M:%S %z]",
            "1.2.3.4 - - [10/Mar/2024:13:59:58 +0200] \"GET /\"",
            "2024-03-10T11:59:58Z",
        ),
        ("%d %b %Y %I:%M %p", "10 Mar 2024 12:05 AM", "2024-03-10T00:05:00Z"),
        ("%d %b %Y %I:%M %p", "10 Mar 2024 1:05 pm", "2024-03-10T13:05:00Z"),
        ("%y%m%d %H", "240310 7", "2024-03-10T07:00:00Z"),
        ("%y%m%d %H", "990310 7", "1999-03-10T07:00:00Z"),
        ("%c", "Sun Mar 10 11:59:58 2024", "2024-03-10T11:59:58Z"),
        ("%Y %j", "2024 070", "2024-03-10T00:00:00Z"),
        ("%Y %U %w", "2024 10 0", "2024-03-10T00:00:00Z"),
        ("%Y %W %a", "2024 10 Sun", "2024-03-10T00:00:00Z"),
        ("%G-W%V-%u", "2024-W10-7", "2024-03-10T00:00:00Z"),
        ("%Y-%m-%d %Z", "2024-03-10 UTC", "2024-03-10T00:00:00Z"),
        ("%H:%M:%S", "11:59:58 x", "2024-03-10T11:59:58Z"),
        ("%H:%M:%S", "23:59:58 x", "2024-03-09T23:59:58Z"),
        ("%d %H:%M", "11 10:00", "2024-02-11T10:00:00Z"),
        ("%Y-%m-%d\t%H", "2024-03-10  \t 11", "2024-03-10T11:00:00Z"),
    ];
    for (format, line, expected) in cases {
        assert_eq!(found(format, line).as_deref(), Some(expected), "{format} in {line}");
    }
}

#[test]
fn a_line_without_a_time_has_none() {
    let cases = [
        ("%Y-%m-%d", "no time at all"),
        ("%Y-%m-%d", "2024-13-01"),
        // The first that looks like one is it, even when there is no such day.
        ("%Y-%m-%d", "2024-02-30 2024-02-28"),
        ("%H:%M:%S", "12:00:60"),
        ("%Y %G-%V-%u", "2024 2024-99-1"),
    ];
    for (format, line) in cases {
        assert_eq!(found(format, line), None, "{format} in {line}");
    }
}

#[test]
fn a_missing_year_is_this_or_last() {
    // 2025-01-01T00:00:10Z
    let new_year = 1_735_689_610_000;
    for (line, expected) in [
        ("Dec 31 23:59:59", "2024-12-31T23:59:59Z"),
        ("Jan  1 00:00:01", "2025-01-01T00:00:01Z"),
        ("Feb 29 00:00:00", "2024-02-29T00:00:00Z"),
    ] {
        assert_eq!(found_at("%b %d %H:%M:%S", line, new_year).as_deref(), Some(expected), "{line}");
    }
}

#[test]
fn the_place_of_a_time_is_known() {
    let format = DateTimeFormat::new("%H:%M", Dialect::Python).unwrap();
    let found = TimeFinder::new(format, TimeZone::Utc).find(b"at 12:34 o'clock", NOW).unwrap();
    assert_eq!(found.at, 3..8);
}

/// What Amazon's agent itself made of the same lines (strptime_cases.py).
#[test]
fn amazons_agent_finds_the_same() {
    for case in include_str!("strptime_cases.tsv").lines() {
        let [format, line, expected] = case.split('\t').collect::<Vec<_>>()[..] else { panic!("{case}") };
        let format = DateTimeFormat::new(format, Dialect::Python).unwrap();
        let found = TimeFinder::new(format, TimeZone::Utc).find(line.as_bytes(), NOW);
        assert_eq!(found.map(|found| found.timestamp), expected.parse().ok(), "{case}");
    }
}
