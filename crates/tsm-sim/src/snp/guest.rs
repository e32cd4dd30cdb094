// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the firmware knows of the guest.

use sha2::{Digest as _, Sha256, Sha384};
use tsm_snp::TscInfo;
use tsm_snp::report::GuestPolicy;

/// A guest as it was launched: what its reports say of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guest {
    /// SVN of the ID block.
    pub svn: u32,
    /// The policy.
    pub policy: GuestPolicy,
    /// FAMILY_ID of the ID block.
    pub family_id: [u8; 16],
    /// IMAGE_ID of the ID block.
    pub image_id: [u8; 16],
    /// The launch measurement.
    pub measurement: [u8; 48],
    /// HOST_DATA.
    pub host_data: [u8; 32],
    /// SHA-384 of the ID key.
    pub id_key_digest: [u8; 48],
    /// SHA-384 of the author key; `None` without one.
    pub author_key_digest: Option<[u8; 48]>,
    /// REPORT_ID.
    pub report_id: [u8; 32],
    /// REPORT_ID of the migration agent; all ones without one.
    pub report_id_ma: [u8; 32],
    /// Mitigations in force at launch, for reports of version 5.
    pub launch_mitigation_vector: u64,
    /// How its TSC runs.
    pub tsc: TscInfo,
}

impl Guest {
    /// A guest whose measurement and ids are made of texts that begin with `SIMULATED`: policy
    /// 0x30000, no author key, no migration agent.
    #[must_use]
    pub fn new() -> Self {
        Self {
            svn: 3,
            policy: GuestPolicy(0x3_0000),
            family_id: *b"SIMULATED family",
            image_id: *b"SIMULATED image ",
            measurement: made_up("measurement"),
            host_data: made_up_short("host_data"),
            id_key_digest: made_up("id_key_digest"),
            author_key_digest: None,
            report_id: made_up_short("report_id"),
            report_id_ma: [0xFF; 32],
            launch_mitigation_vector: 0b11,
            tsc: TscInfo { scale: 1 << 32, offset: 0, factor: 200 },
        }
    }
}

impl Default for Guest {
    fn default() -> Self {
        Self::new()
    }
}

fn made_up(name: &str) -> [u8; 48] {
    Sha384::new_with_prefix("SIMULATED value of sim:snp/").chain_update(name).finalize().into()
}

fn made_up_short(name: &str) -> [u8; 32] {
    Sha256::new_with_prefix("SIMULATED value of sim:snp/").chain_update(name).finalize().into()
}
