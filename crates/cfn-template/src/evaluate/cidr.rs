//! `Fn::Cidr`: a block cut into smaller ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a block cannot be cut as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CidrError {
    #[error("Template error: Fn::Cidr: '{0}' is not a CIDR block")]
    Block(String),
    #[error("Template error: Fn::Cidr: the count must be a number from 1 to 256, not '{0}'")]
    Count(String),
    #[error("Template error: Fn::Cidr: the CIDR bits must be a number from 1 to {1}, not '{0}'")]
    Bits(String, u32),
    #[error("Template error: Fn::Cidr: {1} blocks of {2} bits do not fit into {0}")]
    TooMany(String, u128, u32),
}

/// The first `count` blocks in `block` that have `bits` host bits each; 8 when not given.
pub(super) fn blocks(block: &str, count: &str, bits: Option<&str>) -> Result<Vec<String>, CidrError> {
    let (start, prefix, width) = parse(block).ok_or_else(|| CidrError::Block(block.to_owned()))?;
    let parsed = count.trim().parse::<u128>().ok().filter(|count| (1..=256).contains(count));
    let count = parsed.ok_or_else(|| CidrError::Count(count.to_owned()))?;
    let bits = match bits {
        None => 8,
        Some(text) => {
            let bits = text.trim().parse().ok().filter(|bits| (1..=width).contains(bits));
            bits.ok_or_else(|| CidrError::Bits(text.to_owned(), width))?
        }
    };
    let host = width - prefix;
    // Both shifts stay below 128: a larger difference always has room for the at most 256 blocks.
    let fits = bits <= host && (host - bits >= 9 || count <= 1 << (host - bits));
    if !fits {
        return Err(CidrError::TooMany(block.to_owned(), count, bits));
    }
    let address = |index: u128| start.wrapping_add(index.checked_shl(bits).unwrap_or(0));
    Ok((0..count).map(|index| format!("{}/{}", show(address(index), width), width - bits)).collect())
}

/// The block's first address, its prefix length and the width of its addresses.
fn parse(block: &str) -> Option<(u128, u32, u32)> {
    let (address, prefix) = block.trim().split_once('/')?;
    let prefix: u32 = prefix.parse().ok()?;
    let (bits, width) = match address.parse().ok()? {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    if prefix > width {
        return None;
    }
    let host = width - prefix;
    let mask = u128::MAX.checked_shl(host).unwrap_or(0);
    Some((bits & mask, prefix, width))
}

fn show(address: u128, width: u32) -> IpAddr {
    match width {
        // The address was read from 32 bits and the blocks stay inside their block.
        32 => IpAddr::V4(Ipv4Addr::from((address & u128::from(u32::MAX)) as u32)),
        _ => IpAddr::V6(Ipv6Addr::from(address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_cut() {
        let cases: [(&str, &str, Option<&str>, &[&str]); 5] = [
            ("10.0.0.0/16", "2", Some("8"), &["10.0.0.0/24", "10.0.1.0/24"]),
            ("10.0.0.0/16", "2", None, &["10.0.0.0/24", "10.0.1.0/24"]),
            ("192.168.7.9/24", "3", Some("5"), &["192.168.7.0/27", "192.168.7.32/27", "192.168.7.64/27"]),
            ("2001:db8::/56", "2", Some("64"), &["2001:db8::/64", "2001:db8:0:1::/64"]),
            ("0.0.0.0/0", "1", Some("32"), &["0.0.0.0/0"]),
        ];
        for (block, count, bits, expected) in cases {
            assert_eq!(blocks(block, count, bits).unwrap(), expected, "{block}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let cases = [
            ("10.0.0.0", "1", None, "is not a CIDR block"),
            ("10.0.0.0/33", "1", None, "is not a CIDR block"),
            ("10.0.0.0/16", "0", None, "count"),
            ("10.0.0.0/16", "257", None, "count"),
            ("10.0.0.0/16", "1", Some("33"), "bits"),
            ("10.0.0.0/24", "2", None, "do not fit"),
            ("10.0.0.0/24", "1", Some("9"), "do not fit"),
        ];
        for (block, count, bits, expected) in cases {
            let error = blocks(block, count, bits).unwrap_err().to_string();
            assert!(error.contains(expected), "{block}: {error}");
        }
    }
}
