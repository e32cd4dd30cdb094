// SPDX-License-Identifier: MIT OR Apache-2.0
//! Caller's pointers: checked for all that can be checked, then turned into slices and values.

use core::ffi::c_char;

use crate::status::{
    Result, TSM_ERR_LENGTH, TSM_ERR_MISALIGNED, TSM_ERR_NULL, TSM_ERR_OVERLAP, tsm_status,
};

/// Types that C may hand over.
///
/// # Safety
///
/// Every bit pattern is a value of the type.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: Reference, "Behavior considered undefined": an integer has no invalid initialised value.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for usize {}
// SAFETY: a raw pointer may be any address.
unsafe impl<T> Plain for *const T {}

/// Addresses from `start` up to `end`, of an object that could exist.
#[derive(Clone, Copy)]
pub(crate) struct Region {
    start: usize,
    end: usize,
}

impl Region {
    /// Where `count` values of `T` at `start` lie.
    ///
    /// # Errors
    ///
    /// NULL (unless there are no values), misaligned, more than `isize::MAX` bytes, or past the end
    /// of the address space.
    pub(crate) fn of<T>(start: *const T, count: usize) -> Result<Self> {
        let address = start.addr();
        if start.is_null() && count > 0 {
            return Err(TSM_ERR_NULL);
        }
        if !start.is_aligned() {
            return Err(TSM_ERR_MISALIGNED);
        }
        let size = size_of::<T>().checked_mul(count).filter(|size| isize::try_from(*size).is_ok());
        let end = size.and_then(|size| address.checked_add(size)).ok_or(TSM_ERR_LENGTH)?;
        Ok(Self { start: address, end })
    }

    /// One value at `start`.
    pub(crate) fn one<T>(start: *const T) -> Result<Self> {
        Self::of(start, 1)
    }

    /// One value at `start`; nothing if it is NULL.
    pub(crate) fn optional<T>(start: *const T) -> Result<Self> {
        Self::of(start, usize::from(!start.is_null()))
    }

    /// A region without bytes overlaps nothing.
    const fn overlaps(self, other: Self) -> bool {
        let empty = self.start == self.end || other.start == other.end;
        !empty && self.start < other.end && other.start < self.end
    }
}

/// Refuses overlapping regions: none of `written` may overlap another region of either list.
pub(crate) fn disjoint(written: &[Region], read: &[Region]) -> Result {
    let mut rest = written;
    while let [first, after @ ..] = rest {
        if after.iter().chain(read).any(|other| first.overlaps(*other)) {
            return Err(TSM_ERR_OVERLAP);
        }
        rest = after;
    }
    Ok(())
}

/// The `count` values at `start`.
///
/// # Errors
///
/// As [`Region::of`].
///
/// # Safety
///
/// If the checks pass, `count` initialised values lie at `start`, and nobody writes to them while
/// the slice is in use.
pub(crate) unsafe fn slice<'c, T: Plain>(start: *const T, count: usize) -> Result<&'c [T]> {
    Region::of(start, count)?;
    if count == 0 {
        return Ok(&[]);
    }
    // SAFETY: `core::slice::from_raw_parts` wants a non-null, aligned pointer and a size of at most
    // `isize::MAX` that does not wrap around: all checked above. The caller vouches for the rest:
    // initialised values that are not mutated meanwhile.
    Ok(unsafe { core::slice::from_raw_parts(start, count) })
}

/// The value at `from`.
///
/// # Errors
///
/// NULL or misaligned.
///
/// # Safety
///
/// If the checks pass, an initialised value lies at `from`.
pub(crate) unsafe fn read<T: Plain>(from: *const T) -> Result<T> {
    Region::one(from)?;
    // SAFETY: `core::ptr::read` wants a pointer that is aligned (checked) and valid for reads of an
    // initialised value, for which the caller vouches.
    Ok(unsafe { core::ptr::read(from) })
}

/// Puts `value` at `to`.
///
/// # Errors
///
/// NULL or misaligned.
///
/// # Safety
///
/// If the checks pass, `to` is valid for writes, and no reference to that memory is in use.
pub(crate) unsafe fn write<T>(to: *mut T, value: T) -> Result {
    Region::one(to)?;
    // SAFETY: `core::ptr::write` wants a pointer that is aligned (checked) and valid for writes,
    // for which the caller vouches.
    unsafe { core::ptr::write(to, value) };
    Ok(())
}

