// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the images share: a register in memory, and a panic handler that should not be linked.
//!
//! The images are linked and measured, never run. Their entry points take what a compiler cannot
//! know, so that nothing is computed at build time.

#![no_std]

use tsm_core::provider::{check_extend, check_read};
use tsm_core::{Algorithm, Banks, Digest, ErrorKind, Powers, Provider, Register, RegisterId};

/// If this is in an image, a panic can be reached from its entry points.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// One register, with direct extension, as a shim would have before it knows its platform.
pub struct Device {
    value: Digest,
}

impl Device {
    /// At its start.
    #[must_use]
    pub const fn new() -> Self {
        Self { value: Digest::zeros(Algorithm::Sha384) }
    }
}

impl Default for Device {
    fn default() -> Self {
        Self::new()
    }
}

/// The only register.
pub const RTMR: RegisterId = RegisterId(0);

const REGISTER: Register<'static> =
    Register::runtime("rtmr3", Banks::one(Algorithm::Sha384)).with(Powers::DIRECT);

impl Provider for Device {
    type Error = ErrorKind;

    fn name(&self) -> &str {
        "image"
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        (id == RTMR).then_some(REGISTER)
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), ErrorKind> {
        check_read(self.describe(id).as_ref(), bank, out)?;
        for (to, from) in out.iter_mut().zip(self.value.as_bytes()) {
            *to = *from;
        }
        Ok(())
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), ErrorKind> {
        check_extend(self.describe(id).as_ref(), digests)?;
        digests.iter().try_for_each(|d| self.value.extend(d).map_err(|_| ErrorKind::Failed))
    }
}

/// Bytes that nobody knows at build time.
///
/// # Safety
///
/// `size` bytes are readable at `start`.
pub unsafe fn bytes<'a>(start: *const u8, size: usize) -> &'a [u8] {
    // SAFETY: the caller vouches for it.
    unsafe { core::slice::from_raw_parts(start, size) }
}

/// Memory that nobody knows at build time.
///
/// # Safety
///
/// `size` bytes are readable and writable at `start`, and only through the result.
pub unsafe fn memory<'a>(start: *mut u8, size: usize) -> &'a mut [u8] {
    // SAFETY: the caller vouches for it.
    unsafe { core::slice::from_raw_parts_mut(start, size) }
}

/// A digest that nobody knows at build time.
#[must_use]
pub fn digest(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Algorithm::Sha384, bytes).unwrap_or(Digest::zeros(Algorithm::Sha384))
}
