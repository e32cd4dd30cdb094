// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which library this is.

use core::ffi::{CStr, c_char};

/// Version of this ABI. It changes when a program that was compiled with an older header would not
/// work; functions and status codes may be added without that.
pub const TSM_ABI_VERSION: u32 = 1;

/// The library's `TSM_ABI_VERSION`. Compare it with the header's before anything else if the library
/// may come from elsewhere than the header.
#[unsafe(no_mangle)]
pub extern "C" fn tsm_abi_version() -> u32 {
    TSM_ABI_VERSION
}

/// The library's version, for example "0.1.0": static, NUL-terminated, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn tsm_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    VERSION.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version() {
        assert_eq!(tsm_abi_version(), TSM_ABI_VERSION);
        // SAFETY: the text is static and NUL-terminated.
        let version = unsafe { CStr::from_ptr(tsm_version()) };
        assert_eq!(version.to_str(), Ok(env!("CARGO_PKG_VERSION")));
    }
}
