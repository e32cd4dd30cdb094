// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a log lives. The log's format is not known here: a storage keeps bytes.

use core::fmt;

use crate::bytes::copy;

/// Append-only bytes.
///
/// # Contract
///
/// [`append`](Self::append) stores all its parts or nothing, and succeeds whenever
/// [`room`](Self::room) said that they fit: the log extends a register between the two, and an
/// extension cannot be taken back. A storage that can still fail then (a file) makes the log go
/// out of sync, which the log records.
pub trait Storage {
    /// The storage's error.
    type Error: core::error::Error + Copy;

    /// How many bytes are stored.
    fn len(&self) -> u64;

    /// Whether nothing is stored.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many more bytes fit.
    fn room(&self) -> u64;

    /// Stores the parts one after the other behind what is there.
    ///
    /// # Errors
    ///
    /// If they do not fit or cannot be written; then nothing is stored.
    fn append(&mut self, parts: &[&[u8]]) -> Result<(), Self::Error>;

    /// Reads from `offset` and returns how many bytes were read: as many as fit `out` unless the
    /// content ends before.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize, Self::Error>;

    /// All bytes as one slice, where that costs nothing.
    fn as_slice(&self) -> Option<&[u8]> {
        None
    }
}

impl<T: Storage + ?Sized> Storage for &mut T {
    type Error = T::Error;

    fn len(&self) -> u64 {
        T::len(self)
    }

    fn room(&self) -> u64 {
        T::room(self)
    }

    fn append(&mut self, parts: &[&[u8]]) -> Result<(), Self::Error> {
        T::append(self, parts)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize, Self::Error> {
        T::read_at(self, offset, out)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        T::as_slice(self)
    }
}

/// The parts do not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room in the log's storage")
    }
}

impl core::error::Error for NoRoom {}

/// A log in a slice of the caller, for example a page that firmware hands to the kernel.
#[derive(Debug)]
pub struct SliceStorage<'s> {
    bytes: &'s mut [u8],
    len: usize,
}

impl<'s> SliceStorage<'s> {
    /// An empty log in `bytes`.
    #[must_use]
    pub const fn new(bytes: &'s mut [u8]) -> Self {
        Self { bytes, len: 0 }
    }

    /// A log that is already there in the first `len` of `bytes`; `None` if there are fewer.
    #[must_use]
    pub fn with_content(bytes: &'s mut [u8], len: usize) -> Option<Self> {
        (len <= bytes.len()).then_some(Self { bytes, len })
    }

    /// The log.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Storage for SliceStorage<'_> {
    type Error = NoRoom;

    fn len(&self) -> u64 {
        u64::try_from(self.len).unwrap_or(u64::MAX)
    }

    fn room(&self) -> u64 {
        u64::try_from(self.bytes.len().saturating_sub(self.len)).unwrap_or(u64::MAX)
    }

    fn append(&mut self, parts: &[&[u8]]) -> Result<(), NoRoom> {
        let mut free = self.bytes.get_mut(self.len..).ok_or(NoRoom)?;
        let mut len = self.len;
        for part in parts {
            let (target, rest) = free.split_at_mut_checked(part.len()).ok_or(NoRoom)?;
            copy(part, target);
            len = len.saturating_add(part.len());
            free = rest;
        }
        // What was copied counts only from here on.
        self.len = len;
        Ok(())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize, NoRoom> {
        Ok(read_slice(self.as_bytes(), offset, out))
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(self.as_bytes())
    }
}

/// A log of fixed capacity that owns its bytes.
#[cfg(feature = "heapless")]
#[derive(Clone, Default, Debug)]
pub struct HeaplessStorage<const N: usize>(heapless::Vec<u8, N>);

#[cfg(feature = "heapless")]
impl<const N: usize> HeaplessStorage<N> {
    /// An empty log.
    #[must_use]
    pub const fn new() -> Self {
        Self(heapless::Vec::new())
    }

    /// The log.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(feature = "heapless")]
impl<const N: usize> Storage for HeaplessStorage<N> {
    type Error = NoRoom;

    fn len(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    fn room(&self) -> u64 {
        u64::try_from(N.saturating_sub(self.0.len())).unwrap_or(u64::MAX)
    }

    fn append(&mut self, parts: &[&[u8]]) -> Result<(), NoRoom> {
        let before = self.0.len();
        for part in parts {
            if self.0.extend_from_slice(part).is_err() {
                self.0.truncate(before);
                return Err(NoRoom);
            }
        }
        Ok(())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize, NoRoom> {
        Ok(read_slice(&self.0, offset, out))
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(&self.0)
    }
}

/// Copies from `offset` of `bytes` to `out` and returns how many bytes that were.
pub(crate) fn read_slice(bytes: &[u8], offset: u64, out: &mut [u8]) -> usize {
    let from = usize::try_from(offset).unwrap_or(usize::MAX);
    let source = bytes.get(from..).unwrap_or_default();
    copy(source, out);
    source.len().min(out.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behaves(mut storage: impl Storage<Error = NoRoom>) {
        assert_eq!((storage.len(), storage.room()), (0, 8));
        storage.append(&[b"ab", b"", b"c"]).unwrap();
        assert_eq!(storage.append(&[b"1234", b"56"]), Err(NoRoom));
        assert_eq!((storage.len(), storage.room()), (3, 5));
        storage.append(&[b"12345"]).unwrap();
        assert_eq!(storage.room(), 0);
        assert_eq!(storage.as_slice().unwrap(), b"abc12345");
        let mut out = [0; 4];
        assert_eq!(storage.read_at(6, &mut out), Ok(2));
        assert_eq!(&out[..2], b"45");
        assert_eq!(storage.read_at(8, &mut out), Ok(0));
        assert_eq!(storage.read_at(u64::MAX, &mut out), Ok(0));
    }

    #[test]
    fn storages_append_all_or_nothing() {
        behaves(SliceStorage::new(&mut [0; 8]));
        #[cfg(feature = "heapless")]
        behaves(HeaplessStorage::<8>::new());
    }
}
