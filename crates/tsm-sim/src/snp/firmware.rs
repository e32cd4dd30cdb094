// SPDX-License-Identifier: MIT OR Apache-2.0
//! The firmware: what it is set to, and how it answers.

use sha2::{Digest as _, Sha256};
use tsm_snp::message::{Header, MessageType};
use tsm_snp::report::{PlatformInfo, SigningKey, Tcb, TcbVersion};
use tsm_snp::{FirmwareStatus, MessageStatus, PAGE, SecretsPage, Vmpck, VmpckIndex};

use super::bytes::{put, u32_at, u64_at};
use super::message::{MAX_PAYLOAD, header, open, seal};
use super::{Chip, Guest};

/// The firmware of a machine with one guest.
///
/// | request | |
/// |---|---|
/// | report, key (versions 1 and 2), TSC info | answered |
/// | others | `INVALID_PARAMETER`, not counted |
///
/// A request must have the next number under its key (`AEAD_OVERFLOW`), a header of this format and a
/// tag that is good (`INVALID_PARAMETER`). Only one that has all of it is counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Firmware {
    chip: Chip,
    guest: Guest,
    version: ReportVersion,
    tcb: TcbVersions,
    platform_info: PlatformInfo,
    pub(super) switches: Switches,
    /// The number of the last message under each key.
    pub(super) counters: [u64; 4],
}

/// Which version of a report the firmware makes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ReportVersion {
    /// Without the processor.
    V2,
    /// With the processor.
    V3,
    /// With mitigation vectors.
    V5,
}

impl ReportVersion {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::V2, Self::V3, Self::V5];

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
            Self::V5 => 5,
        }
    }
}

/// The TCB versions of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcbVersions {
    /// What runs.
    pub current: Tcb,
    /// What the platform cannot go back behind.
    pub committed: Tcb,
    /// What the endorsement keys derive from.
    pub reported: Tcb,
    /// What ran when the guest was launched.
    pub launch: Tcb,
}

/// How the host has set the platform up.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Switches {
    pub(super) vlek: bool,
    pub(super) chip_key_masked: bool,
    pub(super) chip_id_masked: bool,
}

impl Firmware {
    /// The firmware of this chip with a guest that has just been launched: reports of version 3
    /// (from Turin on 5), one TCB version everywhere, no VLEK, nothing masked.
    #[must_use]
    pub fn new(chip: Chip) -> Self {
        use tsm_snp::report::Generation;

        let tcb = chip.first_tcb();
        let version = match chip.generation() {
            Generation::Milan | Generation::Genoa => ReportVersion::V3,
            _ => ReportVersion::V5,
        };
        Self {
            chip,
            guest: Guest::new(),
            version,
            tcb: TcbVersions { current: tcb, committed: tcb, reported: tcb, launch: tcb },
            platform_info: PlatformInfo::SMT
                .and(PlatformInfo::ECC)
                .and(PlatformInfo::ALIAS_CHECK_COMPLETE),
            switches: Switches::default(),
            counters: [0; 4],
        }
    }

    /// The same firmware with reports of this version.
    #[must_use]
    pub const fn with_report_version(mut self, version: ReportVersion) -> Self {
        self.version = version;
        self
    }

    /// The same firmware with a VLEK, which signs what is not asked to be signed otherwise. Reports
    /// that it signs have no CHIP_ID.
    #[must_use]
    pub const fn with_vlek(mut self) -> Self {
        self.switches.vlek = true;
        self
    }

    /// The same firmware with MASK_CHIP_KEY: the VCEK signs nothing. Without a VLEK reports are not
    /// signed, and say so.
    #[must_use]
    pub const fn with_chip_key_masked(mut self) -> Self {
        self.switches.chip_key_masked = true;
        self
    }

    /// The same firmware with MASK_CHIP_ID: CHIP_ID is zero.
    #[must_use]
    pub const fn with_chip_id_masked(mut self) -> Self {
        self.switches.chip_id_masked = true;
        self
    }

    /// The chip.
    #[must_use]
    pub const fn chip(&self) -> &Chip {
        &self.chip
    }

    /// The guest.
    #[must_use]
    pub const fn guest(&self) -> &Guest {
        &self.guest
    }

    /// The guest, as the one who launches it can change it. The keys of its messages follow
    /// `report_id`.
    pub const fn guest_mut(&mut self) -> &mut Guest {
        &mut self.guest
    }

    /// The TCB versions.
    #[must_use]
    pub const fn tcb_versions(&self) -> &TcbVersions {
        &self.tcb
    }

    /// The same, to be changed. The endorsement keys follow `reported`.
    pub const fn tcb_versions_mut(&mut self) -> &mut TcbVersions {
        &mut self.tcb
    }

    /// PLATFORM_INFO.
    #[must_use]
    pub const fn platform_info(&self) -> PlatformInfo {
        self.platform_info
    }

