// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hashing of one slice at hand: the compression functions of the `sha1` and `sha2` crates, applied
//! to the message's blocks and to its padded end.
//!
//! Nothing here but initial values and padding (FIPS 180-4, sections 5.1 and 5.3). A hasher object
//! costs 10 to 20% more than its compression where messages are as short as records and digests are,
//! and several hundred bytes of stack; extending and replaying do nothing else. A test compares every
//! length around the block borders with the crates' own hashers, which [`Hasher`](crate::Hasher)
//! uses.

/// Begins a block of zeros with a message's last bytes, fewer than a block, and the one bit that ends
/// every message.
#[inline]
fn end<const BLOCK: usize>(block: &mut [u8; BLOCK], tail: &[u8]) {
    if let Some((message, rest)) = block.split_at_mut_checked(tail.len()) {
        // Of equal length, which the compiler sees too: no panic is left in the build.
        message.copy_from_slice(tail);
        if let Some(first) = rest.first_mut() {
            *first = 0x80;
        }
    }
}

/// Puts the message's length in bits at the end of its last block.
#[inline]
fn set_length(block: &mut [u8], bytes: usize) {
    // Slices in memory are shorter than 2^61 bytes, so the field's upper bytes, if any, stay zero.
    let bits = u64::try_from(bytes).unwrap_or(u64::MAX).wrapping_shl(3);
    if let Some(field) = block.last_chunk_mut::<8>() {
        *field = bits.to_be_bytes();
    }
}

/// One hash function: its word, sizes in bytes of block, length field and digest, its compression,
/// its initial state.
macro_rules! one_shot {
    ($name:ident, $word:ty, $block:literal, $length:literal, $size:literal, $compress:path, $initial:expr) => {
        /// Hashes `data` into `out`, whose size is the digest's.
        #[inline]
        pub(crate) fn $name(data: &[u8], out: &mut [u8]) {
            let mut state = $initial;
            let (whole, tail) = data.as_chunks::<$block>();
            if !whole.is_empty() {
                $compress(&mut state, whole);
            }
            let mut last = [0; $block];
            end(&mut last, tail);
            if tail.len().saturating_add($length) >= $block {
                // No room for the length field behind the message's end.
                $compress(&mut state, core::slice::from_ref(&last));
                last.fill(0);
            }
            set_length(&mut last, data.len());
            $compress(&mut state, core::slice::from_ref(&last));
            if let Some(out) = out.first_chunk_mut::<$size>() {
                let words = out.as_chunks_mut::<{ size_of::<$word>() }>().0.iter_mut();
                // By reference: the state would lie on the stack twice.
                for (out, word) in words.zip(&state) {
                    *out = word.to_be_bytes();
                }
            }
        }
    };
}

#[cfg(feature = "sha1")]
one_shot!(
    sha1,
    u32,
    64,
    8,
    20,
    sha1::block_api::compress,
    [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0_u32]
);

#[cfg(feature = "sha256")]
one_shot!(
    sha256,
    u32,
    64,
    8,
    32,
    sha2::block_api::compress256,
    [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19_u32
    ]
);

#[cfg(feature = "sha384")]
one_shot!(
    sha384,
    u64,
    128,
    16,
    48,
    sha2::block_api::compress512,
    [
        0xcbbb_9d5d_c105_9ed8,
        0x629a_292a_367c_d507,
        0x9159_015a_3070_dd17,
        0x152f_ecd8_f70e_5939,
        0x6733_2667_ffc0_0b31,
        0x8eb4_4a87_6858_1511,
        0xdb0c_2e0d_64f9_8fa7,
        0x47b5_481d_befa_4fa4_u64
    ]
);

#[cfg(feature = "sha512")]
one_shot!(
    sha512,
    u64,
    128,
    16,
    64,
    sha2::block_api::compress512,
    [
        0x6a09_e667_f3bc_c908,
        0xbb67_ae85_84ca_a73b,
        0x3c6e_f372_fe94_f82b,
        0xa54f_f53a_5f1d_36f1,
        0x510e_527f_ade6_82d1,
        0x9b05_688c_2b3e_6c1f,
        0x1f83_d9ab_fb41_bd6b,
        0x5be0_cd19_137e_2179_u64
    ]
);

#[cfg(test)]
mod tests {
    use crate::{Algorithm, Hasher};

    /// Every length over several blocks, and lengths around larger borders.
    #[test]
    fn the_same_as_the_crates_own_hashers() {
        let bytes: Vec<u8> = (0..20_000_u32).map(|i| (i * 7 + i / 256) as u8).collect();
        for &algorithm in Algorithm::ALL {
            for length in (0..=600).chain([1023, 1024, 4095, 4096, 4097, 19_999, 20_000]) {
                let data = &bytes[..length];
                let mut hasher = Hasher::new(algorithm);
                hasher.update(data);
                assert_eq!(algorithm.hash(data), hasher.finish(), "{algorithm}, {length} bytes");
            }
        }
    }
}
