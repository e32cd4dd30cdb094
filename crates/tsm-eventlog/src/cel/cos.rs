// SPDX-License-Identifier: MIT OR Apache-2.0
//! What Google's Confidential Space notes in records of type 80 (go-tpm-tools `cel/cos_tlv.go`).

use super::tlv::Tlvs;
use crate::error::ErrorKind;

/// An event of Google's launcher. The digest of its record is that of the content as TLV, so it covers
/// all of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cos<'a> {
    /// What it is about.
    pub kind: CosKind,
    /// Its value: text, for most kinds.
    pub value: &'a [u8],
}

impl<'a> Cos<'a> {
    /// Reads the content of a record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encoding`] if it is not exactly one TLV.
    pub(super) fn read(content: &'a [u8]) -> Result<Self, ErrorKind> {
        let mut tlvs = Tlvs::new(content);
        let one = tlvs.read().map_err(|_| ErrorKind::Encoding)?;
        if !tlvs.rest().is_empty() {
            return Err(ErrorKind::Encoding);
        }
        Ok(Self { kind: CosKind::of(one.kind), value: one.value })
    }

    /// The value as text; `None` if it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        core::str::from_utf8(self.value).ok()
    }

    /// Name and value of an environment variable ([`CosKind::EnvironmentVariable`],
    /// [`CosKind::OverrideEnvironment`]); `None` if it is none, or its name is not one of letters,
    /// digits and `_` that does not begin with a digit.
    #[must_use]
    pub fn variable(&self) -> Option<(&'a str, &'a str)> {
        let is_one =
            [CosKind::EnvironmentVariable, CosKind::OverrideEnvironment].contains(&self.kind);
        let (name, value) = self.text().filter(|_| is_one)?.split_once('=')?;
        let begins = name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (begins && is_name).then_some((name, value))
    }
}

/// What an event of Google's launcher is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum CosKind {
    /// 0: the reference of the container's image.
    ImageReference,
    /// 1: the image's digest.
    ImageDigest,
    /// 2: `Always`, `OnFailure` or `Never`.
    RestartPolicy,
    /// 3: the image's id.
    ImageId,
    /// 4: an argument.
    Argument,
    /// 5: an environment variable, `NAME=value`.
    EnvironmentVariable,
    /// 6: an argument that the operator set.
    OverrideArgument,
    /// 7: an environment variable that the operator set.
    OverrideEnvironment,
    /// 8: the launch is over: empty, or what went wrong. Nothing may follow it.
    LaunchSeparator,
    /// 9: whether memory is monitored: one byte.
    MemoryMonitor,
    /// 10: the mode of a confidential GPU.
    GpuMode,
    /// 11: binds a GPU's attestation to this machine.
    GpuAttestationBinding,
    /// Another.
    Other(u8),
}

impl CosKind {
    const fn of(number: u8) -> Self {
        match number {
            0 => Self::ImageReference,
            1 => Self::ImageDigest,
            2 => Self::RestartPolicy,
            3 => Self::ImageId,
            4 => Self::Argument,
            5 => Self::EnvironmentVariable,
            6 => Self::OverrideArgument,
            7 => Self::OverrideEnvironment,
            8 => Self::LaunchSeparator,
            9 => Self::MemoryMonitor,
            10 => Self::GpuMode,
            11 => Self::GpuAttestationBinding,
            other => Self::Other(other),
        }
    }
}
