// SPDX-License-Identifier: MIT OR Apache-2.0
//! A PCR through EFI_TCG2_PROTOCOL (TCG EFI Protocol Specification, Family 2.0, 1.00).

use tsm_core::{Algorithm, Banks, Digest};
use uefi::boot::{self, ScopedProtocol};
use uefi::proto::tcg::v2::{HashLogExtendEventFlags, PcrEventInputs, Tcg};
use uefi::proto::tcg::{EventType, HashAlgorithm, PcrIndex};
use uefi::{Error, Result, Status};

use crate::firmware_register::{DATA, Firmware};

/// The PCR that is used: 8, the first that the firmware leaves to what it boots (TCG PC Client
/// Platform Firmware Profile 1.06, 3.3.4.9).
pub const PCR: PcrIndex = PcrIndex(8);
const NAME: &str = "pcr8";

/// The PCR.
pub struct Tcg2 {
    tcg: ScopedProtocol<Tcg>,
    banks: Banks,
}

impl Tcg2 {
    /// The protocol, if the firmware has it and there is a TPM.
    ///
    /// # Errors
    ///
    /// The firmware's, if the protocol is there and cannot be used; `UNSUPPORTED` if the core knows
    /// none of the active banks.
    pub fn open() -> Result<Option<Self>> {
        let Ok(handle) = boot::get_handle_for_protocol::<Tcg>() else { return Ok(None) };
        let mut tcg = boot::open_protocol_exclusive::<Tcg>(handle)?;
        let capability = tcg.get_capability()?;
        if !capability.tpm_present() {
            return Ok(None);
        }
        let banks = banks(capability.active_pcr_banks);
        if banks.is_empty() {
            return Err(Status::UNSUPPORTED.into());
        }
        Ok(Some(Self { tcg, banks }))
    }
}

/// The banks among `active` that the core knows. The firmware extends the others as well.
fn banks(active: HashAlgorithm) -> Banks {
    [
        (HashAlgorithm::SHA1, Algorithm::Sha1),
        (HashAlgorithm::SHA256, Algorithm::Sha256),
        (HashAlgorithm::SHA384, Algorithm::Sha384),
        (HashAlgorithm::SHA512, Algorithm::Sha512),
    ]
    .into_iter()
    .filter(|&(flag, _)| active.contains(flag))
    .fold(Banks::NONE, |banks, (_, algorithm)| banks.and(algorithm).unwrap_or(banks))
}

impl Firmware for Tcg2 {
    const PROVIDER: &'static str = "tpm";

    fn register(&self) -> &'static str {
        NAME
    }

    fn banks(&self) -> Banks {
        self.banks
    }

    fn value(&mut self, bank: Algorithm) -> Result<Digest> {
        let mut response = [0; RESPONSE + Digest::MAX];
        self.tcg.submit_command(&pcr_read(bank), &mut response)?;
        pcr_value(&response, bank).ok_or(Error::from(Status::PROTOCOL_ERROR))
    }

    fn hash_log_extend(&mut self, data: &[u8]) -> Result<()> {
        let mut buffer = [0; DATA + 18];
        let event = PcrEventInputs::new_in_buffer(&mut buffer, PCR, EventType::IPL, data)
            .map_err(|error| Error::from(error.status()))?;
        self.tcg.hash_log_extend_event(HashLogExtendEventFlags::empty(), data, event)
    }
}

/// `TPM2_PCR_Read` of the one PCR (TPM 2.0 Library, Part 3, 22.4): header, then one
/// TPMS_PCR_SELECTION of three bytes.
fn pcr_read(bank: Algorithm) -> [u8; 20] {
    let [high, low] = bank.tpm_id().to_be_bytes();
    let [select_0, select_1, select_2, _] = (1_u32 << PCR.0).to_le_bytes();
    [
        0x80, 0x01, 0, 0, 0, 20, 0, 0, 0x01,
        0x7E, // TPM_ST_NO_SESSIONS, size, TPM_CC_PCR_Read
        0, 0, 0, 1, high, low, 3, select_0, select_1, select_2,
    ]
}

/// Bytes of a response before the digest: header 10, update counter 4, the selection 10 as it was
/// asked for, number of digests 4, size 2.
const RESPONSE: usize = 30;

/// The digest in the response; `None` if it is an error or anything but the PCR that was asked for.
fn pcr_value(response: &[u8], bank: Algorithm) -> Option<Digest> {
    let size = u16::try_from(bank.size()).ok()?;
    let total = u32::try_from(RESPONSE + bank.size()).ok()?;
    let header = response.get(..10)?;
    let good_header = header.starts_with(&[0x80, 0x01])
        && header.get(2..6)? == total.to_be_bytes()
        && header.get(6..)? == [0; 4];
    let same_selection = response.get(14..24)? == pcr_read(bank).get(10..)?;
    let one_digest =
        response.get(24..28)? == [0, 0, 0, 1] && response.get(28..30)? == size.to_be_bytes();
    if !(good_header && same_selection && one_digest) {
        return None;
    }
    Digest::from_bytes(bank, response.get(RESPONSE..RESPONSE + bank.size())?)
}
