// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm replay`: formats, verdicts, findings, exit statuses.

mod common;

use std::fs;

use common::{Dir, generated, tsm, tsm_with_input};
use tsm_core::{Algorithm, Digest};

const A: Algorithm = Algorithm::Sha256;

/// The value after a log of records.
fn folded(records: &[&str]) -> Digest {
    let mut value = Digest::zeros(A);
    records.iter().for_each(|r| value.extend(&A.hash(r.as_bytes())).unwrap());
    value
}

fn sync() -> String {
    format!("SYNC {}", Digest::zeros(A))
}

// T-34
#[test]
fn verdicts_and_exit_statuses() {
    let dir = Dir::new();
    let sync = sync();
    let log = dir.file("rtmr9.log", format!("{sync}\n\none\ntwo\n"));
    let log = log.to_str().unwrap();
    let (whole, part) = (folded(&[&sync, "one", "two"]), folded(&[&sync, "one"]));
    for (expect, status, found, beyond, holds) in [
        (Some(whole), 0, "complete", 0, "true"),
        (Some(part), 1, "prefix", 1, "false"),
        (Some(A.hash(b"?")), 1, "mismatch", 0, "false"),
        (None, 0, "unchecked", 0, "null"),
    ] {
        let expect = expect.map(|e| e.to_string());
        let mut args = vec!["replay", "--json", log];
        args.extend(expect.iter().flat_map(|e| ["--expect", e]));
        let ran = tsm(&args);
        assert_eq!((ran.status, ran.stderr.as_str()), (status, ""));
        let json = ran.json();
        assert_eq!(json["schema"], "tsm.replay/1");
        assert_eq!(json["format"], "record");
        assert_eq!(json["holds"].to_string(), holds);
        let register = &json["registers"][0];
        assert_eq!((&register["name"], &register["bank"]), (&"rtmr9".into(), &"sha256".into()));
        assert_eq!(format!("sha256/{}", register["value"].as_str().unwrap()), whole.to_string());
        assert_eq!((&register["records"], &register["match"]), (&3.into(), &found.into()));
        assert_eq!(register["beyond"], beyond);
        args.retain(|a| *a != "--json");
        assert_eq!(tsm(&args).status, status);
    }
}

#[test]
fn pieces_and_standard_input() {
    let dir = Dir::new();
    let sync = sync();
    let text = format!("{sync}\n\none\ntwo\n");
    let (first, second) = text.split_at(80);
    let (first, second) = (dir.file("a", first), dir.file("b", second));
    let expect = folded(&[&sync, "one", "two"]).to_string();
    tsm(&["replay", "--expect", &expect, first.to_str().unwrap(), second.to_str().unwrap()]).ok();
    tsm_with_input(&["replay", "--expect", &expect, "-"], text.as_bytes()).ok();
    tsm(&["replay", "--expect", &expect, "/nonexistent"]).refused("/nonexistent");
}

// T-36
#[test]
fn start_values_and_midway() {
    let start = A.hash(b"firmware");
    let mut value = start;
    let sync = format!("SYNC {start}");
    for record in [&sync, "one"] {
        value.extend(&A.hash(record.as_bytes())).unwrap();
    }
    let log = format!("{sync}\n\none\n");
    let expect = value.to_string();
    let ran = tsm_with_input(&["replay", "--json", "--expect", &expect, "-"], log.as_bytes());
    assert_eq!(ran.status, 1, "where a log begins is policy");
    let kinds = ran.json()["findings"].to_string();
    assert!(kinds.contains("midway") && kinds.contains(&start.to_string()), "{kinds}");
    let start = start.to_string();
    tsm_with_input(&["replay", "--start", &start, "--expect", &expect, "-"], log.as_bytes()).ok();
}

#[test]
fn findings_are_located() {
    let sync = sync();
    let dir = Dir::new();
    // A gap without a note that explains it.
    let after = folded(&[&sync, "one"]);
    let wrong = format!("SYNC {}", A.hash(b"elsewhere"));
    let gap = format!("{sync}\n\none\n\n# .EXTEND {}\n\n{wrong}\n\ntwo\n", "00".repeat(32));
    let ran = tsm_with_input(&["replay", "--json", "-"], gap.as_bytes());
    assert_eq!(ran.status, 0, "nothing to compare");
    let finding = &ran.json()["findings"][0];
    assert_eq!((&finding["kind"], &finding["line"]), (&"gap-unexplained".into(), &7.into()));
    assert_eq!(
        finding["offset"],
        gap.find("SYNC sha256/").map(|_| gap.rfind("SYNC").unwrap()).unwrap()
    );
    // A capture that contradicts the records: no register value can make this log hold.
    let contradiction = format!("{sync}\n\none\n\n{wrong}\n\ntwo\n");
    let ran = tsm_with_input(&["replay", "--json", "-"], contradiction.as_bytes());
    assert_eq!((ran.status, ran.json()["holds"].to_string().as_str()), (1, "false"));
    assert_eq!(ran.json()["findings"][0]["kind"], "contradiction");
    // Notes at the end.
    let extended = {
        let mut value = after;
        value.extend(&Digest::zeros(A)).unwrap();
        value.to_string()
    };
    let trailing = format!("{sync}\n\none\n\n# .EXTEND {}\n", "00".repeat(32));
    let args = ["replay", "--json", "--expect", &extended, "-"];
    let ran = tsm_with_input(&args, trailing.as_bytes()).ok();
    assert_eq!(ran.json()["findings"][0]["kind"], "trailing-gap-explained");
    drop(dir);
}

