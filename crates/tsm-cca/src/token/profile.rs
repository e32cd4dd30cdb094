// SPDX-License-Identifier: MIT OR Apache-2.0
//! Profiles: which claims a token must have, and in which form.

use super::cbor::{Label, Labels, Placed, Reader};
use super::key::KeyForm;
use super::part::Part;
use crate::error::Error;

pub(super) const PROFILE: i128 = 265;

/// The profile of a platform token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum PlatformProfile {
    /// `http://arm.com/CCA-SSD/1.0.0`: before RMM 1.0-rel0.
    Legacy,
    /// `tag:arm.com,2023:cca_platform#1.0.0`.
    V1,
    /// `tag:arm.com,2024:cca_platform#2.0.0`: 2.0 beta.
    V2,
}

impl PlatformProfile {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Legacy, Self::V1, Self::V2];

    /// Its name in claim 265.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Legacy => "http://arm.com/CCA-SSD/1.0.0",
            Self::V1 => "tag:arm.com,2023:cca_platform#1.0.0",
            Self::V2 => "tag:arm.com,2024:cca_platform#2.0.0",
        }
    }

    /// The profile of this name; `None` for those that this crate does not know. Those of 2026 are
    /// among them: they bind the key by another claim.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }
}

/// The profile of a realm token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum RealmProfile {
    /// The claim is absent: before RMM 1.0-rel0 (DEN0137 1.0-rel0, A7.2.3.1).
    Legacy,
    /// `tag:arm.com,2023:realm#1.0.0`.
    V1,
    /// `tag:arm.com,2024:realm#2.0.0`: 2.0 beta.
    V2,
}

impl RealmProfile {
    /// Its name in claim 265; `None` for the one without the claim.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Legacy => None,
            Self::V1 => Some("tag:arm.com,2023:realm#1.0.0"),
            Self::V2 => Some("tag:arm.com,2024:realm#2.0.0"),
        }
    }

    /// The profile of this name; `None` for those that this crate does not know.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::V1, Self::V2].into_iter().find(|profile| profile.name() == Some(name))
    }

    /// The form of the public key.
    #[must_use]
    pub const fn key_form(self) -> KeyForm {
        match self {
            Self::Legacy => KeyForm::Sec1,
            Self::V1 | Self::V2 => KeyForm::CoseKey,
        }
    }

    /// Whether tokens with both profiles have been seen: of one age, a legacy or 2023 platform with
    /// the realm profile of the next age (TF-RMM main, Veraison's test data). For a verifier's
    /// policy; nothing here refuses others.
    #[must_use]
    pub const fn goes_with(self, platform: PlatformProfile) -> bool {
        matches!(
            (platform, self),
            (PlatformProfile::Legacy, Self::Legacy | Self::V1)
                | (PlatformProfile::V1, Self::V1 | Self::V2)
                | (PlatformProfile::V2, Self::V2)
        )
    }
}

/// The name in claim 265 of a map of claims of either half, known or not; `None` if there is no such
/// claim. For a message about [`ErrorKind::UnknownProfile`](crate::ErrorKind).
///
/// # Errors
///
/// The map is not well-formed, or the claim is no text.
pub fn profile(claims: &[u8]) -> Result<Option<&str>, Error> {
    let mut reader = Reader::new(Placed::new(claims));
    let mut labels = Labels::new();
    let mut name = None;
    for _ in 0..reader.map(Part::Claims)? {
        match labels.next(&mut reader)? {
            Label::Number(PROFILE) => name = Some(reader.text(Part::Profile)?),
            _ => drop(reader.item()?),
        }
    }
    reader.end()?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name() {
        for profile in PlatformProfile::ALL {
            assert_eq!(PlatformProfile::from_name(profile.name()), Some(profile));
        }
        for name in ["tag:arm.com,2023:realm#1.0.0", "tag:arm.com,2024:realm#2.0.0"] {
            assert_eq!(RealmProfile::from_name(name).unwrap().name(), Some(name));
            assert_eq!(PlatformProfile::from_name(name), None);
        }
        for unknown in ["", "tag:arm.com,2026:realm#2.0.0", "tag:arm.com,2026:cca_platform#2.0.0"] {
            assert_eq!(PlatformProfile::from_name(unknown), None);
            assert_eq!(RealmProfile::from_name(unknown), None);
        }
    }

    #[test]
    fn of_claims() {
        assert_eq!(profile(b"\xa0"), Ok(None));
        assert_eq!(profile(b"\xa2\x0a\x40\x19\x01\x09\x63abc"), Ok(Some("abc")));
        assert!(profile(b"\xa1\x19\x01\x09\x43abc").is_err());
        assert!(profile(b"\xa0\x00").is_err());
    }
}
