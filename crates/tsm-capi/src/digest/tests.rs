// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::status::{TSM_ERR_MISALIGNED, TSM_ERR_NULL, TSM_ERR_OVERLAP, TSM_OK};

#[test]
fn constants_are_the_cores() {
    for (id, algorithm) in [
        (TSM_SHA1, Algorithm::Sha1),
        (TSM_SHA256, Algorithm::Sha256),
        (TSM_SHA384, Algorithm::Sha384),
        (TSM_SHA512, Algorithm::Sha512),
    ] {
        assert_eq!(id, algorithm.tpm_id());
        assert_eq!(tsm_algorithm_size(id), algorithm.size());
        // SAFETY: the name is static and NUL-terminated.
        let name = unsafe { CStr::from_ptr(tsm_algorithm_name(id)) };
        assert_eq!(name.to_str(), Ok(algorithm.name()));
        // SAFETY: as above.
        assert_eq!(unsafe { tsm_algorithm_by_name(name.as_ptr()) }, id);
    }
    assert_eq!(TSM_MAX_DIGEST, Digest::MAX);
    assert_eq!(tsm_algorithm_size(0x12), 0);
    assert!(tsm_algorithm_name(0).is_null());
    for name in [core::ptr::null(), c"sm3".as_ptr(), c"".as_ptr()] {
        // SAFETY: NULL or a static text.
        assert_eq!(unsafe { tsm_algorithm_by_name(name) }, TSM_NO_ALGORITHM);
    }
}

#[test]
fn hashes_and_extends() {
    let mut out = tsm_digest::NONE;
    let data = b"abc".as_ptr().cast();
    // SAFETY: three bytes and a digest of ours.
    assert_eq!(unsafe { tsm_hash(TSM_SHA384, data, 3, &raw mut out) }, TSM_OK);
    let expected = Algorithm::Sha384.hash(b"abc");
    assert_eq!(out.digest(), Ok(expected));
    let mut value = tsm_digest::NONE;
    // SAFETY: a digest of ours.
    assert_eq!(unsafe { tsm_zeros(TSM_SHA384, &raw mut value) }, TSM_OK);
    // SAFETY: two digests of ours.
    assert_eq!(unsafe { tsm_extend(&raw mut value, &raw const out) }, TSM_OK);
    let mut model = Digest::zeros(Algorithm::Sha384);
    model.extend(&expected).unwrap();
    assert_eq!(value.digest(), Ok(model));
    let itself = &raw mut value;
    // SAFETY: the same digest twice, which is allowed.
    assert_eq!(unsafe { tsm_extend(itself, itself) }, TSM_OK);
    model.extend(&model.clone()).unwrap();
    assert_eq!(value.digest(), Ok(model));
}

#[test]
fn refusals_leave_the_target_alone() {
    let mut out = [tsm_digest { algorithm: 7, bytes: [7; 64] }; 2];
    let target = out.as_mut_ptr();
    let null = core::ptr::null::<c_void>();
    let hash = |id, data, size, out| {
        // SAFETY: pointers of this function, or ones that are refused before they are used.
        unsafe { tsm_hash(id, data, size, out) }
    };
    assert_eq!(hash(TSM_SHA384, null, 1, target), TSM_ERR_NULL);
    assert_eq!(hash(TSM_SHA384, null, 0, core::ptr::null_mut()), TSM_ERR_NULL);
    assert_eq!(hash(TSM_SHA384, null, 0, target.wrapping_byte_add(1)), TSM_ERR_MISALIGNED);
    assert_eq!(hash(0x12, null, 0, target), TSM_ERR_ALGORITHM);
    assert_eq!(hash(TSM_SHA384, target.cast(), 1, target), TSM_ERR_OVERLAP);
    assert!(out.iter().all(|d| d.algorithm == 7 && d.bytes == [7; 64]));
}
