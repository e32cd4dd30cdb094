// SPDX-License-Identifier: MIT OR Apache-2.0
//! The processor below the module: who makes and verifies the MAC of a report.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use tsm_tdx::layout::{ReportMacStruct, TEE_TDX};
use tsm_tdx::status::StatusCode;

/// A simulated processor. Two of different names accept none of each other's reports.
///
/// Its secrets are hashes of its name: **everybody has them.**
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cpu {
    secret: [u8; 32],
    svn: [u8; 16],
}

impl Cpu {
    /// CPUSVN of a processor as it is made.
    const SVN: [u8; 16] = [3, 3, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0];

    /// The processor of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let secret = Sha256::new_with_prefix("SIMULATED secret of the processor ");
        Self { secret: secret.chain_update(name).finalize().into(), svn: Self::SVN }
    }

    /// The same processor with other microcode: its reports have this CPUSVN, and it accepts no
    /// others. (A real one accepts older ones too.)
    #[must_use]
    pub const fn with_svn(mut self, svn: [u8; 16]) -> Self {
        self.svn = svn;
        self
    }

    /// CPUSVN.
    #[must_use]
    pub const fn svn(&self) -> &[u8; 16] {
        &self.svn
    }

    /// What its keys derive from.
    pub(super) const fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    pub(super) const fn from_parts(secret: [u8; 32], svn: [u8; 16]) -> Self {
        Self { secret, svn }
    }

    /// 32 bytes that only this processor has, in theory.
    #[must_use]
    pub(super) fn derive(&self, purpose: &str) -> [u8; 32] {
        let key = Sha256::new_with_prefix("SIMULATED key for ").chain_update(purpose);
        key.chain_update(self.secret).finalize().into()
    }

    /// Fills in CPUSVN and MAC, as `SEAMREPORT` does.
    pub(super) fn seal(&self, report: &mut ReportMacStruct) {
        report.cpu_svn = self.svn;
        report.mac = self.mac(report);
    }

    /// Whether this processor made it, as `SEAMVERIFYREPORT` tells. That the type and CPUSVN are
    /// looked at before the MAC is an assumption.
    pub(super) fn verify(&self, report: &ReportMacStruct) -> Result<(), StatusCode> {
        let kind = &report.report_type;
        if kind.kind != TEE_TDX || kind.subtype != 0 {
            return Err(StatusCode::INVALID_REPORTMACSTRUCT);
        }
        if report.cpu_svn != self.svn {
            return Err(StatusCode::INVALID_CPUSVN);
        }
        // The key is public anyway: no need to compare in constant time.
        if report.mac != self.mac(report) {
            return Err(StatusCode::INVALID_REPORTMACSTRUCT);
        }
        Ok(())
    }

    /// HMAC-SHA-256 over all that is before the MAC.
    fn mac(&self, report: &ReportMacStruct) -> [u8; 32] {
        let (signed, _) = report.as_bytes().split_first_chunk::<224>().unwrap_or((&[0; 224], &[]));
        // Keys of any size are good.
        Hmac::<Sha256>::new_from_slice(&self.derive("MACs of reports"))
            .map(|mac| mac.chain_update(signed).finalize().into_bytes().into())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_good_where_they_were_made() {
        let (one, other) = (Cpu::new("one"), Cpu::new("other"));
        let mut report = ReportMacStruct::ZERO;
        report.report_type.kind = TEE_TDX;
        report.report_data = [5; 64];
        one.seal(&mut report);
        assert_eq!(one.verify(&report), Ok(()));
        assert_eq!(other.verify(&report), Err(StatusCode::INVALID_REPORTMACSTRUCT));
        let updated = one.with_svn([9; 16]);
        assert_eq!(updated.verify(&report), Err(StatusCode::INVALID_CPUSVN));
        updated.seal(&mut report);
        assert_eq!(updated.verify(&report), Ok(()));
    }

    /// Every bit of the 256 bytes counts.
    #[test]
    fn a_changed_bit_is_found() {
        let cpu = Cpu::new("one");
        let mut report = ReportMacStruct::ZERO;
        report.report_type.kind = TEE_TDX;
        cpu.seal(&mut report);
        for place in 0..256 {
            let mut changed = *report.as_bytes();
            changed[place] ^= 1 << (place % 8);
            let expected = match place {
                16..32 => StatusCode::INVALID_CPUSVN,
                _ => StatusCode::INVALID_REPORTMACSTRUCT,
            };
            assert_eq!(cpu.verify(ReportMacStruct::from_bytes(&changed)), Err(expected), "{place}");
        }
    }
}
