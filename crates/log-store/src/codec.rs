//! Numbers in files: LEB128, signed ones in zigzag, so that small differences take one byte.

use integer_encoding::VarInt;

/// Writes numbers behind a buffer's end.
pub(crate) trait Put {
    fn put<T: VarInt>(&mut self, number: T);
}

impl Put for Vec<u8> {
    fn put<T: VarInt>(&mut self, number: T) {
        let mut room = [0; 10];
        let length = number.encode_var(&mut room);
        self.extend_from_slice(&room[..length]);
    }
}

/// Reads what [`Put`] wrote. `None` means that the bytes end too early or hold no number.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn get<T: VarInt>(&mut self) -> Option<T> {
        let (number, length) = T::decode_var(self.rest)?;
        self.rest = self.rest.get(length..)?;
        Some(number)
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A count of things that take at least one byte each: never more than there are bytes, so that a damaged
    /// file cannot ask for all the memory.
    pub(crate) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.get::<u64>()?).ok()?;
        (count <= self.rest.len()).then_some(count)
    }
}
