//! The Amazon Time Sync Service: a small SNTP server (RFC 4330) that tells the host's time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::UdpSocket;

/// A packet without extensions.
const PACKET: usize = 48;
/// Seconds from NTP's epoch (1900) to Unix's (1970), RFC 868.
const EPOCH_OFFSET: u64 = 2_208_988_800;
/// 169.254.169.122: the reference that Amazon's service at 169.254.169.123 names.
const REFERENCE_ID: [u8; 4] = [169, 254, 169, 122];
/// How far from a reference clock; Amazon's service says 3.
const STRATUM: u8 = 3;
/// The clock's precision as a power of two of seconds: about a microsecond.
const PRECISION: i8 = -20;
/// How long to wait after the socket failed.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers until it is aborted.
pub(super) async fn serve(socket: UdpSocket) {
    let mut buffer = [0; 512];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((n, from)) => {
                let now = SystemTime::now();
                if let Some(answer) = buffer.get(..n).and_then(|request| answer(request, now))
                    && let Err(error) = socket.send_to(&answer, from).await
                {
                    tracing::debug!(%from, %error, "the time could not be sent");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the time service cannot receive");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// The answer to a client's request; none to what is not one.
fn answer(request: &[u8], now: SystemTime) -> Option<[u8; PACKET]> {
    let request = request.first_chunk::<PACKET>()?;
    let (version, mode) = (request[0] >> 3 & 0b111, request[0] & 0b111);
    // Mode 3 is a client, 1 a symmetric peer whose question is answered as a client's.
    if !(1..=4).contains(&version) || !(mode == 3 || mode == 1) {
        return None;
    }
    let time = timestamp(now)?;
    let mut packet = [0; PACKET];
    let reply_mode = if mode == 1 { 2 } else { 4 };
    packet[0] = version << 3 | reply_mode;
    packet[1] = STRATUM;
    packet[2] = request[2];
    packet[3] = PRECISION.to_be_bytes()[0];
    // Root delay and dispersion, 16.16 fixed point: below a millisecond, as within one machine.
    packet[4..8].copy_from_slice(&0x0000_0010_u32.to_be_bytes());
    packet[8..12].copy_from_slice(&0x0000_0010_u32.to_be_bytes());
    packet[12..16].copy_from_slice(&REFERENCE_ID);
    packet[16..24].copy_from_slice(&time);
    // The client's transmit time comes back as the originate time.
    packet[24..32].copy_from_slice(&request[40..48]);
    packet[32..40].copy_from_slice(&time);
    packet[40..48].copy_from_slice(&time);
    Some(packet)
}

/// A time as seconds since 1900 and their fraction, 32 bits each. The seconds wrap in 2036 (era 1), as RFC 4330
/// has it; none before 1970.
fn timestamp(time: SystemTime) -> Option<[u8; 8]> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    let seconds = (since.as_secs() + EPOCH_OFFSET) & 0xffff_ffff;
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    Some((seconds << 32 | fraction).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(first: u8) -> Vec<u8> {
        let mut request = vec![0; PACKET];
        request[0] = first;
        request[2] = 6;
        request[40..48].copy_from_slice(b"clientts");
        request
    }

    #[test]
    fn a_client_learns_the_time() {
        let now = UNIX_EPOCH + Duration::from_millis(1_700_000_000_500);
        let answer = answer(&request(0b00_100_011), now).unwrap();
        assert_eq!(answer[0], 0b00_100_100, "no leap second, version 4, server");
        assert_eq!((answer[1], answer[2]), (3, 6));
        assert_eq!(&answer[12..16], &[169, 254, 169, 122]);
        assert_eq!(&answer[24..32], b"clientts");
        let expected = (1_700_000_000_u64 + EPOCH_OFFSET) << 32 | 0x8000_0000;
        for field in [16..24, 32..40, 40..48] {
            assert_eq!(answer[field], expected.to_be_bytes());
        }
    }

    #[test]
    fn the_version_of_the_client_is_kept() {
        assert_eq!(answer(&request(0b00_011_011), UNIX_EPOCH).unwrap()[0], 0b00_011_100);
        assert_eq!(answer(&request(0b00_100_001), UNIX_EPOCH).unwrap()[0], 0b00_100_010, "a symmetric peer");
    }

    #[test]
    fn the_seconds_wrap_in_2036() {
        let wrap = UNIX_EPOCH + Duration::from_secs((1 << 32) - EPOCH_OFFSET);
        assert_eq!(timestamp(wrap), Some([0; 8]));
        assert_eq!(timestamp(UNIX_EPOCH - Duration::from_secs(1)), None);
    }

    #[test]
    fn what_is_no_request_has_no_answer() {
        let cases =
            [vec![], request(0b00_100_011)[..47].to_vec(), request(0b00_100_100), request(0b00_000_011)];
        for case in cases {
            assert_eq!(answer(&case, UNIX_EPOCH), None, "{case:?}");
        }
    }
}
