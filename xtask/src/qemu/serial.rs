// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an image says on its serial port: text in lines, logs between markers, values.

use core::fmt;

use anyhow::{Context as _, Result};

/// All of it, as text.
pub(super) struct Serial(String);

impl Serial {
    /// The text of these bytes. Firmware ends lines with CR LF and draws with escape sequences.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        Self(text.replace(['\r', '\u{1b}'], ""))
    }

    /// Whether a line is exactly this.
    pub(super) fn says(&self, line: &str) -> bool {
        self.0.lines().any(|said| said == line)
    }

    /// The rest of every line that begins so.
    pub(super) fn lines<'s>(&'s self, prefix: &'s str) -> impl Iterator<Item = &'s str> {
        self.0.lines().filter_map(move |line| line.strip_prefix(prefix))
    }

    /// The value `<alg>/<hex>` under `kind` and `name`.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(super) fn value(&self, kind: &str, name: &str) -> Result<String> {
        let prefix = format!("VALUE {kind} {name} ");
        let value = self.lines(&prefix).next().map(str::to_owned);
        value.with_context(|| format!("no `{prefix}` in:\n{self}"))
    }

    /// The log between the markers with this name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(super) fn log(&self, name: &str) -> Result<String> {
        let (begin, end) = (
            format!("-----BEGIN TSM LOG {name}-----\n"),
            format!("-----END TSM LOG {name}-----\n"),
        );
        let log = self.0.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end));
        log.map(|(log, _)| log.to_owned()).with_context(|| format!("no log `{name}` in:\n{self}"))
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lines().try_for_each(|line| writeln!(f, "    | {line}"))
    }
}
