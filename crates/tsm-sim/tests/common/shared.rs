// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where other projects' test data is. It is not committed: it is looked for in `$TSM_TEST_DATA` or,
//! beside the workspace, `../shared/data`. Without it the tests that need it say `SKIPPED`, or fail
//! if `CI=true`.

use std::path::{Path, PathBuf};

/// A folder or file of the shared data, or `None` after a visible note.
pub(crate) fn data(path: &str) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = std::env::var_os("TSM_TEST_DATA")
        .map_or_else(|| workspace.join("../shared/data"), PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!ci, "{} is absent, and this is CI", found.display());
    eprintln!("SKIPPED: {} is absent; set TSM_TEST_DATA", found.display());
    None
}
