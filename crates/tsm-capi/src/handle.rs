// SPDX-License-Identifier: MIT OR Apache-2.0
//! Handles: memory of the caller that holds a state of ours.
//!
//! A handle begins with a word that says whose it is and where it stands, so that memory that was
//! never initialised, and a copy of a handle, are refused. During a call the state is moved out and
//! the word says so. So nothing of ours refers to the handle's memory while a callback runs.

use crate::memory::Region;
use crate::status::{Result, TSM_ERR_REENTERED, TSM_ERR_UNINITIALISED};

/// A state and the type of its handle.
pub(crate) trait State: Sized {
    /// The word of an idle handle, before its address is mixed in. Distinct for every state.
    const WORD: u64;
    /// What C sees.
    type Handle;
    /// Fails to compile if the handle does not suit the state.
    const FITS: () = assert!(
        size_of::<Sealed<Self>>() <= size_of::<Self::Handle>()
            && align_of::<Sealed<Self>>() <= align_of::<Self::Handle>()
            && !core::mem::needs_drop::<Self>(),
        "the handle is too small for its state, or the state has a destructor"
    );
}

/// What stands in a handle.
#[repr(C)]
struct Sealed<S> {
    word: u64,
    state: S,
}

/// Mixed into the word of a handle that is in use.
const BUSY: u64 = 0x5A5A_0F0F_3C3C_9696;

fn idle<S: State>(handle: *mut S::Handle) -> u64 {
    // An address has at most 64 bits on every machine this runs on.
    S::WORD ^ u64::try_from(handle.addr()).unwrap_or_default().rotate_left(17)
}

/// Makes a handle, whatever was there before.
///
/// # Errors
///
/// NULL or misaligned.
///
/// # Safety
///
/// If the checks pass, the handle's memory is valid for writes.
pub(crate) unsafe fn init<S: State>(handle: *mut S::Handle, state: S) -> Result {
    const { S::FITS };
    Region::one(handle)?;
    let sealed = Sealed { word: idle::<S>(handle), state };
    // SAFETY: `core::ptr::write` wants a pointer that is aligned and valid for writes. The handle's
    // alignment is checked and suffices by `FITS`; its size too, for the caller vouches for it.
    unsafe { core::ptr::write(handle.cast::<Sealed<S>>(), sealed) };
    Ok(())
}

/// Runs `call` on a handle's state, which is moved out for that long.
///
/// # Errors
///
/// NULL, misaligned, not initialised, in use; else what `call` says.
///
/// # Safety
///
/// If NULL and alignment pass, the handle's memory is valid for reads and writes, initialised, and
/// nobody else writes to it but in the course of a callback.
pub(crate) unsafe fn with<S: State, T>(
    handle: *mut S::Handle,
    call: impl FnOnce(&mut S) -> Result<T>,
) -> Result<T> {
    const { S::FITS };
    Region::one(handle)?;
    let word = handle.cast::<u64>();
    // SAFETY: the handle is aligned for a `u64` (checked, and `FITS`), and the caller vouches that
    // it can be read and is initialised.
    let found = unsafe { core::ptr::read(word) };
    let idle = idle::<S>(handle);
    if found != idle {
        let busy = found == idle ^ BUSY;
        return Err(if busy { TSM_ERR_REENTERED } else { TSM_ERR_UNINITIALISED });
    }
    // SAFETY: aligned as above, and the caller vouches that it can be written.
    unsafe { core::ptr::write(word, idle ^ BUSY) };
    // SAFETY: aligned as above. The word says that `init` or `with` put a state of this type here,
    // and nobody uses it: had a call moved it out, the word would say so. States have no
    // destructor, so that this copy and the one left behind cannot both run it.
    let Sealed { mut state, .. } = unsafe { core::ptr::read(handle.cast::<Sealed<S>>()) };
    let result = call(&mut state);
    // SAFETY: as in `init`; `call` has ended, so nothing of ours is in use.
    unsafe { core::ptr::write(handle.cast::<Sealed<S>>(), Sealed { word: idle, state }) };
    result
}
