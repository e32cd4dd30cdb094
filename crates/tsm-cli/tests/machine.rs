// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands on a machine's registers, and the state directory that survives the process.
#![cfg(feature = "sim")]

mod common;

use core::time::Duration;
use std::process::Stdio;
use std::thread;

use common::{Dir, Ran, command, tsm, tsm_with_input};
use tsm_core::{Algorithm, Digest};

struct Machine<'d>(&'d Dir, &'static str);

impl Machine<'_> {
    fn args<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        let dir = self.0.path().to_str().unwrap();
        [&["--provider", self.1, "--state", dir], args].concat()
    }

    fn run(&self, args: &[&str]) -> Ran {
        tsm(&self.args(args))
    }

    fn run_with(&self, args: &[&str], input: &[u8]) -> Ran {
        tsm_with_input(&self.args(args), input)
    }

    fn value(&self, register: &str, bank: &str) -> String {
        let json = self.run(&["registers", "--json"]).ok().json();
        let all = json["registers"].as_array().unwrap();
        let found = all.iter().find(|r| r["name"] == register).unwrap();
        found["values"][bank].as_str().unwrap().to_string()
    }

    /// The register's log replays to the register's value.
    fn holds(&self, register: &str, bank: &str) {
        let log = self.run(&["log", register]).ok().stdout;
        let expect = format!("{bank}/{}", self.value(register, bank));
        let args = ["replay", "--format", "record", "--bank", bank, "--expect", &expect, "-"];
        let ran = tsm_with_input(&args, &log);
        assert_eq!(ran.status, 0, "{}{}", ran.text(), ran.stderr);
    }
}

#[test]
fn demo() {
    for (platform, marked) in [
        ("tdx", "quote is SIMULATED, and its signature is not verified"),
        ("cca", "token is SIMULATED, and its signatures are not verified"),
        ("snp", "report is SIMULATED, and its signature is not verified"),
    ] {
        let start = std::time::Instant::now();
        let text = tsm(&["demo", "--platform", platform]).ok().text();
        assert_eq!(text, tsm(&["demo", "--platform", platform]).ok().text());
        // Each of the three verifications says so.
        assert_eq!(text.matches(marked).count(), 3, "{text}");
        assert!(text.contains("is SIMULATED and proves nothing"), "{text}");
        assert_eq!(text.matches("verdict: holds").count(), 1, "{text}");
        assert_eq!(text.matches("verdict: does not hold").count(), 2, "{text}");
        assert!(text.contains("located: line ") && text.contains("demo: as it should be"));
        assert!(!text.contains('\x1b'), "no colours without a terminal");
        assert!(start.elapsed() < Duration::from_secs(60));
    }
    assert_eq!(tsm(&["demo"]).ok().text(), tsm(&["demo", "--platform", "tdx"]).ok().text());
    tsm(&["demo", "--platform", "nsm"]).refused("nsm");
}

#[test]
fn a_log_grows_over_processes() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:tdx");
    machine.run(&["append", "rtmr3", "one", "two"]).ok();
    machine.run_with(&["append", "rtmr3"], b"three\n# a remark\nfour").ok();
    machine.holds("rtmr3", "sha384");
    let digest = Algorithm::Sha384.hash(b"x").to_string();
    machine.run(&["extend", "rtmr3", &digest]).ok();
    machine.run(&["append", "sim:tdx/rtmr3", "five"]).ok();
    machine.holds("rtmr3", "sha384");
    let log = machine.run(&["log", "rtmr3"]).ok().text();
    let zeros = Digest::zeros(Algorithm::Sha384);
    let start = format!("SYNC {zeros}\n\none\ntwo\n\nthree\n# a remark\nfour\n\n# .EXTEND ");
    assert!(log.starts_with(&start), "{log}");
    assert_eq!(log.matches("SYNC").count(), 2, "a new process finds the log in sync");
    assert!(log.ends_with("\n\nfive\n"));
}

#[test]
fn every_platform_has_registers_and_trees() {
    for (provider, register, bank) in [
        ("sim:example", "rtmr0", "sha256"),
        ("sim:tdx", "rtmr2", "sha384"),
        ("sim:cca", "rem0", "sha256"),
        ("sim:snp", "rtmr0", "sha384"),
        ("sim:tpm", "pcr10", "sha256"),
        ("sim:nsm", "pcr17", "sha384"),
    ] {
        let dir = Dir::new();
        let machine = Machine(&dir, provider);
        let listed = machine.run(&["registers"]).ok().text();
        assert!(listed.contains("SIMULATED") && listed.contains(register), "{listed}");
        machine.run(&["append", register, "record"]).ok();
        machine.holds(register, bank);
        for layout in ["rfc", "banked", "linux"] {
            let tree = machine.run(&["tree", "--layout", layout]).ok().text();
            assert!(tree.contains(register), "{tree}");
        }
        let path = format!("{register}/event_log");
        let log = machine.run(&["tree", "--read", &path]).ok().stdout;
        assert_eq!(log, machine.run(&["log", register]).ok().stdout);
    }
}

#[test]
fn the_tree_writes() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:example");
    machine.run_with(&["tree", "--write", "rtmr1/append_event"], b"through the tree\n").ok();
    let digest = Algorithm::Sha384.hash(b"direct");
    machine.run_with(&["tree", "--write", "rtmr1/digest"], digest.as_bytes()).ok();
    let log = machine.run(&["log", "rtmr1"]).ok().text();
    assert!(log.contains("through the tree\n\n# .EXTEND "), "{log}");
    machine.run_with(&["tree", "--write", "rtmr0/digest"], &[0; 32]).refused("permission denied");
    machine.run_with(&["tree", "--write", "rtmr1/digest"], b"short").refused("invalid argument");
    machine.run_with(&["tree", "--write", "user_data"], &[7; 64]).ok();
    let report = machine.run(&["tree", "--read", "full_report"]).ok().stdout;
    assert!(report.windows(64).any(|w| w == [7; 64]) && report.starts_with(b"SIMULATED"));
    machine.run(&["tree", "--read", "nothing"]).refused("no such file");
}

