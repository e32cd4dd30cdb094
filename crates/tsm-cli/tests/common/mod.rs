// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running the command and looking at what it says.
#![allow(dead_code, unused_imports, reason = "each test file uses a part")]

pub(crate) mod inspected;
pub(crate) mod machine;
pub(crate) mod schema;

use core::sync::atomic::{AtomicU32, Ordering};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;
use tsm_core::Digest;
pub(crate) use tsm_test_support::{base64, shared};

/// A directory that is removed at the end.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tsm-cli-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tsm"))
}

pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    /// What it printed, which follows the schema that it names.
    pub(crate) fn json(&self) -> Json {
        let json = serde_json::from_slice(&self.stdout);
        let json = json.unwrap_or_else(|e| panic!("{e}: {}{}", self.text(), self.stderr));
        schema::check(&json);
        json
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Exit status 0 and nothing on standard error.
    pub(crate) fn ok(self) -> Self {
        assert_eq!((self.status, self.stderr.as_str()), (0, ""), "{}", self.text());
        self
    }

    /// Exit status 2 and one line on standard error that contains `words`.
    pub(crate) fn refused(self, words: &str) -> Self {
        assert_eq!(self.status, 2, "{}{}", self.text(), self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        assert!(self.stderr.contains(words), "{words:?} is not in {:?}", self.stderr);
        self
    }
}

pub(crate) fn tsm(args: &[&str]) -> Ran {
    ran(command().args(args).output().unwrap())
}

pub(crate) fn tsm_with_input(args: &[&str], input: &[u8]) -> Ran {
    let mut child = command()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended without reading.
    let _ = child.stdin.take().unwrap().write_all(input);
    ran(child.wait_with_output().unwrap())
}

fn ran(output: Output) -> Ran {
    Ran {
        status: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// `tests/data/generated` of the repository.
pub(crate) fn generated() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/generated")
}

/// The runs of `tests/data/generated` that have a firmware's log: name, folder, banks.
pub(crate) fn firmware_runs() -> Vec<(String, PathBuf, Vec<String>)> {
    let mut runs = Vec::new();
    for entry in std::fs::read_dir(generated()).unwrap() {
        let folder = entry.unwrap().path();
        let has_log = std::fs::metadata(folder.join("binary_bios_measurements"));
        if !has_log.is_ok_and(|log| log.len() > 0) {
            continue;
        }
        let banks = ["sha1", "sha256", "sha384", "sha512"].map(String::from);
        let is_there = |bank: &String| folder.join(format!("pcrs/pcr-{bank}.txt")).exists();
        let banks = banks.into_iter().filter(is_there).collect();
        runs.push((folder.file_name().unwrap().to_str().unwrap().to_string(), folder, banks));
    }
    runs.sort();
    runs
}

/// A record of a crypto-agile log.
pub(crate) fn event(index: u32, event_type: u32, digest: Digest, data: &[u8]) -> Vec<u8> {
    let mut out = [index.to_le_bytes(), event_type.to_le_bytes(), 1_u32.to_le_bytes()].concat();
    out.extend(digest.algorithm().tpm_id().to_le_bytes());
    out.extend(digest.as_bytes());
    out.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    out.extend(data);
    out
}

/// A Spec ID event for SHA-384 that names this register: 1 in a confidential VM.
pub(crate) fn header(index: u32) -> Vec<u8> {
    let data = [&b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02\x01\0\0\0\x0C\0\x30\0"[..], &[0]].concat();
    let mut out = [&index.to_le_bytes()[..], &3_u32.to_le_bytes(), &[0; 20]].concat();
    out.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    out.extend(data);
    out
}
