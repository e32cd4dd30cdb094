// SPDX-License-Identifier: MIT OR Apache-2.0
//! Algorithms, digests, hashing and the extend operation.

use core::ffi::{CStr, c_char, c_void};

use tsm_core::{Algorithm, Digest};

use crate::memory::{self, Plain, Region, disjoint};
use crate::status::{Result, TSM_ERR_ALGORITHM, TSM_ERR_DOUBLE_BANK, code, tsm_status};

/// A hash algorithm: its TPM_ALG_ID (TCG Algorithm Registry), `TSM_SHA256` and so on. An algorithm
/// that is not compiled in does not exist.
pub type tsm_algorithm = u16;

/// No algorithm.
pub const TSM_NO_ALGORITHM: tsm_algorithm = 0;
/// SHA-1, 20 bytes.
pub const TSM_SHA1: tsm_algorithm = 0x0004;
/// SHA-256, 32 bytes.
pub const TSM_SHA256: tsm_algorithm = 0x000B;
/// SHA-384, 48 bytes.
pub const TSM_SHA384: tsm_algorithm = 0x000C;
/// SHA-512, 64 bytes.
pub const TSM_SHA512: tsm_algorithm = 0x000D;

/// Size in bytes of the largest digest.
pub const TSM_MAX_DIGEST: usize = 64;

/// A digest, or the value of a register's bank.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tsm_digest {
    /// The algorithm.
    pub algorithm: tsm_algorithm,
    /// The first `tsm_algorithm_size(algorithm)` bytes are the digest. The others are not looked
    /// at, and written as zeros.
    pub bytes: [u8; TSM_MAX_DIGEST],
}

// SAFETY: an integer and an array of integers, without padding that would be looked at.
unsafe impl Plain for tsm_digest {}

impl tsm_digest {
    pub(crate) const NONE: Self = Self { algorithm: TSM_NO_ALGORITHM, bytes: [0; TSM_MAX_DIGEST] };

    pub(crate) fn of(digest: &Digest) -> Self {
        let mut this = Self { algorithm: digest.algorithm().tpm_id(), ..Self::NONE };
        for (to, from) in this.bytes.iter_mut().zip(digest.as_bytes()) {
            *to = *from;
        }
        this
    }

    pub(crate) fn digest(&self) -> Result<Digest> {
        let algorithm = algorithm(self.algorithm)?;
        let bytes = self.bytes.get(..algorithm.size()).unwrap_or_default();
        Digest::from_bytes(algorithm, bytes).ok_or(TSM_ERR_ALGORITHM)
    }
}

pub(crate) fn algorithm(id: tsm_algorithm) -> Result<Algorithm> {
    Algorithm::from_tpm_id(id).ok_or(TSM_ERR_ALGORITHM)
}

/// Size in bytes of an algorithm's digest; 0 if the algorithm is unknown or not compiled in.
#[unsafe(no_mangle)]
pub extern "C" fn tsm_algorithm_size(id: tsm_algorithm) -> usize {
    algorithm(id).map_or(0, Algorithm::size)
}

/// The name of an algorithm as the record log and the Linux kernel spell it, "sha256"; NULL if the
/// algorithm is unknown or not compiled in. The text is static and NUL-terminated.
#[unsafe(no_mangle)]
pub extern "C" fn tsm_algorithm_name(id: tsm_algorithm) -> *const c_char {
    let name: Option<&'static CStr> = match (algorithm(id), id) {
        (Ok(_), TSM_SHA1) => Some(c"sha1"),
        (Ok(_), TSM_SHA256) => Some(c"sha256"),
        (Ok(_), TSM_SHA384) => Some(c"sha384"),
        (Ok(_), TSM_SHA512) => Some(c"sha512"),
        _ => None,
    };
    name.map_or(core::ptr::null(), CStr::as_ptr)
}

