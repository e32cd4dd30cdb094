// SPDX-License-Identifier: MIT OR Apache-2.0
//! What registers are called: from numbers in logs to names, and back.

use tsm_eventlog::registers::{Platform, RegisterIndex};
use tsm_eventlog::{cel, dstack};

use crate::args::{self, Format};
use crate::failure::Failure;

/// How the registers of one log are named.
#[derive(Clone, Debug)]
pub(crate) struct Naming {
    pub(crate) platform: Platform,
    /// Whether somebody said which platform it is: the user, or the format.
    pub(crate) is_told: bool,
    /// The register of a log that does not say its own.
    pub(crate) register: String,
}

impl Naming {
    /// From what the user says, from the names of the values given, else from the format.
    pub(crate) fn new<'n>(
        format: Format,
        told: Option<args::Platform>,
        mut names: impl Iterator<Item = &'n str>,
        register: String,
    ) -> Self {
        let told = told.map(platform).or_else(|| {
            let platform = names.find_map(platform_of)?;
            // A confidential VM's log never has PCRs: such a name is a mistake, and is reported.
            (format != Format::Ccel || platform != Platform::Tpm).then_some(platform)
        });
        let (default, is_told) = match format {
            Format::Tcg2 | Format::TcgSha1 => (Platform::Tpm, true),
            Format::Systemd | Format::DstackLog | Format::DstackEvents => (Platform::Tdx, true),
            _ => (Platform::Cc, false),
        };
        Self { platform: told.unwrap_or(default), is_told: is_told || told.is_some(), register }
    }

    /// Takes the platform of another log, which is said, where this one's is not.
    pub(crate) fn follow(&mut self, other: &Self) {
        if !self.is_told && other.is_told && other.platform != Platform::Tpm {
            (self.platform, self.is_told) = (other.platform, true);
        }
    }

    /// The register that a TCG log's record is about; `#N` if there is none of this number.
    pub(crate) fn tcg(&self, number: u32) -> String {
        let known = self.platform.register(number);
        known.map_or_else(|| format!("#{number}"), |register| register.to_string())
    }

    /// The register that another log's record is about.
    pub(crate) fn cel(&self, register: cel::Register) -> String {
        let known = match register {
            cel::Register::CcMr(number) if self.platform != Platform::Tpm => {
                self.counts_like_uefi().register(number)
            }
            _ => None,
        };
        known.map_or_else(|| register.to_string(), |register| register.to_string())
    }

    /// The register of a TCG log that the user calls `name`.
    pub(crate) fn find_tcg(&self, name: &str) -> crate::Result<RegisterIndex> {
        let found = match RegisterIndex::from_name(name.as_bytes()) {
            // `ccmrN` names the registers of every confidential VM.
            Some(RegisterIndex::CcMr(index)) if self.platform != Platform::Tpm => {
                self.counts_like_uefi().register(index.number())
            }
            other => other,
        };
        let own = |register: &RegisterIndex| self.platform.number(*register).is_some();
        found.filter(own).ok_or_else(|| self.unknown(name))
    }

    /// The register of another log that the user calls `name`.
    pub(crate) fn find_cel(&self, name: &str) -> crate::Result<cel::Register> {
        let number = |kind: &str| name.strip_prefix(kind)?.parse::<u32>().ok();
        let nv = || u32::from_str_radix(name.strip_prefix("nv")?, 16).ok();
        let found = match RegisterIndex::from_name(name.as_bytes()) {
            Some(RegisterIndex::CcMr(index)) => Some(cel::Register::CcMr(index.number())),
            Some(RegisterIndex::Pcr(index)) => Some(cel::Register::Pcr(index.number())),
            Some(register) => self.counts_like_uefi().number(register).map(cel::Register::CcMr),
            None => number("pcr")
                .map(cel::Register::Pcr)
                .or_else(|| number("ccmr").map(cel::Register::CcMr))
                .or_else(|| nv().map(cel::Register::NvIndex)),
        };
        found.ok_or_else(|| self.unknown(name))
    }

    /// The register, as a number, of a log that does not say it. Where its name is no register's the
    /// number does not matter, but that it is one which starts with zeros.
    pub(crate) fn one_register(&self) -> cel::Register {
        self.find_cel(&self.register).unwrap_or(dstack::Log::RTMR3)
    }

    /// Whether a register is among those that the user names; all are if none is.
    pub(crate) fn selects<'n>(
        &self,
        mut names: impl Iterator<Item = &'n str>,
        register: &str,
    ) -> bool {
        match names.next() {
            None => true,
            Some(first) => {
                self.are_same(first, register) || names.any(|name| self.are_same(name, register))
            }
        }
    }

    /// Whether two names mean one register: `ccmr1` is also `rtmr0`.
    pub(crate) fn are_same(&self, a: &str, b: &str) -> bool {
        a == b || self.canonical(a) == self.canonical(b)
    }

    /// One name for all that mean the same register.
    pub(crate) fn canonical(&self, name: &str) -> String {
        self.find_cel(name).map_or_else(|_| name.to_string(), |register| self.cel(register))
    }

    /// One line about names that could be better ones.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        (!self.is_told && self.platform == Platform::Cc).then_some(
            "the log does not say of which platform it is: with --platform tdx ccmr1 is called \
             rtmr0, with --platform cca rem0",
        )
    }

    const fn counts_like_uefi(&self) -> Platform {
        match self.platform {
            Platform::CcaMonitor => Platform::Cca,
            other => other,
        }
    }

    fn unknown(&self, name: &str) -> Failure {
        let registers = match self.platform {
            Platform::Tpm => "of a TPM (pcr0 to pcr23)",
            Platform::Tdx => "of a TD (rtmr0 to rtmr3, mrtd)",
            Platform::Cca | Platform::CcaMonitor => "of a realm (rem0 to rem3, rim)",
            _ => "of a confidential VM (ccmr0 to ccmr4)",
        };
        Failure::usage(format!("'{name}' is no register {registers}; see --platform"))
    }
}

