// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a command could not do its work: one line for standard error.

use std::fmt;
use std::io;
use std::path::Path;

/// Wrong use, malformed input, or an input or output error. Exit status 2.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the user should do otherwise.
    Usage(String),
    /// Reading or writing failed.
    Io(String, io::Error),
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// An error at a file.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::Io(format!("{}: ", path.display()), error)
    }

    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io(_, error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Io(place, error) => write!(f, "{place}{error}"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(String::new(), error)
    }
}
