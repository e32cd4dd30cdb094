// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where things are, and which parts of the repository exist.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Context as _;
use serde_json::Value;

use crate::shell;

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Cargo's target directory.
///
/// # Errors
///
/// `cargo metadata` failed.
pub(crate) fn target_dir() -> anyhow::Result<PathBuf> {
    let dir = metadata()?.get("target_directory").and_then(Value::as_str);
    Ok(dir.context("no target_directory in cargo metadata")?.into())
}

/// A directory for a command's own files, empty.
///
/// # Errors
///
/// `cargo metadata` failed, or the file system.
pub(crate) fn scratch(name: &str) -> anyhow::Result<PathBuf> {
    let dir = target_dir()?.join("xtask").join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())?;
    }
    fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    Ok(dir)
}

/// Whether the workspace has a member of this name.
///
/// # Errors
///
/// `cargo metadata` failed.
pub(crate) fn has_package(name: &str) -> anyhow::Result<bool> {
    Ok(package(name)?.is_some())
}

/// The names of a member's features, `default` aside.
///
/// # Errors
///
/// `cargo metadata` failed, or there is no such member.
pub(crate) fn features(name: &str) -> anyhow::Result<Vec<String>> {
    let package = package(name)?.with_context(|| format!("no package {name}"))?;
    let features = package.get("features").and_then(Value::as_object).context("features")?;
    Ok(features.keys().filter(|f| *f != "default").cloned().collect())
}

/// Every file below `dir` whose name ends in `suffix`, without hidden and build directories.
///
/// # Errors
///
/// The file system's.
pub(crate) fn files(dir: &Path, suffix: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).with_context(|| dir.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // A symbolic link is neither: it would lead out of the repository.
            let kind = entry.file_type()?;
            if kind.is_dir() && !name.starts_with('.') && name != "target" {
                open.push(entry.path());
            } else if kind.is_file() && name.ends_with(suffix) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A path as seen from the root, to print.
pub(crate) fn relative(path: &Path) -> std::path::Display<'_> {
    path.strip_prefix(root()).unwrap_or(path).display()
}

fn package(name: &str) -> anyhow::Result<Option<&'static Value>> {
    let packages = metadata()?.get("packages").and_then(Value::as_array);
    let packages = packages.context("no packages in cargo metadata")?;
    Ok(packages.iter().find(|p| p.get("name").and_then(Value::as_str) == Some(name)))
}

fn metadata() -> anyhow::Result<&'static Value> {
    static METADATA: OnceLock<Value> = OnceLock::new();
    if let Some(metadata) = METADATA.get() {
        return Ok(metadata);
    }
    let args = ["metadata", "--no-deps", "--format-version", "1"];
    let metadata = serde_json::from_str(&shell::text(&mut shell::cargo(&args))?)?;
    Ok(METADATA.get_or_init(|| metadata))
}