const fn platform(told: args::Platform) -> Platform {
    match told {
        args::Platform::Tpm => Platform::Tpm,
        args::Platform::Tdx => Platform::Tdx,
        args::Platform::Cca => Platform::Cca,
        args::Platform::CcaMonitor => Platform::CcaMonitor,
        args::Platform::Cc => Platform::Cc,
    }
}

/// The platform whose register has this name.
fn platform_of(name: &str) -> Option<Platform> {
    match RegisterIndex::from_name(name.as_bytes())? {
        RegisterIndex::Pcr(_) => Some(Platform::Tpm),
        RegisterIndex::Mrtd | RegisterIndex::Rtmr(_) => Some(Platform::Tdx),
        RegisterIndex::Rim | RegisterIndex::Rem(_) => Some(Platform::Cca),
        // Each confidential VM has them.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(format: Format, told: Option<args::Platform>, names: &[&str]) -> Naming {
        Naming::new(format, told, names.iter().copied(), "log".into())
    }

    #[test]
    fn names_follow_what_is_said() {
        let name = |format, told, names: &[&str], number| naming(format, told, names).tcg(number);
        assert_eq!(name(Format::Tcg2, None, &[], 7), "pcr7");
        assert_eq!(name(Format::Tcg2, None, &[], u32::MAX), "#4294967295");
        assert_eq!(name(Format::Ccel, None, &[], 1), "ccmr1");
        assert_eq!(name(Format::Ccel, None, &["ccmr2", "rtmr0"], 1), "rtmr0");
        assert_eq!(name(Format::Ccel, None, &["rem0"], 1), "rem0");
        assert_eq!(name(Format::Tcg2, None, &["rtmr0"], 1), "rtmr0", "td-shim's header");
        assert_eq!(name(Format::Tcg2, Some(args::Platform::Tdx), &["pcr0"], 0), "mrtd");
        assert!(naming(Format::Ccel, None, &["pcr1"]).find_tcg("pcr1").is_err());
        assert!(naming(Format::Ccel, None, &[]).hint().is_some());
        assert!(naming(Format::Ccel, None, &["rtmr0"]).hint().is_none());
        assert!(naming(Format::Tcg2, None, &[]).hint().is_none());
    }

    #[test]
    fn a_log_can_follow_another() {
        let (mut ccel, dstack) =
            (naming(Format::Ccel, None, &[]), naming(Format::DstackEvents, None, &[]));
        ccel.follow(&naming(Format::Tcg2, None, &[]));
        assert_eq!(ccel.tcg(1), "ccmr1");
        ccel.follow(&dstack);
        assert_eq!(ccel.tcg(1), "rtmr0");
    }

    #[test]
    fn names_are_found_again() {
        let tdx = naming(Format::Ccel, Some(args::Platform::Tdx), &[]);
        for name in ["rtmr1", "ccmr2"] {
            assert_eq!(tdx.find_tcg(name).unwrap().to_string(), "rtmr1");
            assert_eq!(tdx.find_cel(name).unwrap(), cel::Register::CcMr(2));
        }
        assert_eq!(tdx.cel(cel::Register::CcMr(2)), "rtmr1");
        assert!(tdx.are_same("ccmr2", "rtmr1") && !tdx.are_same("ccmr1", "rtmr1"));
        assert!(tdx.are_same("my-log", "my-log") && !tdx.are_same("my-log", "other"));
        assert!(tdx.selects(["rtmr3", "ccmr2"].into_iter(), "rtmr1"));
        assert!(tdx.selects([].into_iter(), "rtmr1") && !tdx.selects(["x"].into_iter(), "rtmr1"));
        assert_eq!(tdx.cel(cel::Register::CcMr(9)), "ccmr9");
        let tpm = naming(Format::CelTlv, None, &["pcr4"]);
        for (name, register) in [
            ("pcr4", cel::Register::Pcr(4)),
            ("pcr99", cel::Register::Pcr(99)),
            ("nv01d10200", cel::Register::NvIndex(0x01D1_0200)),
            ("ccmr4", cel::Register::CcMr(4)),
        ] {
            assert_eq!(tpm.find_cel(name).unwrap(), register);
            assert_eq!(tpm.cel(register), name);
        }
        for bad in ["", "rtmr0", "nv", "x7"] {
            assert!(tpm.find_cel(bad).is_err(), "{bad}");
        }
    }
}
