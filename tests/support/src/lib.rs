// SPDX-License-Identifier: MIT OR Apache-2.0
//! What tests of several crates need: where the test data is, and the encodings that it has.
//!
//! Data made for this project is committed under `tests/data/generated`. Data of other projects is
//! not: it is looked for in `$TSM_TEST_DATA` or, beside the workspace, `../shared/data`. A test that
//! finds none says so and is over, or fails if `CI=true`.

use core::time::Duration;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The repository.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The committed test data.
#[must_use]
pub fn committed() -> PathBuf {
    workspace().join("tests/data/generated")
}

/// A folder or file of the shared data, or `None` after a note that everybody sees.
///
/// # Panics
///
/// If it is absent and `CI=true`.
#[must_use]
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TSM_TEST_DATA")
        .map_or_else(|| workspace().join("../shared/data"), PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!ci, "{} is absent, and this is CI", found.display());
    skipped(&format!("{} is absent; set TSM_TEST_DATA", found.display()));
    None
}

/// Says that a test is over without having tested, and why.
pub fn skipped(why: &str) {
    let test = std::thread::current();
    let name = test.name().unwrap_or("a test");
    let note = format!("SKIPPED: {name}: {why}\n");
    // Not `eprintln!`: the test harness shows what that prints only where a test fails.
    let _ = std::io::stderr().write_all(note.as_bytes());
}

/// How long the processor has worked for this thread: what others do on a busy machine does not count.
/// Where there is no such clock, the time since the first call.
#[must_use]
pub fn thread_time() -> Duration {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(time).unwrap_or_default()
    }
    #[cfg(not(unix))]
    {
        use std::sync::OnceLock;
        use std::time::Instant;
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of hexadecimal digits, with or without `0x` and white space.
///
/// # Panics
///
/// If it is something else.
#[must_use]
pub fn unhex(text: &str) -> Vec<u8> {
    let text: String = text.split_whitespace().collect();
    let digits = text.strip_prefix("0x").unwrap_or(&text);
    assert!(digits.len().is_multiple_of(2) && digits.is_ascii(), "{} digits", digits.len());
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// The bytes of base64 of either alphabet, with or without padding and white space.
///
/// # Panics
///
/// If it is something else.
#[must_use]
pub fn base64(text: impl AsRef<[u8]>) -> Vec<u8> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let digit = |byte: &u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    };
    let digits = text.as_ref().iter().filter(|byte| !byte.is_ascii_whitespace());
    let digits: Vec<u8> = digits.map(digit).collect();
    LENIENT.decode(digits).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        assert_eq!(unhex(" 0x00 fF\n"), [0, 0xFF]);
        assert_eq!(hex(&[0, 0xFF]), "00ff");
        for text in ["+/8=", "-_8", " +/\n8=\n"] {
            assert_eq!(base64(text), [0xFB, 0xFF], "{text}");
        }
    }

    #[test]
    fn the_committed_data_is_there() {
        assert!(committed().is_dir());
    }
}
