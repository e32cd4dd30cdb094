// SPDX-License-Identifier: MIT OR Apache-2.0
//! Opening requests and sealing responses.

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{Aes256Gcm, KeyInit as _};
use tsm_snp::message::Header;
use tsm_snp::{FirmwareStatus, PAGE, VmpckIndex};
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::bytes::put;

/// Bytes of the largest payload.
pub(super) const MAX_PAYLOAD: usize = PAGE - Header::SIZE;

/// The header of a request page, if it is one of this format; the key that it names.
pub(super) fn header(page: &[u8]) -> Result<(Header, VmpckIndex), FirmwareStatus> {
    let bad = FirmwareStatus::INVALID_PARAMETER;
    let (header, _) = Header::read_from_prefix(page).map_err(|_| bad)?;
    let keys = VmpckIndex::ALL;
    let key = keys.into_iter().find(|key| key.number() == header.key).ok_or(bad)?;
    // All that a header may vary: the tag, the number, and what the payload is.
    let mut plain = Header::new(
        key,
        header.sequence.get(),
        header.message_type,
        header.message_version,
        header.message_size.get(),
    );
    put(&mut plain.tag, 0, header.tag.get(..16).unwrap_or_default());
    if plain != header {
        return Err(bad);
    }
    Ok((header, key))
}

/// Decrypts a request's payload into `out`.
pub(super) fn open<'o>(
    key: &[u8; 32],
    header: &Header,
    page: &[u8],
    out: &'o mut [u8; MAX_PAYLOAD],
) -> Result<&'o [u8], FirmwareStatus> {
    let bad = FirmwareStatus::INVALID_PARAMETER;
    let size = usize::from(header.message_size.get());
    let sealed = page.get(Header::SIZE..).and_then(|rest| rest.get(..size)).ok_or(bad)?;
    let payload = out.get_mut(..size).ok_or(bad)?;
    payload.copy_from_slice(sealed);
    let tag = header.tag.first_chunk::<16>().ok_or(bad)?;
    Aes256Gcm::new(key.into())
        .decrypt_inout_detached(
            (&header.nonce()).into(),
            header.associated_data(),
            InOutBuf::from(&mut *payload),
            tag.into(),
        )
        .map_err(|_| bad)?;
    Ok(payload)
}

/// Makes the response page of this payload.
pub(super) fn seal(key: &[u8; 32], mut header: Header, payload: &[u8], page: &mut [u8; PAGE]) {
    page.fill(0);
    put(page, Header::SIZE, payload);
    let end = Header::SIZE.saturating_add(payload.len());
    let sealed = page.get_mut(Header::SIZE..end).unwrap_or_default();
    let cipher = Aes256Gcm::new(key.into());
    // A page is far below the cipher's limit.
    if let Ok(tag) = cipher.encrypt_inout_detached(
        (&header.nonce()).into(),
        header.associated_data(),
        InOutBuf::from(sealed),
    ) {
        put(&mut header.tag, 0, &tag);
    }
    put(page, 0, header.as_bytes());
}

#[cfg(test)]
mod tests;
