// SPDX-License-Identifier: MIT OR Apache-2.0
//! Remembers what was really extended.

use alloc::vec::Vec;

use tsm_core::provider::{Lockable, Recorder, Reporter, Writable};
use tsm_core::{Algorithm, Digest, Provider, Register, RegisterId};

/// Middleware that writes down every extension that succeeded, for tests to compare with a log.
///
/// Put it below [`Faulty`](crate::Faulty) to see what took place, above to see what was reported.
#[derive(Clone, Debug)]
pub struct Trace<P> {
    provider: P,
    extensions: Vec<(RegisterId, Vec<Digest>)>,
    reads: usize,
}

impl<P: Provider> Trace<P> {
    /// Watches `provider`.
    #[must_use]
    pub const fn new(provider: P) -> Self {
        Self { provider, extensions: Vec::new(), reads: 0 }
    }

    /// The extensions that succeeded, in order.
    #[must_use]
    pub fn extensions(&self) -> &[(RegisterId, Vec<Digest>)] {
        &self.extensions
    }

    /// How many values were read, with success or without.
    #[must_use]
    pub const fn reads(&self) -> usize {
        self.reads
    }

    /// The provider below.
    pub const fn provider(&self) -> &P {
        &self.provider
    }

    /// The provider below, past the trace.
    pub const fn provider_mut(&mut self) -> &mut P {
        &mut self.provider
    }
}

impl<P: Provider> Provider for Trace<P> {
    type Error = P::Error;

    fn name(&self) -> &str {
        self.provider.name()
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        self.provider.describe(id)
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), Self::Error> {
        self.reads = self.reads.saturating_add(1);
        self.provider.read(id, bank, out)
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), Self::Error> {
        self.provider.extend(id, digests)?;
        self.extensions.push((id, digests.to_vec()));
        Ok(())
    }

    fn as_writable(&mut self) -> Option<&mut dyn Writable<Error = Self::Error>> {
        self.provider.as_writable()
    }

    fn as_lockable(&mut self) -> Option<&mut dyn Lockable<Error = Self::Error>> {
        self.provider.as_lockable()
    }

    fn as_reporter(&mut self) -> Option<&mut dyn Reporter<Error = Self::Error>> {
        self.provider.as_reporter()
    }

    fn as_recorder(&mut self) -> Option<&mut dyn Recorder<Error = Self::Error>> {
        self.provider.as_recorder()
    }
}
