// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is odd in a report: for a person who looks at it. A verifier has a policy instead.

use core::fmt;

use super::bits::{GuestPolicy, KeyInfo, SigningKey};
use super::layout::Report;

/// Something that a person who looks at a report should know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Finding {
    /// The host may debug the guest: no secret is safe in it.
    Debug,
    /// A migration agent may move and read the guest.
    Migration,
    /// Bit 17 of the policy is not set.
    PolicyBit,
    /// The host asked for the report, not the guest.
    HostRequested,
    /// A privilege level that there is not.
    PrivilegeLevel(u32),
    /// Not signed: the chip's keys are masked, or the signing key is none.
    NotSigned,
    /// A signing key, or a bit beside it, that is not known.
    KeyInfo(KeyInfo),
    /// A signature algorithm that is not known.
    SignatureAlgorithm(u32),
    /// The platform hides which chip it is.
    MaskedChip,
    /// The processor is not known: how TCB versions are to be read neither.
    UnknownProcessor,
    /// A byte that is reserved in this version is not zero.
    Reserved(usize),
    /// A TCB version has a byte that has no meaning in this generation.
    TcbBytes(TcbName),
    /// The first TCB version is above the second in some component. Reports seen so far have
    /// REPORTED at most COMMITTED, and COMMITTED at most CURRENT.
    TcbOrder(TcbName, TcbName),
    /// What was running at launch is not what is committed. Seen equal in all reports so far.
    LaunchTcb,
    /// Newer firmware runs than is committed: it can be rolled back.
    Provisional,
    /// The guest was launched without one of the mitigations that are in force now: the mask.
    Mitigations(u64),
}

/// One of a report's TCB versions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names of fields")]
pub enum TcbName {
    Reported,
    Committed,
    Current,
    Launch,
}

impl fmt::Display for TcbName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reported => "REPORTED_TCB",
            Self::Committed => "COMMITTED_TCB",
            Self::Current => "CURRENT_TCB",
            Self::Launch => "LAUNCH_TCB",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debug => f.write_str("the host may debug this guest: it keeps no secrets"),
            Self::Migration => f.write_str("a migration agent may move and read this guest"),
            Self::PolicyBit => f.write_str("bit 17 of the policy is not set, and must be"),
            Self::HostRequested => f.write_str("the host asked for this report, not the guest"),
            Self::PrivilegeLevel(number) => write!(f, "there is no VMPL {number}"),
            Self::NotSigned => f.write_str("the report is not signed"),
            Self::KeyInfo(info) => write!(f, "key info that is not known: {info}"),
            Self::SignatureAlgorithm(number) => {
                write!(f, "signature algorithm that is not known: {number}")
            }
            Self::MaskedChip => f.write_str("the platform hides which chip it is"),
            Self::UnknownProcessor => {
                f.write_str("unknown processor: TCB versions cannot be read by component")
            }
            Self::Reserved(offset) => write!(f, "reserved byte {offset:#x} is not zero"),
            Self::TcbBytes(name) => write!(f, "{name} has bytes without a meaning"),
            Self::TcbOrder(above, below) => write!(f, "{above} is above {below}"),
            Self::LaunchTcb => f.write_str("LAUNCH_TCB is not COMMITTED_TCB"),
            Self::Provisional => {
                f.write_str("CURRENT_TCB is above COMMITTED_TCB: the firmware can be rolled back")
            }
            Self::Mitigations(mask) => {
                write!(f, "launched without mitigations that are in force now: {mask:#x}")
            }
        }
    }
}

/// Iterator over a report's findings.
#[derive(Clone, Debug)]
pub struct Findings<'r> {
    report: &'r Report,
    next: u8,
}

impl Report {
    /// What is odd in it.
    #[must_use]
    pub const fn findings(&self) -> Findings<'_> {
        Findings { report: self, next: 0 }
    }

    /// The finding of this number, if the report has it; the outer `None` ends them.
    fn finding(&self, number: u8) -> Option<Option<Finding>> {
        let (policy, info) = (self.policy(), self.key_info());
        let when = |found: bool, finding| found.then_some(finding);
        let order = |above, below| {
            let found = !self.tcb(above).is_at_most(self.tcb(below));
            when(found, Finding::TcbOrder(above, below))
        };
        let bytes = |name| {
            let unknown = |g| self.tcb(name).of(g).has_unknown_bytes();
            when(self.generation().is_some_and(unknown), Finding::TcbBytes(name))
        };
        Some(match number {
            0 => when(policy.contains(GuestPolicy::DEBUG), Finding::Debug),
            1 => when(policy.contains(GuestPolicy::MIGRATE_MA), Finding::Migration),
            2 => when(!policy.contains(GuestPolicy::RESERVED_ONE), Finding::PolicyBit),
            3 => match (self.vmpl(), self.guest_vmpl()) {
                (Self::HOST, _) => Some(Finding::HostRequested),
                (number, None) => Some(Finding::PrivilegeLevel(number)),
                _ => None,
            },
            4 => {
                let unsigned = info.signing_key() == SigningKey::None;
                when(unsigned || info.contains(KeyInfo::MASK_CHIP_KEY), Finding::NotSigned)
            }
            5 => {
                let unknown = matches!(info.signing_key(), SigningKey::Unknown(_));
                when(unknown || info.has_unknown_bits(), Finding::KeyInfo(info))
            }
            6 => {
                let number = self.signature_algorithm();
                let known = number == Self::ECDSA_P384_SHA384;
                when(!known, Finding::SignatureAlgorithm(number))
            }
            7 => when(self.chip_id().is_masked(), Finding::MaskedChip),
            8 => {
                let unknown = self.processor().is_some() && self.generation().is_none();
                when(unknown, Finding::UnknownProcessor)
            }
            9 => self.reserved_byte().map(Finding::Reserved),
            10 => bytes(TcbName::Reported),
            11 => bytes(TcbName::Committed),
            12 => bytes(TcbName::Current),
            13 => bytes(TcbName::Launch),
            14 => order(TcbName::Reported, TcbName::Committed),
            15 => order(TcbName::Committed, TcbName::Current),
            16 => when(self.launch_tcb() != self.committed_tcb(), Finding::LaunchTcb),
            17 => {
                let rolls_back = !self.current_tcb().is_at_most(self.committed_tcb());
                when(rolls_back, Finding::Provisional)
            }
            18 => {
                let current = self.current_mitigation_vector().unwrap_or(0);
                let missing = current & !self.launch_mitigation_vector().unwrap_or(0);
                when(missing != 0, Finding::Mitigations(missing))
            }
            _ => return None,
        })
    }

    fn tcb(&self, name: TcbName) -> super::TcbVersion {
        match name {
            TcbName::Reported => self.reported_tcb(),
            TcbName::Committed => self.committed_tcb(),
            TcbName::Current => self.current_tcb(),
            TcbName::Launch => self.launch_tcb(),
        }
    }
}

