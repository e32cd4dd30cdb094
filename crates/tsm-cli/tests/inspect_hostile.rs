// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm inspect` on evidence of SEV-SNP and Arm CCA that is cut or changed, and on what is not such
//! evidence.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Dir, shared, tsm};
use serde_json::Value as Json;

/// One run over all files. Not against the schema, which takes long for so many.
fn inspect(files: &[PathBuf]) -> Vec<Json> {
    let mut args = vec!["inspect", "--json"];
    args.extend(files.iter().map(|file| file.to_str().unwrap()));
    let ran = tsm(&args);
    assert!(matches!(ran.status, 0 | 2), "{}", ran.stderr);
    let json: Json = serde_json::from_slice(&ran.stdout).unwrap();
    let all = json["files"].as_array().unwrap().clone();
    assert_eq!(all.len(), files.len());
    all
}

/// Evidence, and from how many bytes on its kind can be told.
const GOOD: [(&str, &str, usize); 7] = [
    ("snp/reports/turin-v5-msft/report.bin", "snp-report", 0x51),
    ("snp/guestmsg/msg_report_rsp_4000.bin", "snp-report-response", 0x71),
    ("snp/synthetic/svsm_services_manifest_one.bin", "svsm-services", 16),
    ("snp/synthetic/svsm_vtpm_manifest_v0.bin", "svsm-vtpm", 8),
    ("snp/azure/milan-v2-trustee/hcl_report.bin", "hcl-report", 4),
    ("cca/minted/good-399-rel0-sha-256.cbor", "cca-token", 4),
    ("cca/minted/good-907-v2-sha-512.cbor", "cca-token", 4),
];

/// Cut anywhere, evidence is refused with the place; nothing that is changed is a panic, and all
/// places lie within the file.
#[test]
fn cut_and_changed() {
    for (name, kind, told) in GOOD {
        let Some(path) = shared(name) else { return };
        let good = fs::read(path).unwrap();
        let dir = Dir::new();
        // Behind the report or the claims anything may be missing.
        let needed = match kind {
            "snp-report-response" => 0x4C0,
            "hcl-report" => 0x4D4 + 1110,
            _ => good.len(),
        };
        let ends: Vec<_> = (told..needed).step_by(needed.div_ceil(150)).collect();
        let cut = |&end: &usize| dir.file(&format!("cut-{end}"), &good[..end]);
        let files: Vec<_> = ends.iter().map(cut).collect();
        for (file, end) in inspect(&files).iter().zip(&ends) {
            assert_eq!(file["kind"], kind, "{name} cut at {end}");
            let offset = file["error"]["offset"].as_u64();
            assert!(offset.is_some_and(|at| at <= *end as u64), "{name} cut at {end}: {file}");
        }
        let change = |at: usize| {
            let mut changed = good.clone();
            changed[at] ^= 0x41;
            dir.file(&format!("changed-{at}"), &changed)
        };
        let files: Vec<_> = (0..good.len()).step_by(good.len().div_ceil(300)).map(change).collect();
        for file in inspect(&files) {
            for section in file["sections"].as_array().unwrap() {
                for field in section["fields"].as_array().unwrap() {
                    let number = |name: &str| field[name].as_u64().unwrap_or(0);
                    assert!(number("offset") + number("size") <= good.len() as u64, "{field}");
                }
            }
        }
    }
}

/// Files below a folder, small ones only.
fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, files);
        } else if fs::metadata(&path).unwrap().len() < 100_000 {
            files.push(path);
        }
    }
}

/// Logs, evidence of TDX, certificates, parts of tokens: none is taken for what it is not.
#[test]
fn nothing_else() {
    let mut files = Vec::new();
    for folder in ["eventlogs", "tdx", "generated", "snp/ca", "snp/certs-only"] {
        let Some(folder) = shared(folder) else { return };
        files_below(&folder, &mut files);
    }
    assert!(files.len() > 300, "{}", files.len());
    // A paravisor's report of a TD is one, and only reports of SEV-SNP are read.
    let of_td = shared("tdx/trustee/hcl-report.bin").unwrap();
    for (file, path) in inspect(&files).iter().zip(&files) {
        let kind = file["kind"].as_str().unwrap();
        if *path == of_td {
            assert_eq!((kind, &file["error"]["offset"]), ("hcl-report", &0x4C8.into()));
            continue;
        }
        let known = ["event-log", "tdx-quote", "tdx-report", "ccel-table", "unknown"];
        assert!(known.contains(&kind), "{} {kind}", path.display());
    }
}