/// The algorithm of this name; `TSM_NO_ALGORITHM` if it is NULL, unknown or not compiled in.
///
/// # Safety
///
/// `name` is NULL or readable up to and including a NUL, or for 64 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_algorithm_by_name(name: *const c_char) -> tsm_algorithm {
    // SAFETY: the caller vouches for the text.
    let name = unsafe { memory::text(name, TSM_ERR_ALGORITHM) };
    name.ok().and_then(Algorithm::from_name).map_or(TSM_NO_ALGORITHM, Algorithm::tpm_id)
}

/// Hashes `size` bytes at `data` and writes the digest to `out`.
///
/// Returns `TSM_ERR_ALGORITHM`, or what is wrong with a pointer; then `out` is unchanged.
///
/// # Safety
///
/// `data` is readable for `size` bytes (it may be NULL if that is 0) and `out` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_hash(
    id: tsm_algorithm,
    data: *const c_void,
    size: usize,
    out: *mut tsm_digest,
) -> tsm_status {
    let hash = || {
        let data = data.cast::<u8>();
        disjoint(&[Region::one(out)?], &[Region::of(data, size)?])?;
        let algorithm = algorithm(id)?;
        // SAFETY: the caller vouches for the data.
        let data = unsafe { memory::slice(data, size) }?;
        let digest = tsm_digest::of(&algorithm.hash(data));
        // SAFETY: the caller vouches for the target, which does not overlap the data.
        unsafe { memory::write(out, digest) }
    };
    code(hash())
}

/// The operation of which measurement registers are made: `value = H(value || digest)`.
///
/// For a register in memory, in an extend callback. Both may be the same digest. Returns
/// `TSM_ERR_ALGORITHM` if the algorithms differ or are unknown, or what is wrong with a pointer;
/// then `value` is unchanged.
///
/// # Safety
///
/// `value` is readable and writable, `digest` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_extend(
    value: *mut tsm_digest,
    digest: *const tsm_digest,
) -> tsm_status {
    let extend = || {
        // SAFETY: the caller vouches for the value.
        let mut extended = unsafe { memory::read(value.cast_const()) }?.digest()?;
        // SAFETY: the caller vouches for the digest.
        let digest = unsafe { memory::read(digest) }?.digest()?;
        extended.extend(&digest).map_err(|_| TSM_ERR_ALGORITHM)?;
        // SAFETY: the caller vouches for the value; both were read by copy.
        unsafe { memory::write(value, tsm_digest::of(&extended)) }
    };
    code(extend())
}

/// Makes `out` a value of all bits zero: where most registers start.
///
/// Returns `TSM_ERR_ALGORITHM`, or what is wrong with the pointer; then `out` is unchanged.
///
/// # Safety
///
/// `out` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_zeros(id: tsm_algorithm, out: *mut tsm_digest) -> tsm_status {
    let zeros = || {
        let value = tsm_digest::of(&Digest::zeros(algorithm(id)?));
        // SAFETY: the caller vouches for the target.
        unsafe { memory::write(out, value) }
    };
    code(zeros())
}

/// Up to one digest per algorithm, on the stack.
pub(crate) struct Digests {
    digests: [Digest; Algorithm::MAX],
    len: usize,
}

impl Digests {
    /// The digests of a list that is not longer than there are algorithms.
    pub(crate) fn of(list: &[tsm_digest]) -> Result<Self> {
        let mut digests = [const { Digest::zeros(FILLER) }; Algorithm::MAX];
        if list.len() > digests.len() {
            return Err(TSM_ERR_DOUBLE_BANK);
        }
        for (to, from) in digests.iter_mut().zip(list) {
            *to = from.digest()?;
        }
        Ok(Self { digests, len: list.len() })
    }

    pub(crate) fn as_slice(&self) -> &[Digest] {
        self.digests.get(..self.len).unwrap_or_default()
    }
}

/// Some algorithm, for places that are not used.
#[allow(clippy::panic, reason = "evaluated at compile time")]
const FILLER: Algorithm = match Algorithm::ALL {
    [first, ..] => *first,
    [] => panic!("no algorithm is compiled in"),
};

#[cfg(test)]
mod tests;