    /// The same, to be changed.
    pub const fn platform_info_mut(&mut self) -> &mut PlatformInfo {
        &mut self.platform_info
    }

    /// Which version its reports have.
    #[must_use]
    pub const fn report_version(&self) -> ReportVersion {
        self.version
    }

    /// Whether MASK_CHIP_KEY is set.
    #[must_use]
    pub const fn is_chip_key_masked(&self) -> bool {
        self.switches.chip_key_masked
    }

    /// Whether MASK_CHIP_ID is set.
    #[must_use]
    pub const fn is_chip_id_masked(&self) -> bool {
        self.switches.chip_id_masked
    }

    /// The number of the last message under this key.
    #[must_use]
    pub fn counter(&self, key: VmpckIndex) -> u64 {
        self.counters.get(usize::from(key.number())).copied().unwrap_or(0)
    }

    /// A communication key of the guest, as the guest's software holds it, not used yet.
    ///
    /// For a guest that goes on after other messages there is the
    /// [secrets page](Self::write_secrets).
    #[must_use]
    pub fn vmpck(&self, key: VmpckIndex) -> Vmpck {
        Vmpck::unused(key, &mut self.key(key))
    }

    /// Fills a secrets page (version 3): the processor, all four keys, and the numbers of their last
    /// messages, which the firmware leaves to the guest's software: this is the page as the
    /// software before handed it on.
    pub fn write_secrets<'p>(&self, page: &'p mut [u8; PAGE]) -> &'p mut SecretsPage {
        page.fill(0);
        put(page, 0, &[3]);
        let processor = self.chip.processor();
        put(page, 8, &eax(processor.family, processor.model, processor.stepping).to_le_bytes());
        // Bits 63:32 of the numbers are there.
        put(page, 0xDE, &[1]);
        for (index, counter) in VmpckIndex::ALL.into_iter().zip(self.counters) {
            let number = usize::from(index.number());
            let [low @ .., a, b, c, d] = counter.to_le_bytes();
            put(page, number.saturating_mul(32).saturating_add(0x20), &self.key(index));
            put(page, number.saturating_mul(4).saturating_add(0xA0), &low);
            put(page, number.saturating_mul(4).saturating_add(0xB8), &[a, b, c, d]);
        }
        put(page, 0x160, &self.guest.tsc.factor.to_le_bytes());
        put(page, 0x168, &self.guest.launch_mitigation_vector.to_le_bytes());
        SecretsPage::of(page)
    }

    /// The bytes of a key: of the chip, the guest and the level.
    fn key(&self, index: VmpckIndex) -> [u8; 32] {
        Sha256::new_with_prefix(self.chip.derive("guest messages"))
            .chain_update(self.guest.report_id)
            .chain_update([index.number()])
            .finalize()
            .into()
    }

    /// Answers a request page with a response page, SNP_GUEST_REQUEST. With another status than
    /// success, `response` is as it was and the message is not counted.
    pub fn answer(&mut self, request: &[u8], response: &mut [u8; PAGE]) -> FirmwareStatus {
        self.try_answer(request, response).err().unwrap_or(FirmwareStatus::SUCCESS)
    }

    fn try_answer(
        &mut self,
        request: &[u8],
        response: &mut [u8; PAGE],
    ) -> Result<(), FirmwareStatus> {
        let (header, index) = header(request)?;
        let key = self.key(index);
        let overflow = FirmwareStatus::AEAD_OVERFLOW;
        let next = self.counter(index).checked_add(1).ok_or(overflow)?;
        let last = next.checked_add(1).ok_or(overflow)?;
        if header.sequence.get() != next {
            return Err(overflow);
        }
        let mut room = [0; MAX_PAYLOAD];
        let payload = open(&key, &header, request, &mut room)?;
        let mut answer = [0; ANSWER];
        let kind = header.message_type;
        let size = match (kind, header.message_version, payload.len()) {
            (MessageType::REPORT_REQUEST, 1, 96) => self.answer_report(index, payload, &mut answer),
            (MessageType::KEY_REQUEST, 1, 32) | (MessageType::KEY_REQUEST, 2, 40) => {
                self.answer_key(index, payload, &mut answer)
            }
            (MessageType::TSC_INFO_REQUEST, 1, 128) => self.answer_tsc(payload, &mut answer),
            _ => return Err(FirmwareStatus::INVALID_PARAMETER),
        };
        if let Some(counter) = self.counters.get_mut(usize::from(index.number())) {
            *counter = last;
        }
        let payload = answer.get(..size).unwrap_or_default();
        let size = u16::try_from(size).unwrap_or(0);
        seal(&key, Header::new(index, last, kind.response(), 1, size), payload, response);
        Ok(())
    }

    /// The key that a KEY_SEL (bits 1:0) gives: 0 the VLEK if there is one, else the VCEK; 1 the
    /// VCEK, 2 the VLEK. That 3 is an invalid parameter and a masked VCEK signs nothing is an
    /// assumption.
    pub(super) const fn chosen_key(&self, selection: u32) -> Result<SigningKey, MessageStatus> {
        let vcek = match self.switches.chip_key_masked {
            true => SigningKey::None,
            false => SigningKey::Vcek,
        };
        match (selection, self.switches.vlek) {
            (0 | 2, true) => Ok(SigningKey::Vlek),
            (0 | 1, _) => Ok(vcek),
            (2, false) => Err(MessageStatus::INVALID_KEY_SELECTION),
            _ => Err(MessageStatus::INVALID_PARAMETERS),
        }
    }

    fn answer_report(&self, key: VmpckIndex, request: &[u8], out: &mut [u8; ANSWER]) -> usize {
        let (vmpl, flags) = (u32_at(request, 0x40), u32_at(request, 0x44));
        let reserved = request.get(0x48..).unwrap_or_default();
        let signer = match is_level(key, vmpl) && flags <= 3 && is_zero(reserved) {
            true => self.chosen_key(flags),
            false => Err(MessageStatus::INVALID_PARAMETERS),
        };
        match (signer, request.first_chunk()) {
            (Ok(signer), Some(data)) => {
                let report = self.report(data, vmpl, signer);
                put(out, 4, &0x4A0_u32.to_le_bytes());
                put(out, 0x20, &report);
            }
            (Err(status), _) => put(out, 0, &status.0.to_le_bytes()),
            (_, None) => put(out, 0, &MessageStatus::INVALID_PARAMETERS.0.to_le_bytes()),
        }
        0x4C0
    }

    fn answer_key(&self, key: VmpckIndex, request: &[u8], out: &mut [u8; ANSWER]) -> usize {
        match self.derived_key(key, request) {
            Ok(derived) => put(out, 0x20, &derived),
            Err(status) => put(out, 0, &status.0.to_le_bytes()),
        }
        64
    }

    fn derived_key(&self, key: VmpckIndex, request: &[u8]) -> Result<[u8; 32], MessageStatus> {
        let (select, reserved) = (u32_at(request, 0), u32_at(request, 4));
        let (fields, vmpl) = (u64_at(request, 8), u32_at(request, 0x10));
        let svn = u32_at(request, 0x14);
        let tcb = TcbVersion(u64_at(request, 0x18).to_le_bytes());
        let known: u64 = if request.len() == 40 { 0x7F } else { 0x3F };
        let committed = self.chip.tcb_version(&self.tcb.committed);
        let good = select <= 7
            && reserved == 0
            && fields & !known == 0
            && is_level(key, vmpl)
            && svn <= self.guest.svn
            && tcb.is_at_most(committed);
        if !good {
            return Err(MessageStatus::INVALID_PARAMETERS);
        }
        let root = match (select & 1, self.chosen_key(select >> 1)?) {
            (1, _) => "the VM root key",
            (_, SigningKey::Vlek) => "keys from the VLEK",
            _ => "keys from the VCEK",
        };
        let guest = &self.guest;
        let mut hash = Sha256::new_with_prefix(self.chip.derive(root));
        hash.update(u64::to_le_bytes(fields));
        hash.update(vmpl.to_le_bytes());
        let (policy, vector) = (guest.policy.0.to_le_bytes(), u64_at(request, 0x20).to_le_bytes());
        let (svn, values) = (svn.to_le_bytes(), tcb.0);
        let mixed: [&[u8]; 7] = [
            &policy,
            &guest.image_id,
            &guest.family_id,
            &guest.measurement,
            &svn,
            &values,
            &vector,
        ];
        for (bit, value) in mixed.into_iter().enumerate() {
            if fields >> bit & 1 == 1 {
                hash.update(value);
            }
        }
        Ok(hash.finalize().into())
    }

    fn answer_tsc(&self, request: &[u8], out: &mut [u8; ANSWER]) -> usize {
        let tsc = &self.guest.tsc;
        if is_zero(request) {
            put(out, 8, &tsc.scale.to_le_bytes());
            put(out, 0x10, &tsc.offset.to_le_bytes());
            put(out, 0x18, &tsc.factor.to_le_bytes());
        } else {
            put(out, 0, &MessageStatus::INVALID_PARAMETERS.0.to_le_bytes());
        }
        128
    }
}

/// Bytes of the largest answer, a report's.
const ANSWER: usize = 0x4C0;

/// Whether a key's holder may ask for this level.
fn is_level(key: VmpckIndex, vmpl: u32) -> bool {
    (u32::from(key.number())..4).contains(&vmpl)
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// As CPUID function 1 has it: the part of a family above 15, and the upper half of a model, stand
/// apart.
fn eax(family: u8, model: u8, stepping: u8) -> u32 {
    let extended = u32::from(family.saturating_sub(15));
    let (low, high) = (u32::from(model & 15), u32::from(model >> 4));
    extended << 20 | high << 16 | u32::from(family.min(15)) << 8 | low << 4 | u32::from(stepping)
}