#[test]
fn malformed_logs_say_where_and_show_the_rest() {
    let sync = sync();
    let value = folded(&[&sync, "one"]).to_string();
    for (tail, words) in [
        ("torn", "torn log"),
        ("trailing \n", "not canonical"),
        ("SYNC sha256/00\n", "wrong number of hex digits"),
        ("SYNC md5/00\n", "unknown hash algorithm"),
        ("# .EXTEND\n", ".EXTEND"),
    ] {
        let log = format!("{sync}\n\none\n{tail}");
        let args = ["replay", "--json", "--expect", &value, "-"];
        let ran = tsm_with_input(&args, log.as_bytes()).refused(words).refused("line 4");
        let json = ran.json();
        assert_eq!(json["registers"][0]["match"], "complete", "the lines before are whole");
        assert_eq!(json["holds"], false);
    }
    tsm_with_input(&["replay", "-"], b"\x7fELF nonsense").refused("--format");
    tsm_with_input(&["replay", "-"], b"").refused("--bank");
    tsm_with_input(&["replay", "--bank", "sha256", "-"], b"").ok();
    let other = Digest::zeros(Algorithm::Sha1).to_string();
    tsm_with_input(&["replay", "--expect", &other, "-"], format!("{sync}\n").as_bytes())
        .refused("not sha1");
}

#[test]
fn virtual_registers_and_static_values() {
    let digest = A.hash(b"x");
    let policy = format!("kernel.org/tsm/static_mr mr_policy {digest}");
    let extend = format!("mr_ima extend {digest}");
    let log = format!("{}\n\n{policy}\n{extend}\nother things\n{extend}\n", sync());
    let args = ["replay", "--json", "--virtual", "mr_ima", "--virtual", "mr_none", "-"];
    let json = tsm_with_input(&args, log.as_bytes()).ok().json();
    let mut value = Digest::zeros(A);
    value.extend(&digest).unwrap();
    value.extend(&digest).unwrap();
    assert_eq!(json["virtual"].as_array().unwrap().len(), 1);
    let found = &json["virtual"][0];
    assert_eq!((&found["name"], &found["records"]), (&"mr_ima".into(), &2.into()));
    assert_eq!(format!("sha256/{}", found["value"].as_str().unwrap()), value.to_string());
    assert_eq!(json["static"][0]["name"], "mr_policy");

    let bad = format!("{log}\nmr_ima\tnonsense\n");
    tsm_with_input(&args, bad.as_bytes()).refused("virtual register's name");
    tsm_with_input(&["replay", "-"], bad.as_bytes()).ok();
    let conflict = format!("{log}{}\n", policy.replace(&digest.to_string(), &value.to_string()));
    let ran = tsm_with_input(&["replay", "--json", "-"], conflict.as_bytes());
    assert_eq!(ran.status, 1);
    assert_eq!(ran.json()["findings"][0]["kind"], "static-value");
}

/// A record can hide behind the note of its digest, so a virtual value is vouched for only where no
/// off-log extension is noted.
// T-07
#[test]
fn a_gap_takes_the_trust_from_virtual_registers() {
    let extend = |data: &[u8]| format!("mr_ima extend {}", A.hash(data));
    let (sync, good, malware) = (sync(), extend(b"good"), extend(b"malware"));
    let expect = folded(&[&sync, &good, &malware]).to_string();
    let args = ["replay", "--json", "--virtual", "mr_ima", "--expect", &expect, "-"];
    let honest = format!("{sync}\n\n{good}\n{malware}\n");
    let json = tsm_with_input(&args, honest.as_bytes()).ok().json();
    assert_eq!((&json["holds"], &json["virtual"][0]["trusted"]), (&true.into(), &true.into()));
    let note = tsm_core::hex::Hex(A.hash(malware.as_bytes()).as_bytes()).to_string();
    let hidden = format!("{sync}\n\n{good}\n\n# .EXTEND {note}\n");
    let ran = tsm_with_input(&args, hidden.as_bytes());
    let json = ran.json();
    assert_eq!((ran.status, &json["registers"][0]["match"]), (1, &"complete".into()));
    assert_eq!((&json["holds"], &json["virtual"][0]["trusted"]), (&false.into(), &false.into()));
    assert!(json["findings"].to_string().contains("gap-hides"), "{json}");
    let table = tsm_with_input(&[&args[..1], &args[2..]].concat(), hidden.as_bytes()).text();
    assert!(table.contains("does not hold: nothing vouches for the virtual"), "{table}");
    // Who does not ask for them is told that the log explains the register, which it does.
    let plain = ["replay", "--json", "--expect", &expect, "-"];
    let json = tsm_with_input(&plain, hidden.as_bytes()).ok().json();
    assert_eq!(json["holds"], true);
    // With nothing to compare nothing is refused, and nothing is vouched for.
    let json = tsm_with_input(&["replay", "--json", "--virtual=mr_ima", "-"], hidden.as_bytes());
    let json = json.ok().json();
    assert_eq!((&json["holds"], &json["virtual"][0]["trusted"]), (&().into(), &().into()));
}

