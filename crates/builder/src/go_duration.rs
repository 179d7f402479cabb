//! Durations as Go prints them: `1m30s`, `1.5s`, `250ms`.

use std::time::Duration;

/// As Go's `time.Duration` prints itself.
pub(crate) fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds == 0 {
        return match duration.subsec_nanos() {
            0 => "0s".to_owned(),
            nanos @ 1..1_000 => format!("{nanos}ns"),
            nanos @ 1_000..1_000_000 => fraction(nanos, 1_000, "µs"),
            nanos => fraction(nanos, 1_000_000, "ms"),
        };
    }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let rest = match duration.subsec_nanos() {
        0 => format!("{}s", seconds % 60),
        nanos => format!("{}.{}s", seconds % 60, format!("{nanos:09}").trim_end_matches('0')),
    };
    match (hours, minutes) {
        (0, 0) => rest,
        (0, minutes) => format!("{minutes}m{rest}"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}"),
    }
}

fn fraction(nanos: u32, unit: u32, name: &str) -> String {
    let whole = nanos / unit;
    match nanos % unit {
        0 => format!("{whole}{name}"),
        rest => {
            let digits = unit.ilog10() as usize;
            let rest = format!("{rest:0digits$}");
            format!("{whole}.{}{name}", rest.trim_end_matches('0'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Go's documentation and `time_test.go` have.
    #[test]
    fn durations_are_gos() {
        let cases = [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (10_000_000_000, "10s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (480_000_000_001, "8m0.000000001s"),
        ];
        for (nanos, expected) in cases {
            assert_eq!(go_duration(Duration::from_nanos(nanos)), expected);
        }
    }
}
