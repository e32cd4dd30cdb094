// SPDX-License-Identifier: MIT OR Apache-2.0
//! A monitor's state as text, so that it survives the process.
//!
//! ```text
//! SIMULATED realm management monitor, not a machine's
//! format 1
//! hash sha256
//! ipa-width 48
//! platform-secret <hex>
//! form collection
//! platform-profile tag:arm.com,2023:cca_platform#1.0.0
//! realm-profile tag:arm.com,2023:realm#1.0.0
//! filler 0
//! rim <hex>
//! rem0 <hex>
//! ...
//! rpv <hex>
//! end
//! ```

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::str;

use tsm_cca::MeasurementIndex;
use tsm_cca::token::{Form, PlatformProfile, RealmProfile};
use tsm_core::hex::Hex;
use tsm_core::{Algorithm, Digest};

use super::{Monitor, Platform, RealmState};
use crate::lines::{LoadError, LoadErrorKind, Reader};

const FIRST_LINE: &str = "SIMULATED realm management monitor, not a machine's";
const FORMAT: &str = "format 1";

/// In the order of the RSI.
const NAMES: [&str; 5] = ["rim", "rem0", "rem1", "rem2", "rem3"];
const FORMS: [(&str, Form); 2] = [("collection", Form::Collection), ("cmw", Form::Cmw)];
/// What stands for the profile that has no name.
const LEGACY: &str = "legacy";

impl Monitor<Platform> {
    /// Realm and platform. Its first word is `SIMULATED`. Not in it are tokens in the making, quirks
    /// and the number of calls.
    ///
    /// Whoever can change it decides what the registers say, as is fitting for a simulator.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write_state(&mut text);
        text.into_bytes()
    }

    fn write_state(&self, out: &mut String) -> fmt::Result {
        let (realm, platform) = (self.realm(), self.attester());
        writeln!(out, "{FIRST_LINE}\n{FORMAT}\nhash {}", realm.hash())?;
        writeln!(out, "ipa-width {}", realm.ipa_width())?;
        writeln!(out, "platform-secret {}", Hex(platform.secret()))?;
        for (name, _) in FORMS.iter().filter(|(_, form)| *form == platform.form()) {
            writeln!(out, "form {name}")?;
        }
        let (platform_profile, realm_profile) = platform.profiles();
        writeln!(out, "platform-profile {}", platform_profile.name())?;
        writeln!(out, "realm-profile {}", realm_profile.name().unwrap_or(LEGACY))?;
        writeln!(out, "filler {}", platform.filler())?;
        for (name, value) in NAMES.iter().zip(realm.values()) {
            writeln!(out, "{name} {}", Hex(value.as_bytes()))?;
        }
        writeln!(out, "rpv {}\nend", Hex(realm.personalization()))
    }

    /// The monitor that was [saved](Self::save), without quirks.
    ///
    /// # Errors
    ///
    /// [`LoadError`] says which line is not what was saved.
    pub fn load(state: &[u8]) -> Result<Self, LoadError> {
        let mut lines = Reader::new(state, FIRST_LINE, FORMAT)?;
        let hash = lines.word("hash ", |word| Algorithm::from_name(word.as_bytes()))?;
        let unknown = lines.error(LoadErrorKind::Unexpected);
        let realm = RealmState::new(hash).ok_or(unknown)?;
        let width = lines.word("ipa-width ", number)?;
        let unknown = lines.error(LoadErrorKind::Unexpected);
        let mut realm = realm.with_ipa_width(width).ok_or(unknown)?;
        let mut secret = [0; 32];
        lines.hex_into("platform-secret ", &mut secret)?;
        let form = lines.word("form ", |word| {
            FORMS.iter().find(|(name, _)| *name == word).map(|(_, form)| *form)
        })?;
        let platform_profile = lines.word("platform-profile ", PlatformProfile::from_name)?;
        let realm_profile = lines.word("realm-profile ", |word| match word {
            LEGACY => Some(RealmProfile::Legacy),
            name => RealmProfile::from_name(name),
        })?;
        let filler = lines.word("filler ", number)?;
        for (number, name) in (0..).zip(NAMES) {
            let mut value = Digest::zeros(hash);
            lines.hex_into(&alloc::format!("{name} "), value.as_bytes_mut())?;
            let unknown = lines.error(LoadErrorKind::Unexpected);
            let index = MeasurementIndex::new(number).ok_or(unknown)?;
            realm.set_value(index, value).ok_or(unknown)?;
        }
        let mut personalization = [0; 64];
        lines.hex_into("rpv ", &mut personalization)?;
        if lines.next()? != b"end" {
            return Err(lines.error(LoadErrorKind::Unexpected));
        }
        lines.finish()?;
        let platform = Platform::from_secret(secret)
            .with_form(form)
            .with_profiles(platform_profile, realm_profile)
            .with_filler(filler);
        let realm = realm.with_personalization(personalization);
        Ok(Monitor::with_realm(realm).with_attester(platform))
    }
}