#[test]
fn virtual_registers_survive() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:tdx");
    machine.run(&["registers", "--virtual", "mr_ima:sha256@rtmr3"]).ok();
    machine.run(&["registers", "--virtual", "mr_app:sha256,sha384@rtmr3"]).ok();
    machine.run(&["registers", "--virtual", "other:sha256@rtmr2"]).refused("share a carrier");
    machine.run(&["registers", "--virtual", "mr_ima:sha1@rtmr3"]).refused("two virtual registers");
    let digest = Algorithm::Sha256.hash(b"x");
    let text = digest.to_string();
    machine.run(&["append", "rtmr3", "between"]).ok();
    machine.run(&["extend", "mr_ima", &text]).ok();
    machine.run(&["extend", "mr_app", &text]).ok();
    machine.run(&["append", "rtmr3", "mr_ima nonsense"]).refused("virtual register");
    machine.run(&["append", "mr_ima", "x"]).refused("no log of its own");
    let mut value = Digest::zeros(Algorithm::Sha256);
    value.extend(&digest).unwrap();
    assert_eq!(format!("sha256/{}", machine.value("mr_ima", "sha256")), value.to_string());
    assert_eq!(machine.value("mr_app", "sha256"), machine.value("mr_ima", "sha256"));
    machine.holds("rtmr3", "sha384");
}

#[test]
fn wrong_use_is_one_clear_line() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:tdx");
    tsm(&["registers"]).refused("--provider sim:tdx --state DIR");
    tsm(&["--provider", "sim:tdx", "registers"]).refused("--state DIR");
    tsm(&["--provider", "tdx", "registers"]).refused("sim:tdx, sim:cca, sim:snp,");
    tsm(&[]).refused("tsm demo");
    tsm(&["nonsense"]).refused("nonsense");
    machine.run(&["append", "rtmr9", "x"]).refused("rtmr3");
    machine.run(&["append", "mrtd", "x"]).refused("no log");
    machine.run(&["append", "rtmr3", "SYNC x"]).refused("reserved");
    machine.run(&["append", "rtmr3", "two\nlines"]).refused("one line");
    machine.run_with(&["append", "rtmr3"], &[b'x'; 4097]).refused("longer than the limit");
    machine.run(&["extend", "rtmr3", "sha384/00"]).refused("wrong number of hex digits");
    let sha256 = Digest::zeros(Algorithm::Sha256).to_string();
    machine.run(&["extend", "rtmr3", &sha256]).refused("no such bank");
    machine.run(&["registers"]).ok();
    Machine(&dir, "sim:cca").run(&["append", "rem0", "x"]).refused("holds sim:tdx");
    let example = Dir::new();
    let machine = Machine(&example, "sim:example");
    machine.run(&["extend", "rtmr0", &sha256]).refused("does not permit direct extension");
    example.file("state.json", "{}");
    machine.run(&["registers"]).refused("state.json");
    example.file("state.json", b"\xff\0");
    machine.run(&["registers"]).refused("state.json");
}

/// Bytes that are not UTF-8 come back as they were.
#[test]
fn logs_are_bytes() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:tdx");
    machine.run_with(&["append", "rtmr3", "-"], b"\xff\0\x1b[31m\n").ok();
    machine.run(&["append", "rtmr3", "plain"]).ok();
    let log = machine.run(&["log", "rtmr3"]).ok().stdout;
    assert!(log.windows(7).any(|w| w == b"\xff\0\x1b[31m"));
    machine.holds("rtmr3", "sha384");
}

/// Processes that change the state at the same time all get their turn.
#[test]
fn processes_take_turns() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:tdx");
    let children: Vec<_> = (0..8)
        .map(|n| {
            let record = format!("writer {n}");
            let args = machine
                .args(&["append", "rtmr3", &record])
                .iter()
                .map(|a| a.to_string())
                .collect::<Vec<_>>();
            command().args(args).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let log = machine.run(&["log", "rtmr3"]).ok().text();
    for n in 0..8 {
        assert_eq!(log.matches(&format!("writer {n}\n")).count(), 1);
    }
    machine.holds("rtmr3", "sha384");
}

/// Killed at any moment, the state is the one before or the one after.
// T-17
#[test]
fn a_killed_process_leaves_a_consistent_state() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:tdx");
    machine.run(&["append", "rtmr3", "first"]).ok();
    let many: Vec<u8> = (0..2000).flat_map(|n| format!("record {n}\n").into_bytes()).collect();
    let input = dir.file("many", many);
    for delay in 0..25 {
        let mut child = command()
            .args(machine.args(&["append", "rtmr3", "-"]))
            .stdin(std::fs::File::open(&input).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_micros(400 * delay));
        let _ = child.kill();
        let _ = child.wait();
        let log = machine.run(&["log", "rtmr3"]).ok().text();
        let records = log.lines().filter(|line| line.starts_with("record ")).count();
        assert_eq!(records % 2000, 0, "all of an append or nothing");
    }
    machine.run(&["append", "rtmr3", "last"]).ok();
    machine.holds("rtmr3", "sha384");
}
