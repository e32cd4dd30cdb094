// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every seed obeys its target's laws, on any toolchain.

use std::fs;
use std::path::Path;

#[test]
fn every_seed_passes() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut passed = 0;
    for folder in fs::read_dir(&seeds).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let target = tsm_fuzz::target(name).unwrap_or_else(|| panic!("no target {name}"));
        for file in fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            println!("{}", file.display());
            target(&fs::read(&file).unwrap());
            passed += 1;
        }
    }
    assert!(passed >= 9, "{passed} seeds");
}
