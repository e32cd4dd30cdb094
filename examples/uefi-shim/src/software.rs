// SPDX-License-Identifier: MIT OR Apache-2.0
//! A register in memory, for machines that have none.
//!
//! **It gives no isolation**: whatever runs later can write what it likes there, and nothing signs
//! its value. The log then only says what a well-behaved shim did. It is named `software`, so that
//! nobody takes its log for a platform's.

use tsm_core::provider::{self, ErrorKind, Provider, RegisterId};
use tsm_core::{Algorithm, Banks, Digest, Register};

/// One register, `software/mr0`, with a SHA-256 bank.
pub struct Software {
    value: Digest,
}

static MR0: Register<'static> = Register::runtime("mr0", Banks::one(Software::BANK));

impl Software {
    /// The register's only bank.
    pub const BANK: Algorithm = Algorithm::Sha256;

    /// The register at zeros.
    #[must_use]
    pub const fn new() -> Self {
        Self { value: Digest::zeros(Self::BANK) }
    }
}

impl Default for Software {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for Software {
    type Error = ErrorKind;

    fn name(&self) -> &str {
        "software"
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        (id == RegisterId(0)).then_some(MR0)
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), ErrorKind> {
        provider::check_read(self.describe(id).as_ref(), bank, out)?;
        out.copy_from_slice(self.value.as_bytes());
        Ok(())
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), ErrorKind> {
        provider::check_extend(self.describe(id).as_ref(), digests)?;
        let [digest] = digests else { return Err(ErrorKind::InvalidInput) };
        self.value.extend(digest).map_err(|_| ErrorKind::NoSuchBank)
    }
}
