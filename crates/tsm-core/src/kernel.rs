// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's descriptions of measurement registers, old and new, to and from ours.
//!
//! Ours is the superset, so a conversion *from* the kernel keeps everything, and the way back gives
//! the same structure again. A conversion *to* the kernel of something its form cannot say is
//! refused, never done in part.
//!
//! One kernel structure is one bank: registers with several banks are several structures that share
//! a name.

use core::fmt;

use crate::algorithm::Algorithm;
use crate::register::{Banks, Initial, Powers, Presentation, Register, Value};

/// The generations of the kernel's structure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// "tsm: Unified Measurement Register ABI for TVMs", RFC v1 (7 September 2024): flags X, W, R,
    /// L. What is extensible is a directory, everything else a file.
    Rfc1,
    /// RFC v2 and v3 (October and December 2024), which added F (shown as a file), and LOG, which
    /// the discussion of v1 asked for without giving it a number; it has the next free bit here.
    Rfc3,
    /// What was merged, Linux 6.16 (`include/linux/tsm-mr.h`): NOHASH, WRITABLE, READABLE, LIVE.
    /// There "writable" means extension for a live register with a hash.
    Linux,
}

/// Flag values of the RFC's `enum tsm_measurement_register_flag`.
mod rfc {
    pub(super) const X: u32 = 1;
    pub(super) const W: u32 = 2;
    pub(super) const R: u32 = 4;
    pub(super) const L: u32 = 8;
    pub(super) const F: u32 = 16;
    pub(super) const LOG: u32 = 32;
}

/// Flag values of Linux 6.16's `TSM_MR_F_*`.
mod linux {
    pub(super) const NOHASH: u32 = 1;
    pub(super) const WRITABLE: u32 = 2;
    pub(super) const READABLE: u32 = 4;
    pub(super) const LIVE: u32 = 8;
}

/// The fields of the kernel's `struct tsm_measurement_register`, but for the pointer to the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KernelRegister<'a> {
    /// `mr_name`.
    pub name: &'a str,
    /// `mr_size`, in bytes.
    pub size: u32,
    /// `mr_flags`; what they mean depends on the [`Form`].
    pub flags: u32,
    /// `mr_hash`, a number of `enum hash_algo`. Meaningless where there is no hash: zero there.
    pub hash: u32,
}

/// Why a conversion is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConversionError {
    /// No structure was given.
    Empty,
    /// The structures do not describe one register: name or flags differ.
    NotOneRegister,
    /// Two structures have the same hash, or a hash beside none.
    Banks,
    /// A flag this form does not define.
    UnknownFlag,
    /// A hash that is unknown or not compiled in.
    UnknownHash,
    /// The size is not that of the hash's digest.
    Size,
    /// The form has no way to say this power, initial value or presentation.
    NotExpressible,
}

impl fmt::Display for ConversionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no kernel register given",
            Self::NotOneRegister => "kernel registers of different names or flags",
            Self::Banks => "two kernel registers of one name with the same hash, or one without",
            Self::UnknownFlag => "a flag that this kernel form does not define",
            Self::UnknownHash => "a hash that is unknown or not compiled in",
            Self::Size => "the size is not that of the hash's digest",
            Self::NotExpressible => "this kernel form cannot describe such a register",
        })
    }
}

impl core::error::Error for ConversionError {}

