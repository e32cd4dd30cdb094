// SPDX-License-Identifier: MIT OR Apache-2.0
//! Build script of the images: links them at a fixed address, as the machine's linker script beside
//! this file says.

use std::env;

fn main() {
    let dir = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let script = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("aarch64") => format!("{dir}/../bare/virt.ld"),
        _ => format!("{dir}/../bare/pvh.ld"),
    };
    for argument in [&format!("-T{script}"), "--no-pie", "-z", "max-page-size=4096"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rerun-if-changed={script}");
}