impl<'s> Reader<'s> {
    /// What the rest of a line means.
    fn word<T>(&mut self, words: &str, of: impl Fn(&'s str) -> Option<T>) -> Result<T, LoadError> {
        let word = str::from_utf8(self.after(words)?).ok();
        word.and_then(of).ok_or(self.error(LoadErrorKind::Unexpected))
    }
}

/// A number as it is written; no other way to write it is one.
fn number<N: str::FromStr + fmt::Display>(word: &str) -> Option<N> {
    let number: N = word.parse().ok()?;
    (alloc::format!("{number}") == word).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::laws::Saved;

    fn lived_in(hash: Algorithm) -> Monitor<Platform> {
        let platform = Platform::new("state")
            .with_form(Form::Cmw)
            .with_profiles(PlatformProfile::V2, RealmProfile::Legacy)
            .with_filler(77);
        let mut realm = RealmState::new(hash).unwrap().with_ipa_width(33).unwrap();
        for number in 0..5 {
            let index = MeasurementIndex::new(number).unwrap();
            realm.set_value(index, hash.hash(&[number as u8])).unwrap();
        }
        Monitor::with_realm(realm.with_personalization([9; 64])).with_attester(platform)
    }

    const SAVED: Saved<Monitor<Platform>> =
        Saved { save: |monitor| monitor.save(), load: |state| Monitor::load(state) };

    #[test]
    fn laws_of_saved_states() {
        for hash in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
            let new = Monitor::with_realm(RealmState::new(hash).unwrap());
            SAVED.there_and_back(&new.with_attester(Platform::new("")));
            SAVED.laws(&lived_in(hash));
        }
    }

    #[test]
    fn refusals() {
        let state = String::from_utf8(lived_in(Algorithm::Sha256).save()).unwrap();
        let cases = [
            ("SIMULATED realm", "A realm", LoadErrorKind::NotSimulated, 1),
            ("format 1", "format 2", LoadErrorKind::Format, 2),
            ("hash sha256", "hash sha1", LoadErrorKind::Unexpected, 3),
            ("ipa-width 33", "ipa-width 12", LoadErrorKind::Unexpected, 4),
            ("ipa-width 33", "ipa-width 033", LoadErrorKind::Unexpected, 4),
            ("form cmw", "form cwt", LoadErrorKind::Unexpected, 6),
            ("legacy", "Legacy", LoadErrorKind::Unexpected, 8),
            ("filler 77", "filler 65536", LoadErrorKind::Unexpected, 9),
            ("rem0 ", "rem0 00", LoadErrorKind::Size, 11),
            ("end\n", "ends\n", LoadErrorKind::Unexpected, 16),
            ("end\n", "end\n\n", LoadErrorKind::Length, 17),
        ];
        SAVED.refused(&state, &cases);
    }
}