/// [`write`], nothing if `to` is NULL.
///
/// # Safety
///
/// As [`write`].
pub(crate) unsafe fn write_optional<T>(to: *mut T, value: T) -> Result {
    if to.is_null() {
        return Ok(());
    }
    // SAFETY: the caller vouches for what `write` asks.
    unsafe { write(to, value) }
}

/// Puts `bytes` at `to`.
///
/// # Errors
///
/// As [`Region::of`].
///
/// # Safety
///
/// If the checks pass, `to` is valid for writes of so many bytes, and they do not overlap `bytes`.
pub(crate) unsafe fn copy<T: Plain>(from: &[T], to: *mut T) -> Result {
    Region::of(to, from.len())?;
    if from.is_empty() {
        return Ok(());
    }
    // SAFETY: `core::ptr::copy_nonoverlapping` wants both pointers aligned (checked) and valid, the
    // source for being a slice, the target by the caller, who vouches for the lack of overlap too.
    unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
    Ok(())
}

/// Longest text that is read, its NUL included: a name has up to 63 characters.
const TEXT: usize = 64;

/// The NUL-terminated text at `start`, without the NUL.
///
/// # Errors
///
/// NULL, and `too_long` for a text of 64 characters and more.
///
/// # Safety
///
/// If the check passes, the bytes at `start` are initialised up to a NUL or the 64th, and nobody
/// writes to them while the slice is in use.
pub(crate) unsafe fn text<'c>(start: *const c_char, too_long: tsm_status) -> Result<&'c [u8]> {
    if start.is_null() {
        return Err(TSM_ERR_NULL);
    }
    let bytes = start.cast::<u8>();
    for len in 0..TEXT {
        // A wrapping offset is always defined; whether it may be read is said below.
        let at = bytes.wrapping_add(len);
        // SAFETY: the bytes before were not NUL, so the caller vouches for this one; `u8` has
        // alignment 1.
        let byte = unsafe { read(at) }?;
        if byte == 0 {
            // SAFETY: so many bytes have just been read, and the caller vouches that they stay.
            return unsafe { slice(bytes, len) };
        }
    }
    Err(too_long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions() {
        let words = [0_u64; 4];
        let start = words.as_ptr();
        assert!(Region::of(start, 4).is_ok());
        assert_eq!(Region::of(core::ptr::null::<u64>(), 1).err(), Some(TSM_ERR_NULL));
        assert!(Region::of(core::ptr::null::<u64>(), 0).is_ok());
        let odd = start.wrapping_byte_add(1);
        assert_eq!(Region::of(odd, 1).err(), Some(TSM_ERR_MISALIGNED));
        assert_eq!(Region::of(start, usize::MAX).err(), Some(TSM_ERR_LENGTH));
        let half = isize::MAX.unsigned_abs();
        assert_eq!(Region::of(start.cast::<u8>(), half + 1).err(), Some(TSM_ERR_LENGTH));
        let last = core::ptr::without_provenance::<u8>(usize::MAX);
        assert_eq!(Region::of(last, 2).err(), Some(TSM_ERR_LENGTH));
    }

    #[test]
    fn overlaps() {
        let bytes = [0_u8; 8];
        let at = |from: usize, len| Region::of(&raw const bytes[from], len).unwrap();
        assert_eq!(disjoint(&[at(0, 4), at(4, 4)], &[]), Ok(()));
        assert_eq!(disjoint(&[at(0, 5), at(4, 4)], &[]), Err(TSM_ERR_OVERLAP));
        assert_eq!(disjoint(&[at(0, 4)], &[at(4, 2), at(3, 1)]), Err(TSM_ERR_OVERLAP));
        assert_eq!(disjoint(&[at(0, 4)], &[at(5, 3), at(4, 4)]), Ok(()), "reads may overlap");
        assert_eq!(disjoint(&[at(0, 4)], &[at(2, 0)]), Ok(()), "nothing overlaps nothing");
    }
}