impl<'a> Register<'a> {
    /// The register that these structures, one per bank, describe together.
    ///
    /// # Errors
    ///
    /// Whatever would be lost is refused: see [`ConversionError`].
    pub fn from_kernel(form: Form, banks: &[KernelRegister<'a>]) -> Result<Self, ConversionError> {
        let (first, rest) = banks.split_first().ok_or(ConversionError::Empty)?;
        if rest.iter().any(|r| r.name != first.name || r.flags != first.flags) {
            return Err(ConversionError::NotOneRegister);
        }
        let value = value(form, first, banks)?;
        let hashed = matches!(value, Value::Banks(_));
        let (powers, presentation) = match form {
            Form::Rfc1 | Form::Rfc3 => from_rfc_flags(form, first.flags)?,
            Form::Linux => (from_linux_flags(first.flags, hashed)?, Presentation::File),
        };
        if powers.contains(Powers::EXTEND) && !hashed {
            return Err(ConversionError::UnknownHash);
        }
        let extensible = powers.contains(Powers::EXTEND);
        let initial = if extensible { Initial::Zeros } else { Initial::Other };
        Ok(Self { name: first.name, value, powers, initial, presentation })
    }

    /// The kernel's structures for this register, one per bank, in bank order.
    ///
    /// # Errors
    ///
    /// [`ConversionError::NotExpressible`] if the form cannot say all of it.
    pub fn to_kernel(
        &self,
        form: Form,
    ) -> Result<impl Iterator<Item = KernelRegister<'a>> + use<'a>, ConversionError> {
        let extensible = self.powers.contains(Powers::EXTEND);
        let default = if extensible { Initial::Zeros } else { Initial::Other };
        let flags = match form {
            Form::Rfc1 | Form::Rfc3 => to_rfc_flags(form, self.powers, self.presentation),
            Form::Linux => to_linux_flags(self),
        };
        let meaningful = !extensible || matches!(self.value, Value::Banks(_));
        let flags = flags.filter(|_| self.initial == default && meaningful);
        let flags = flags.ok_or(ConversionError::NotExpressible)?;
        let name = self.name;
        let unhashed = match self.value {
            Value::Unhashed(size) => Some(KernelRegister { name, size, flags, hash: 0 }),
            Value::Banks(_) => None,
        };
        let banks = self.banks().iter().map(move |bank| KernelRegister {
            name,
            size: u32::try_from(bank.size()).unwrap_or(u32::MAX),
            flags,
            hash: bank.kernel_id(),
        });
        Ok(banks.chain(unhashed))
    }
}

fn value(
    form: Form,
    first: &KernelRegister<'_>,
    banks: &[KernelRegister<'_>],
) -> Result<Value, ConversionError> {
    let unhashed = match form {
        // RFC v1's static registers leave `mr_hash` at zero.
        Form::Rfc1 | Form::Rfc3 => first.hash == 0,
        Form::Linux => first.flags & linux::NOHASH != 0,
    };
    if unhashed {
        return match banks {
            [only] => Ok(Value::Unhashed(only.size)),
            _ => Err(ConversionError::Banks),
        };
    }
    let mut list = Banks::NONE;
    for bank in banks {
        let algorithm = Algorithm::from_kernel_id(bank.hash).ok_or(ConversionError::UnknownHash)?;
        if usize::try_from(bank.size) != Ok(algorithm.size()) {
            return Err(ConversionError::Size);
        }
        list = list.and(algorithm).ok_or(ConversionError::Banks)?;
    }
    Ok(Value::Banks(list))
}

fn from_rfc_flags(form: Form, flags: u32) -> Result<(Powers, Presentation), ConversionError> {
    let defined = match form {
        Form::Rfc1 => rfc::X | rfc::W | rfc::R | rfc::L,
        _ => rfc::X | rfc::W | rfc::R | rfc::L | rfc::F | rfc::LOG,
    };
    if flags & !defined != 0 {
        return Err(ConversionError::UnknownFlag);
    }
    let has = |flag: u32| flags & flag != 0;
    // "W" on an extensible register permits direct extension; elsewhere it permits writing.
    let write = if has(rfc::X) { Powers::DIRECT } else { Powers::WRITE };
    let powers = [
        (rfc::X, Powers::EXTEND),
        (rfc::W, write),
        (rfc::R, Powers::READ),
        (rfc::L, Powers::LIVE),
        (rfc::LOG, Powers::LOG),
    ]
    .into_iter()
    .filter(|&(flag, _)| has(flag))
    .fold(Powers::NONE, |set, (_, power)| set | power);
    let file = if form == Form::Rfc1 { !has(rfc::X) } else { has(rfc::F) };
    Ok((powers, if file { Presentation::File } else { Presentation::Directory }))
}

fn to_rfc_flags(form: Form, powers: Powers, presentation: Presentation) -> Option<u32> {
    let extensible = powers.contains(Powers::EXTEND);
    let write = if extensible { Powers::DIRECT } else { Powers::WRITE };
    let mut rest = powers;
    let mut flags = 0;
    for (power, flag) in [
        (Powers::EXTEND, rfc::X),
        (write, rfc::W),
        (Powers::READ, rfc::R),
        (Powers::LIVE, rfc::L),
        (Powers::LOG, rfc::LOG),
    ] {
        if rest.contains(power) {
            rest = rest.without(power);
            flags |= flag;
        }
    }
    let file = presentation == Presentation::File;
    match form {
        Form::Rfc1 if file == extensible || powers.contains(Powers::LOG) => return None,
        Form::Rfc3 if file => flags |= rfc::F,
        _ => {}
    }
    (rest == Powers::NONE).then_some(flags)
}

fn from_linux_flags(flags: u32, hashed: bool) -> Result<Powers, ConversionError> {
    let defined = linux::NOHASH | linux::WRITABLE | linux::READABLE | linux::LIVE;
    if flags & !defined != 0 {
        return Err(ConversionError::UnknownFlag);
    }
    let has = |flag: u32| flags & flag != 0;
    let mut powers = Powers::NONE;
    if has(linux::READABLE) {
        powers = powers | Powers::READ;
    }
    if has(linux::LIVE) {
        powers = powers | Powers::LIVE;
    }
    if has(linux::WRITABLE) {
        let extension = hashed && has(linux::LIVE);
        powers = powers | if extension { Powers::EXTEND | Powers::DIRECT } else { Powers::WRITE };
    }
    Ok(powers)
}

fn to_linux_flags(register: &Register<'_>) -> Option<u32> {
    let hashed = matches!(register.value, Value::Banks(_));
    let mut flags = if hashed { 0 } else { linux::NOHASH };
    let mut rest = register.powers;
    for (power, flag) in [
        (Powers::EXTEND | Powers::DIRECT | Powers::LIVE, linux::WRITABLE | linux::LIVE),
        (Powers::READ, linux::READABLE),
        (Powers::LIVE, linux::LIVE),
    ] {
        if rest.contains(power) {
            rest = rest.without(power);
            flags |= flag;
        }
    }
    // A writable value that is live and hashed would read as extension.
    let extension = hashed && flags & linux::LIVE != 0;
    if rest.contains(Powers::WRITE) && !extension {
        rest = rest.without(Powers::WRITE);
        flags |= linux::WRITABLE;
    }
    let shown = register.presentation == Presentation::File;
    (rest == Powers::NONE && shown).then_some(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: [Form; 3] = [Form::Rfc1, Form::Rfc3, Form::Linux];

    /// Every flag, every hash, right and wrong sizes: what is accepted comes back unchanged.
    #[test]
    fn from_the_kernel_and_back_is_identity() {
        let mut accepted = [0; 3];
        for (form, accepted) in FORMS.into_iter().zip(&mut accepted) {
            for flags in 0..128 {
                for hash in 0..20 {
                    for size in [20, 32, 48, 64, 1024] {
                        let nohash = form == Form::Linux && flags & linux::NOHASH != 0;
                        let hash = if nohash { 0 } else { hash };
                        let entry = KernelRegister { name: "r", size, flags, hash };
                        let Ok(register) = Register::from_kernel(form, &[entry]) else { continue };
                        let back: Vec<_> = register.to_kernel(form).unwrap().collect();
                        assert_eq!(back, [entry], "{form:?} {register:?}");
                        *accepted += 1;
                    }
                }
            }
        }
        assert!(accepted.iter().all(|&n| n > 50), "{accepted:?}");
    }

    /// The other way: what can be said is not changed by saying it.
    #[test]
    fn to_the_kernel_and_back_is_identity() {
        let mut said = 0;
        for bits in 0..128u16 {
            for value in [
                Value::Unhashed(1024),
                Value::Banks(Banks::one(Algorithm::Sha384)),
                Value::Banks(Banks::new(Algorithm::ALL).unwrap()),
            ] {
                for presentation in [Presentation::File, Presentation::Directory] {
                    for initial in [Initial::Zeros, Initial::Ones, Initial::Other] {
                        let powers = Powers::from_bits(bits);
                        let name = "r";
                        let register = Register { name, value, powers, initial, presentation };
                        for form in FORMS {
                            let Ok(entries) = register.to_kernel(form) else { continue };
                            let entries: Vec<_> = entries.collect();
                            assert_eq!(
                                Register::from_kernel(form, &entries),
                                Ok(register),
                                "{form:?} {entries:?}"
                            );
                            said += 1;
                        }
                    }
                }
            }
        }
        assert!(said > 100, "{said}");
    }

    /// The modes that Linux 7.3's `tsm_mr_sample` shows (see facts in the repository's docs).
    #[test]
    fn linux_sample() {
        let entry = |name, size, flags, hash| KernelRegister { name, size, flags, hash };
        let rtmr1 = Register::from_kernel(Form::Linux, &[entry("rtmr1", 48, 14, 5)]).unwrap();
        assert_eq!(
            rtmr1,
            Register::runtime("rtmr1", Banks::one(Algorithm::Sha384))
                .with(Powers::DIRECT)
                .shown_as(Presentation::File)
        );
        let agile = [entry("agile", 32, 14, 4), entry("agile", 48, 14, 5)];
        assert_eq!(Register::from_kernel(Form::Linux, &agile).unwrap().banks().len(), 2);
        let config = Register::from_kernel(Form::Linux, &[entry("config_mr", 64, 5, 0)]).unwrap();
        assert_eq!(config, Register::fixed("config_mr", Value::Unhashed(64)));
    }

    #[test]
    fn refusals() {
        let entry = |name, size, flags, hash| KernelRegister { name, size, flags, hash };
        let from = |list: &[KernelRegister<'static>]| Register::from_kernel(Form::Linux, list);
        assert_eq!(from(&[]), Err(ConversionError::Empty));
        assert_eq!(
            from(&[entry("a", 48, 4, 5), entry("b", 32, 4, 4)]),
            Err(ConversionError::NotOneRegister)
        );
        assert_eq!(
            from(&[entry("a", 48, 4, 5), entry("a", 48, 4, 5)]),
            Err(ConversionError::Banks)
        );
        assert_eq!(from(&[entry("a", 48, 16, 5)]), Err(ConversionError::UnknownFlag));
        assert_eq!(from(&[entry("a", 32, 4, 17)]), Err(ConversionError::UnknownHash));
        assert_eq!(from(&[entry("a", 32, 4, 5)]), Err(ConversionError::Size));
    }
}