/// Every IMA list of the repository, in every bank, detected and replayed to the PCR values.
#[test]
fn ima_lists() {
    let mut compared = 0;
    for run in fs::read_dir(generated()).unwrap() {
        let run = run.unwrap().path();
        for file in fs::read_dir(&run).into_iter().flatten() {
            let file = file.unwrap().path();
            let name = file.file_name().unwrap().to_str().unwrap();
            if !name.contains("_runtime_measurements")
                || !name.starts_with("ima_")
                || name.contains("count")
            {
                continue;
            }
            for bank in Algorithm::ALL {
                let Ok(pcrs) = fs::read_to_string(run.join(format!("pcrs/pcr-{bank}.txt"))) else {
                    continue;
                };
                let value = pcrs.lines().find_map(|l| l.strip_prefix("10 ")).unwrap();
                let expect = format!("{bank}/{value}");
                let ran = tsm(&["replay", "--json", "--expect", &expect, file.to_str().unwrap()]);
                assert_eq!(ran.status, 0, "{} {bank}: {}", file.display(), ran.text());
                let json = ran.json();
                assert_eq!(json["registers"][0]["name"], "pcr10");
                let kind = if name.contains("ascii") { "ima-ascii" } else { "ima-binary" };
                assert_eq!(json["format"], kind);
                compared += 1;
            }
        }
    }
    assert!(compared >= 100, "{compared}");
}

/// Kernel 6.1 hashes for one bank and pads for another: both are found in one call.
#[test]
fn ima_banks_have_rules_of_their_own() {
    let dir = generated().join("ima-61-sigv2");
    let value = |bank: &str| {
        let pcrs = fs::read_to_string(dir.join(format!("pcrs/pcr-{bank}.txt"))).unwrap();
        format!("{bank}/{}", pcrs.lines().find_map(|l| l.strip_prefix("10 ")).unwrap())
    };
    let list = dir.join("ima_ascii_runtime_measurements");
    let (sha256, sha384) = (value("sha256"), value("sha384"));
    let json = tsm(&[
        "replay",
        "--json",
        "--expect",
        &sha256,
        "--expect",
        &sha384,
        list.to_str().unwrap(),
    ]);
    let json = json.ok().json();
    let padded: Vec<_> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["kind"] == "padded-sha1")
        .collect();
    assert_eq!(padded.len(), 1);
    assert!(padded[0]["text"].as_str().unwrap().contains("sha384"));
}

#[test]
fn ima_prefix_damage_and_wrong_use() {
    let dir = generated().join("ima-73-ng-sha384");
    let list = fs::read(dir.join("ima_binary_runtime_measurements")).unwrap();
    let pcrs = fs::read_to_string(dir.join("pcrs/pcr-sha256.txt")).unwrap();
    let value = pcrs.lines().find_map(|l| l.strip_prefix("10 ")).unwrap();
    let expect = format!("pcr10:sha256/{value}");
    let args = ["replay", "--json", "--expect", &expect, "-"];
    tsm_with_input(&args, &list).ok();
    // The list went on after the quote.
    let longer = [list.clone(), list.clone()].concat();
    let ran = tsm_with_input(&args, &longer);
    assert_eq!((ran.status, &ran.json()["registers"][0]["match"]), (1, &"prefix".into()));
    assert_eq!(ran.json()["registers"][0]["beyond"], 13);
    // A byte of the last record's data: found by its template digest.
    let mut damaged = list.clone();
    let at = damaged.len() - 3;
    damaged[at] ^= 1;
    let ran = tsm_with_input(&args, &damaged);
    assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
    assert!(ran.json()["findings"].to_string().contains("template-digest"));
    tsm_with_input(&args, &list[..list.len() - 1]).refused("ends inside a record");
    tsm_with_input(&["replay", "--virtual", "x", "-"], &list).refused("--virtual");
    tsm_with_input(&["replay", "--expect", "rtmr3:sha256/00", "-"], &list).refused("hex digits");
    let named = format!("rtmr3:sha256/{value}");
    tsm_with_input(&["replay", "--expect", &named, "-"], &list).refused("pcrN");
    tsm_with_input(&["replay", "--format", "ima", "-"], b"SYNC x\n").refused("not recognized");
    // A register of the evidence that the list never mentions does not pass by absence.
    let other = format!("pcr11:sha256/{value}");
    assert_eq!(tsm_with_input(&["replay", "--expect", &other, "-"], &list).status, 1);
}
