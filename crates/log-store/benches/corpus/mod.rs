//! Log lines as a web service writes them, 100 to 150 bytes, the same on every run.

/// The first moment of the events: 2026-01-01.
pub const START: i64 = 1_767_225_600_000;
/// Milliseconds.
pub const HOUR: i64 = 3_600_000;
/// Milliseconds.
pub const DAY: i64 = 24 * HOUR;

/// A source of lines.
pub struct Corpus {
    state: u64,
}

const PATHS: [&str; 8] = [
    "/api/carts/items",
    "/api/orders",
    "/api/orders/status",
    "/api/users/me",
    "/healthz",
    "/api/products/search",
    "/api/products",
    "/static/app.js",
];
const CAUSES: [&str; 4] =
    ["connection reset by peer", "upstream timed out", "no such order", "pool exhausted"];

impl Corpus {
    /// Sources with different seeds write different lines.
    pub fn new(seed: u64) -> Corpus {
        Corpus { state: seed.wrapping_mul(0x2545_f491_4f6c_dd1d) + 0x9e37_79b9 }
    }

    fn random(&mut self) -> u64 {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next line: with its time, a request's id, and numbers that differ.
    pub fn line(&mut self, time: i64) -> String {
        let of_day = time - START;
        let (hour, minute) = (of_day / HOUR % 24, of_day / 60_000 % 60);
        let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
        let (a, b) = (self.random(), self.random());
        let path = PATHS[(a % 8) as usize];
        let when = format!("2026-01-01T{hour:02}:{minute:02}:{second:02}.{milli:03}Z");
        if a >> 32 & 0xff < 5 {
            let cause = CAUSES[(b % 4) as usize];
            return format!(
                "{when} ERROR shop.http request={b:016x} path={path} cause=\"{cause}\" after={}ms",
                b % 5000
            );
        }
        let (user, took, bytes) = (a >> 8 & 0xffff, (b >> 8) % 900, (b >> 20) % 50_000);
        format!(
            "{when} INFO shop.http request={b:016x} user={user} GET {path} status=200 bytes={bytes} took={took}ms"
        )
    }
}
