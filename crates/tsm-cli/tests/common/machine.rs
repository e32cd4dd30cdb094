// SPDX-License-Identifier: MIT OR Apache-2.0
//! A simulated machine that the command acts on, and its evidence.

use std::path::PathBuf;

use serde_json::Value as Json;

use super::{Dir, Ran, tsm};

/// A simulated machine with its state, by the command.
pub(crate) struct Machine<'d>(pub(crate) &'d Dir, pub(crate) &'static str);

impl Machine<'_> {
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let home = self.home();
        tsm(&[&["--provider", self.1, "--state", home.to_str().unwrap()], args].concat())
    }

    /// Where its state is.
    pub(crate) fn home(&self) -> PathBuf {
        self.0.path().join(self.1)
    }

    /// Evidence of this kind, in a file.
    pub(crate) fn evidence(&self, kind: &str, nonce: &str) -> String {
        let path = self.0.path().join(kind).to_str().unwrap().to_string();
        self.run(&["report", "--kind", kind, "--nonce", nonce, "--output", &path]).ok();
        path
    }

    /// Appends records to a register, if there are any, and returns its log's file.
    pub(crate) fn log(&self, register: &str, records: &[&str]) -> String {
        if !records.is_empty() {
            self.run(&[&["append", register], records].concat()).ok();
        }
        let log = self.run(&["log", register]).ok().stdout;
        file(self.0, &format!("{register}.log"), &log)
    }

    pub(crate) fn registers(&self) -> Json {
        self.run(&["registers", "--json"]).ok().json()["registers"].clone()
    }

    pub(crate) fn names(&self) -> String {
        let all = self.registers();
        let names = all.as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap());
        names.collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn register(&self, name: &str) -> Json {
        let all = self.registers();
        all.as_array().unwrap().iter().find(|r| r["name"] == name).unwrap().clone()
    }
}

/// A replay of a log against evidence.
pub(crate) fn replay(log: &str, evidence: &str, more: &[&str]) -> Ran {
    tsm(&[&["replay", "--json", "--expect-from", evidence, log], more].concat())
}

pub(crate) fn file(dir: &Dir, name: &str, content: &[u8]) -> String {
    dir.file(name, content).to_str().unwrap().to_string()
}
