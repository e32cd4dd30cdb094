// SPDX-License-Identifier: MIT OR Apache-2.0
//! Links the image at a fixed address, as `link.ld` says.

use std::env;

fn main() {
    let dir = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    for argument in [&format!("-T{dir}/link.ld"), "--no-pie", "-z", "max-page-size=4096"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rerun-if-changed=link.ld");
}