impl Iterator for Findings<'_> {
    type Item = Finding;

    fn next(&mut self) -> Option<Finding> {
        loop {
            let number = self.next;
            self.next = number.saturating_add(1);
            if let Some(finding) = self.report.finding(number)? {
                return Some(finding);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{REPORT_SIZE, Versions};

    /// A report of version 3, of Milan, without anything odd in it.
    fn plain() -> [u8; REPORT_SIZE] {
        let mut bytes = [0; REPORT_SIZE];
        bytes[0] = 3;
        bytes[0x0A] = 3;
        bytes[0x34] = 1;
        bytes[0x188] = 0x19;
        bytes[0x1A0] = 5;
        bytes
    }

    fn of(change: impl FnOnce(&mut [u8; REPORT_SIZE])) -> Vec<Finding> {
        let mut bytes = plain();
        change(&mut bytes);
        Report::parse(&bytes, Versions::WITH_FOURTH).unwrap().findings().collect()
    }

    #[test]
    fn one_at_a_time() {
        assert_eq!(of(|_| {}), []);
        assert_eq!(of(|b| b[0x0A] |= 8), [Finding::Debug]);
        assert_eq!(of(|b| b[0x0A] |= 4), [Finding::Migration]);
        assert_eq!(of(|b| b[0x0A] = 1), [Finding::PolicyBit]);
        assert_eq!(of(|b| b[0x30..0x34].fill(0xFF)), [Finding::HostRequested]);
        assert_eq!(of(|b| b[0x30] = 4), [Finding::PrivilegeLevel(4)]);
        assert_eq!(of(|b| b[0x48] = 2), [Finding::NotSigned]);
        assert_eq!(of(|b| b[0x48] = 7 << 2), [Finding::NotSigned]);
        assert_eq!(of(|b| b[0x48] = 3 << 2), [Finding::KeyInfo(KeyInfo(12))]);
        assert_eq!(of(|b| b[0x48] = 1 << 5), [Finding::KeyInfo(KeyInfo(32))]);
        assert_eq!(of(|b| b[0x34] = 2), [Finding::SignatureAlgorithm(2)]);
        assert_eq!(of(|b| b[0x1A0] = 0), [Finding::MaskedChip]);
        assert_eq!(of(|b| b[0x188] = 0x18), [Finding::UnknownProcessor]);
        let name = TcbName::Reported;
        assert_eq!(
            of(|b| b[0x183] = 1),
            [Finding::TcbBytes(name), Finding::TcbOrder(name, TcbName::Committed)]
        );
        assert_eq!(of(|b| b[0x38] = 1), [Finding::Provisional]);
        assert_eq!(of(|b| b[0x1F0] = 1), [Finding::LaunchTcb]);
        assert_eq!(of(|b| (b[0], b[0x200]) = (5, 3)), [Finding::Mitigations(3)]);
    }

    /// Every byte that is reserved in a version is found, and no other.
    #[test]
    fn reserved_bytes_of_every_version() {
        for version in [2, 3, 4, 5] {
            let reserved = |at: usize| match at {
                0x4C..0x50 | 0x18B..0x1A0 | 0x1EB | 0x1EF | 0x208..0x2A0 | 0x330..0x4A0 => true,
                0x2D0..0x2E8 | 0x318..0x330 => true,
                0x188..0x18B => version == 2,
                0x1F8..0x208 => version < 5,
                _ => false,
            };
            for at in 4..REPORT_SIZE {
                let found = of(|b| {
                    b[0] = version;
                    b[0x188] = if version == 2 { 0 } else { 0x19 };
                    b[at] ^= 1;
                });
                let found = found.contains(&Finding::Reserved(at));
                assert_eq!(found, reserved(at), "version {version}, byte {at:#x}");
            }
        }
    }
}
