// SPDX-License-Identifier: MIT OR Apache-2.0
//! AES-256 one block at a time, for images whose stack is short.
//!
//! The software cipher encrypts several blocks at once under round keys that it widens for each
//! call: two copies of 960 bytes on the stack. For one block it takes the narrow keys as they are.
//! Whoever builds with `aes_backend_soft="compact"` has chosen size over speed; here that choice
//! holds for the stack as well, and the wide code is not linked. The cipher is still the crate's:
//! this says only how many blocks are given to it.

use aes_gcm::KeyInit;
use aes_gcm::aead::inout::InOut;
use aes_gcm::aes::cipher::consts::{U1, U16, U32};
use aes_gcm::aes::cipher::{
    BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, Key,
    KeySizeUser, ParBlocksSizeUser,
};
use aes_gcm::aes::{Aes256Enc, Block};

/// A key's schedule; erased when dropped, as what is in it is.
pub(super) struct Narrow(Aes256Enc);

impl KeySizeUser for Narrow {
    type KeySize = U32;
}

impl KeyInit for Narrow {
    fn new(key: &Key<Self>) -> Self {
        Self(Aes256Enc::new(key))
    }
}

impl BlockSizeUser for Narrow {
    type BlockSize = U16;
}

impl BlockCipherEncrypt for Narrow {
    fn encrypt_with_backend(&self, f: impl BlockCipherEncClosure<BlockSize = U16>) {
        f.call(self);
    }
}

impl ParBlocksSizeUser for Narrow {
    type ParBlocksSize = U1;
}

impl BlockCipherEncBackend for Narrow {
    #[inline(never)] // Otherwise it stands in the image once for each loop over blocks.
    fn encrypt_block(&self, block: InOut<'_, '_, Block>) {
        self.0.encrypt_block_inout(block);
    }
}

#[cfg(test)]
mod tests {
    use aes_gcm::AesGcm;
    use aes_gcm::aead::AeadInOut;
    use aes_gcm::aes::cipher::consts::U12;

    use super::*;

    /// The same bytes as the crate's own way, at every number of blocks up to a page's.
    #[test]
    fn what_the_cipher_gives() {
        let key = [0x5A; 32];
        let narrow = AesGcm::<Narrow, U12>::new(&key.into());
        let wide = AesGcm::<Aes256Enc, U12>::new(&key.into());
        for size in (0..200).chain([1023, 1024, 4000]) {
            let text: Vec<u8> = (0..size).map(|at| (at * 7 + 3) as u8).collect();
            let (mut one, mut other) = (text.clone(), text.clone());
            let seal_one =
                narrow.encrypt_inout_detached(&[9; 12].into(), b"header", (&mut *one).into());
            let seal_other =
                wide.encrypt_inout_detached(&[9; 12].into(), b"header", (&mut *other).into());
            let (tag, expected) = (seal_one.unwrap(), seal_other.unwrap());
            assert_eq!((&one, tag), (&other, expected), "{size} bytes");
            narrow
                .decrypt_inout_detached(&[9; 12].into(), b"header", (&mut *one).into(), &tag)
                .unwrap();
            assert_eq!(one, text);
        }
    }
}
