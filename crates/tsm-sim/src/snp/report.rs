// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reports.

use tsm_snp::report::SigningKey;
use tsm_snp::{REPORT_SIZE, Report};

use super::bytes::put;
use super::firmware::{Firmware, ReportVersion};
use super::signing::{endorsement_key, sign};

/// CURRENT_BUILD to CURRENT_MAJOR, and the committed ones.
const CURRENT_FIRMWARE: usize = 0x1E8;
const COMMITTED_FIRMWARE: usize = 0x1EC;
/// Build, minor and major version of the firmware's.
const FIRMWARE: [u8; 3] = [31, 55, 1];

impl Firmware {
    /// The report over this data, for this VMPL, signed by this key.
    #[must_use]
    pub fn report(&self, data: &[u8; 64], vmpl: u32, signing_key: SigningKey) -> [u8; REPORT_SIZE] {
        let mut report = [0; REPORT_SIZE];
        let mut put = |offset, bytes: &[u8]| put(&mut report, offset, bytes);
        let (chip, guest, tcb) = (self.chip(), self.guest(), self.tcb_versions());
        put(0, &self.report_version().number().to_le_bytes());
        put(Report::GUEST_SVN, &guest.svn.to_le_bytes());
        put(Report::POLICY, &guest.policy.0.to_le_bytes());
        put(Report::FAMILY_ID, &guest.family_id);
        put(Report::IMAGE_ID, &guest.image_id);
        put(Report::VMPL, &vmpl.to_le_bytes());
        put(Report::SIGNATURE_ALGORITHM, &Report::ECDSA_P384_SHA384.to_le_bytes());
        put(Report::CURRENT_TCB, &chip.tcb_version(&tcb.current).0);
        put(Report::PLATFORM_INFO, &self.platform_info().0.to_le_bytes());
        let author_key = u32::from(guest.author_key_digest.is_some());
        let masked = u32::from(self.is_chip_key_masked()) << 1;
        let signer = match signing_key {
            SigningKey::Vcek => 0,
            SigningKey::Vlek => 1,
            _ => 7,
        };
        put(Report::KEY_INFO, &(author_key | masked | signer << 2).to_le_bytes());
        put(Report::REPORT_DATA, data);
        put(Report::MEASUREMENT, &guest.measurement);
        put(Report::HOST_DATA, &guest.host_data);
        put(Report::ID_KEY_DIGEST, &guest.id_key_digest);
        put(Report::AUTHOR_KEY_DIGEST, &guest.author_key_digest.unwrap_or([0; 48]));
        put(Report::REPORT_ID, &guest.report_id);
        put(Report::REPORT_ID_MA, &guest.report_id_ma);
        let reported = chip.tcb_version(&tcb.reported);
        put(Report::REPORTED_TCB, &reported.0);
        if self.report_version() != ReportVersion::V2 {
            let processor = chip.processor();
            put(Report::PROCESSOR, &[processor.family, processor.model, processor.stepping]);
        }
        // A VLEK is not of one chip; a provider that uses one hides which.
        if !self.is_chip_id_masked() && signing_key != SigningKey::Vlek {
            put(Report::CHIP_ID, &chip.id());
        }
        put(Report::COMMITTED_TCB, &chip.tcb_version(&tcb.committed).0);
        put(CURRENT_FIRMWARE, &FIRMWARE);
        put(COMMITTED_FIRMWARE, &FIRMWARE);
        put(Report::LAUNCH_TCB, &chip.tcb_version(&tcb.launch).0);
        if self.report_version() == ReportVersion::V5 {
            let now = guest.launch_mitigation_vector;
            put(Report::LAUNCH_MITIGATION_VECTOR, &now.to_le_bytes());
            put(Report::CURRENT_MITIGATION_VECTOR, &now.to_le_bytes());
        }
        if let Some(key) = endorsement_key(chip, signing_key, reported) {
            let (signed, signature) = report.split_at_mut(Report::SIGNATURE);
            sign(&key, signed, signature);
        }
        report
    }

    /// The report that the host gets when it asks the firmware itself: of no VMPL, with no data.
    #[must_use]
    pub fn host_report(&self) -> [u8; REPORT_SIZE] {
        self.report(&[0; 64], Report::HOST, self.chosen_key(0).unwrap_or(SigningKey::None))
    }
}
