//! Which groups of four bytes occur in a block's messages, so that blocks without a wanted literal are not read.
//!
//! A bitmap with one bit per group, chosen by hashing: a literal has several groups, each of which must be there,
//! which does what a Bloom filter's several hashes do for single keys, at less space. Only every second group (by
//! its hash) is taken, which halves the bitmap; a literal without such a group cannot be looked up.

/// Bits of the smallest and of the largest bitmap.
const SMALLEST: usize = 1 << 9;
const LARGEST: usize = 1 << 20;
/// A bitmap is halved while fewer bits than one in this many would be set.
const SPARSE: usize = 2;

/// Collects the groups of a block.
pub(crate) struct Builder {
    bits: Vec<u64>,
}

fn hashes(text: &[u8]) -> impl Iterator<Item = u32> {
    text.array_windows::<4>()
        // The upper half of the product depends on all four bytes.
        .map(|window| {
            (u64::from(u32::from_le_bytes(*window)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
        })
        .filter(|hash| hash >> 31 == 0)
}

impl Builder {
    /// For a block with this many bytes of messages.
    pub(crate) fn new(bytes: usize) -> Builder {
        let bits = (bytes * 2).next_power_of_two().clamp(SMALLEST, LARGEST);
        Builder { bits: vec![0; bits / 64] }
    }

    pub(crate) fn add(&mut self, message: &str) {
        let mask = self.bits.len() * 64 - 1;
        for hash in hashes(message.as_bytes()) {
            let bit = hash as usize & mask;
            self.bits[bit / 64] |= 1 << (bit % 64);
        }
    }

    /// The bitmap, as small as it is of use.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut bits = self.bits;
        while bits.len() * 64 > SMALLEST {
            let (low, high) = bits.split_at(bits.len() / 2);
            let folded: Vec<u64> = low.iter().zip(high).map(|(low, high)| low | high).collect();
            let set: usize = folded.iter().map(|word| word.count_ones() as usize).sum();
            if set * SPARSE > folded.len() * 64 {
                break;
            }
            bits = folded;
        }
        bits.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

/// Whether a message with this literal may have been added to a bitmap. Its length must be a power of two.
pub(crate) fn may_contain(bitmap: &[u8], literal: &str) -> bool {
    let Some(mask) = (bitmap.len() * 8).checked_sub(1) else { return true };
    hashes(literal.as_bytes()).all(|hash| {
        let bit = hash as usize & mask;
        bitmap[bit / 8] & (1 << (bit % 8)) != 0
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bitmap(messages: &[String]) -> Vec<u8> {
        let mut builder = Builder::new(messages.iter().map(String::len).sum());
        messages.iter().for_each(|message| builder.add(message));
        builder.finish()
    }

    proptest! {
        #[test]
        fn whatever_is_in_a_message_is_found(
            messages in prop::collection::vec("[a-f0-9é ]{0,60}", 1..40), which: usize, from: usize, to: usize
        ) {
            let message = &messages[which % messages.len()];
            let (from, to) = (from % (message.len() + 1), to % (message.len() + 1));
            if let Some(literal) = message.get(from.min(to)..from.max(to)) {
                prop_assert!(may_contain(&bitmap(&messages), literal));
            }
        }
    }

    #[test]
    fn a_request_id_that_is_not_there_is_told() {
        let id = |n: u64| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let messages: Vec<String> =
            (0..500).map(|n| format!("GET /items/{n} id={} in 12 ms", id(n))).collect();
        let bitmap = bitmap(&messages);
        assert!(bitmap.len() <= 4096, "{}", bitmap.len());
        let wrong = (1000..2000).filter(|n| may_contain(&bitmap, &id(*n))).count();
        assert!(wrong < 100, "{wrong} of 1000 found that are not there");
        assert!(may_contain(&bitmap, &id(7)));
    }

    #[test]
    fn short_literals_are_never_told_to_be_missing() {
        assert!(may_contain(&bitmap(&["hello".to_owned()]), "zzz"));
        assert!(may_contain(&[], "zzzz"));
    }
}
