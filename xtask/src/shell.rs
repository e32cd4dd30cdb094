// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running other programs.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, bail};

use crate::workspace;

/// The cargo that runs this program, in the workspace's root.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(workspace::root());
    command
}

/// A program, in the workspace's root.
pub(crate) fn program(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(args).current_dir(workspace::root());
    command
}

/// Prints the command, runs it, and lets its output through.
///
/// # Errors
///
/// The program is missing or its status is not zero.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = line(command);
    println!("$ {line}");
    let status = command.status().with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs the command silently and returns its output, whatever its status.
///
/// # Errors
///
/// The program is missing.
pub(crate) fn capture(command: &mut Command) -> anyhow::Result<Output> {
    command.stdin(Stdio::null()).output().with_context(|| format!("cannot run `{}`", line(command)))
}

/// Runs the command silently and returns its standard output as text.
///
/// # Errors
///
/// The program is missing, its status is not zero (the error then holds what it said), or its
/// output is not UTF-8.
pub(crate) fn text(command: &mut Command) -> anyhow::Result<String> {
    let output = capture(command)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}):\n{}", line(command), output.status, said.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("output of `{}`", line(command)))
}

/// Whether a program of this name can be started.
pub(crate) fn exists(name: &str) -> bool {
    let found = |dir: PathBuf| dir.join(name).is_file();
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(found))
}

/// Installs a Debian package.
///
/// # Errors
///
/// Not root, no apt-get, or apt-get failed; the error says what to install by hand.
pub(crate) fn apt_install(packages: &[&str]) -> anyhow::Result<()> {
    let by_hand = || format!("install by hand: {}", packages.join(" "));
    if !exists("apt-get") || text(&mut program("id", &["-u"]))?.trim() != "0" {
        bail!("not root on a Debian system; {}", by_hand());
    }
    let apt = |args: &[&str]| {
        let mut command = program("apt-get", args);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    // Some other repository of this machine may be out of reach; the install decides.
    let _ = run(&mut apt(&["-qq", "update"]));
    let mut install = apt(&["install", "-qq", "-y", "--no-install-recommends"]);
    run(install.args(packages)).with_context(by_hand)
}

/// The command as one would type it, but for quoting.
fn line(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", name.display(), value.display()));
        }
    }
    let program = Path::new(command.get_program());
    words.push(program.file_name().unwrap_or(program.as_os_str()).display().to_string());
    words.extend(command.get_args().map(|a| a.display().to_string()));
    words.join(" ")
}
