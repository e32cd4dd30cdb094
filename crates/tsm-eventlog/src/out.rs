// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where bytes are written: a caller's buffer, hashes, or nowhere but a count.

use tsm_core::hex;
use tsm_core::{Algorithm, Digest, Hasher};

use crate::bytes::Bytes;
use crate::error::{Error, ErrorKind};

/// Takes bytes.
pub(crate) trait Out {
    /// # Errors
    ///
    /// [`ErrorKind::NoRoom`].
    fn put(&mut self, bytes: &[u8]) -> Result<(), ErrorKind>;

    /// The bytes meant.
    fn put_bytes(&mut self, bytes: Bytes<'_>) -> Result<(), ErrorKind> {
        if let Some(raw) = bytes.as_raw() {
            return self.put(raw);
        }
        // In pieces, for the sake of hashes.
        let mut piece = [0; 64];
        let mut rest = bytes.iter();
        loop {
            let count = piece.iter_mut().zip(&mut rest).map(|(to, from)| *to = from).count();
            if count == 0 {
                return Ok(());
            }
            self.put(piece.get(..count).unwrap_or_default())?;
        }
    }

    /// In hexadecimal.
    fn put_hex(&mut self, bytes: Bytes<'_>) -> Result<(), ErrorKind> {
        bytes.iter().try_for_each(|byte| self.put(&hex::digits(byte)))
    }

    /// In decimal.
    fn put_number(&mut self, number: u64) -> Result<(), ErrorKind> {
        let mut digits = [0; 20];
        let (mut rest, mut count) = (number, 0_usize);
        for place in digits.iter_mut().rev() {
            *place = u8::try_from(rest % 10).unwrap_or_default().saturating_add(b'0');
            rest /= 10;
            count = count.saturating_add(1);
            if rest == 0 {
                break;
            }
        }
        let from = digits.len().saturating_sub(count);
        self.put(digits.get(from..).unwrap_or_default())
    }
}

/// A caller's buffer.
#[derive(Debug)]
pub(crate) struct Room<'b> {
    pub(crate) buffer: &'b mut [u8],
    pub(crate) used: usize,
}

impl<'b> Room<'b> {
    pub(crate) const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, used: 0 }
    }

    pub(crate) fn written(&self) -> &[u8] {
        self.buffer.get(..self.used).unwrap_or_default()
    }
}

impl Out for Room<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
        let end = self.used.checked_add(bytes.len()).ok_or(ErrorKind::NoRoom)?;
        let room = self.buffer.get_mut(self.used..end).ok_or(ErrorKind::NoRoom)?;
        room.copy_from_slice(bytes);
        self.used = end;
        Ok(())
    }
}

/// What `write` writes, at the front of `out`.
pub(crate) fn written(
    out: &mut [u8],
    write: impl FnOnce(&mut dyn Out) -> Result<(), ErrorKind>,
) -> Result<&[u8], Error> {
    let mut room = Room::new(out);
    write(&mut room).map_err(Error::call)?;
    let used = room.used;
    Ok(out.get(..used).unwrap_or_default())
}

/// Only counts.
#[derive(Debug, Default)]
pub(crate) struct Count(pub(crate) usize);

impl Out for Count {
    fn put(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(())
    }
}

impl Out for Hasher {
    fn put(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
        self.update(bytes);
        Ok(())
    }
}

/// Hashes what `write` writes.
pub(crate) fn hash(
    algorithm: Algorithm,
    write: impl FnOnce(&mut Hasher) -> Result<(), ErrorKind>,
) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    // A hash takes all there is.
    let _: Result<(), ErrorKind> = write(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_room() {
        for number in [0, 9, 10, 1234, u64::MAX] {
            let mut buffer = [0; 20];
            let mut room = Room::new(&mut buffer);
            room.put_number(number).unwrap();
            assert_eq!(room.written(), number.to_string().as_bytes());
        }
        let mut buffer = [0; 3];
        let mut room = Room::new(&mut buffer);
        assert_eq!(room.put(b"ab"), Ok(()));
        assert_eq!(room.put(b"cd"), Err(ErrorKind::NoRoom));
        assert_eq!(room.written(), b"ab");
    }

    #[test]
    fn hexadecimal_is_hashed_as_the_bytes_meant() {
        let digits: String = (0..200u8).map(|byte| format!("{byte:02x}")).collect();
        let raw: Vec<u8> = (0..200).collect();
        let bytes = Bytes::hex(digits.as_bytes()).unwrap();
        for &algorithm in Algorithm::ALL {
            assert_eq!(hash(algorithm, |out| out.put_bytes(bytes)), algorithm.hash(&raw));
        }
    }
}
