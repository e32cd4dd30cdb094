// SPDX-License-Identifier: MIT OR Apache-2.0
//! A log in a buffer that C keeps: a pointer, never a reference that would last longer than a call.

use tsm_core::log::{NoRoom, Storage};

/// The caller's buffer.
pub(crate) struct Buffer {
    start: *mut u8,
    capacity: usize,
    /// So many bytes, at most `capacity`, are the log.
    len: usize,
}

impl Buffer {
    /// A log in the first `len` bytes of a buffer; `None` if the buffer has fewer.
    ///
    /// # Safety
    ///
    /// For as long as this value is used: `start` is valid for reads and writes of `capacity` bytes
    /// (`start` may be anything if that is 0), of which the first `len` are initialised; nobody
    /// else writes to them while one of the methods runs; nothing that is handed to `append` or
    /// `read_at` overlaps them.
    pub(crate) const unsafe fn new(start: *mut u8, capacity: usize, len: usize) -> Option<Self> {
        if len <= capacity { Some(Self { start, capacity, len }) } else { None }
    }

    pub(crate) const fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) const fn start(&self) -> *mut u8 {
        self.start
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The log.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: by `new`, `start` is valid for reads of `capacity` bytes, the first `len` are
        // initialised by the caller or by `append`, and nobody writes to them while the slice is in
        // use: it ends with the call, and no callback runs while a method's result is in use.
        unsafe { core::slice::from_raw_parts(self.start, self.len) }
    }
}

impl Storage for Buffer {
    type Error = NoRoom;

    fn len(&self) -> u64 {
        u64::try_from(self.len).unwrap_or(u64::MAX)
    }

    fn room(&self) -> u64 {
        u64::try_from(self.capacity.saturating_sub(self.len)).unwrap_or(u64::MAX)
    }

    fn append(&mut self, parts: &[&[u8]]) -> Result<(), NoRoom> {
        let end = parts.iter().try_fold(self.len, |end, part| end.checked_add(part.len()));
        if end.is_none_or(|end| end > self.capacity) {
            return Err(NoRoom);
        }
        for part in parts {
            let to = self.start.wrapping_add(self.len);
            // SAFETY: `copy_nonoverlapping` wants a source that is valid for reads, which a slice
            // is; a target that is valid for writes of as many bytes: they lie within `capacity`
            // because all parts fit, and `new` was promised that much; and no overlap, promised
            // there too. Bytes have alignment 1.
            unsafe { core::ptr::copy_nonoverlapping(part.as_ptr(), to, part.len()) };
            self.len = self.len.saturating_add(part.len());
        }
        Ok(())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize, NoRoom> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let source = self.as_bytes().get(from..).unwrap_or_default();
        for (to, from) in out.iter_mut().zip(source) {
            *to = *from;
        }
        Ok(source.len().min(out.len()))
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(self.as_bytes())
    }
}
