// SPDX-License-Identifier: MIT OR Apache-2.0
//! AES-256-GCM as guest messages use it. What is here is which bytes go where; the cipher is the
//! crate `aes-gcm`.

#[cfg(any(test, aes_backend_soft = "compact"))]
mod narrow;

use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::inout::InOutBuf;
#[cfg(not(aes_backend_soft = "compact"))]
use aes_gcm::aes::Aes256Enc as Aes;
use aes_gcm::aes::cipher::consts::U12;
use aes_gcm::{AesGcm, KeyInit};

#[cfg(aes_backend_soft = "compact")]
use self::narrow::Narrow as Aes;
use super::header::Header;
use crate::address::PAGE;
use crate::bytes::copy;
use crate::error::Cause;

/// A key's schedule. GCM only ever encrypts blocks, so there is no schedule for decryption. AES and
/// GHASH erase themselves when dropped.
pub(crate) struct Cipher(AesGcm<Aes, U12>);

/// Bytes that a page has behind a header. With it, the compiler sees that no counter of blocks
/// overflows, and the cipher's panic for that is not in the image.
const MAX_PAYLOAD: usize = PAGE - Header::SIZE;

impl Cipher {
    /// The schedule of a key.
    ///
    /// These three functions are compiled in this crate and not where the conversation is, so that
    /// the crate's optimisation decides what is left of the cipher's checks.
    #[inline(never)]
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(AesGcm::new(key.into()))
    }

    /// Encrypts `payload` and puts the tag into the header.
    ///
    /// Its only caller is the state machine, which never comes twice with one sequence number.
    #[inline(never)]
    pub(crate) fn seal(&self, header: &mut Header, payload: &mut [u8]) -> Result<(), Cause> {
        if payload.len() > MAX_PAYLOAD {
            return Err(Cause::Cipher);
        }
        let nonce = header.nonce();
        let tag = self
            .0
            .encrypt_inout_detached(
                (&nonce).into(),
                header.associated_data(),
                InOutBuf::from(payload),
            )
            .map_err(|_| Cause::Cipher)?;
        copy(&tag, &mut header.tag);
        Ok(())
    }

    /// Decrypts `payload` if the tag vouches for it and for the header; otherwise it stays as it is.
    #[inline(never)]
    pub(crate) fn open(&self, header: &Header, payload: &mut [u8]) -> Result<(), Cause> {
        if payload.len() > MAX_PAYLOAD {
            return Err(Cause::Cipher);
        }
        let tag = header.tag.first_chunk::<16>().ok_or(Cause::Header)?;
        self.0
            .decrypt_inout_detached(
                (&header.nonce()).into(),
                header.associated_data(),
                InOutBuf::from(payload),
                tag.into(),
            )
            .map_err(|_| Cause::Unauthentic)
    }
}
