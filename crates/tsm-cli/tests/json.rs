// SPDX-License-Identifier: MIT OR Apache-2.0
//! The schemas of what `--json` prints. All other tests check their output against them, too.

mod common;

use std::fs;

use common::schema::{compile, docs, read};
use common::{Dir, generated, tsm};
use serde_json::{Value as Json, json};

/// One document of each kind.
fn documents() -> Vec<Json> {
    let log = generated().join("bios-61-direct-tcb/binary_bios_measurements");
    let other = generated().join("ima-61-ng-sha1/binary_bios_measurements");
    let (log, other) = (log.to_str().unwrap(), other.to_str().unwrap());
    let dir = Dir::new();
    let home = dir.path().to_str().unwrap();
    let mut all = vec![
        tsm(&["replay", "--json", log]).ok().json(),
        tsm(&["log", "show", "--json", log]).ok().json(),
        tsm(&["diff", "--json", log, other]).json(),
        tsm(&["inspect", "--json", log]).ok().json(),
        tsm(&["explain", "--json", log]).ok().json(),
    ];
    if cfg!(feature = "sim") {
        for provider in ["example", "tdx", "cca", "snp", "tpm", "nsm"] {
            let provider = format!("sim:{provider}");
            let home = format!("{home}/{provider}");
            let args = ["--provider", &provider, "--state", &home, "registers", "--json"];
            all.push(tsm(&args).ok().json());
        }
        let home = format!("{home}/virtual");
        let define = ["registers", "--json", "--virtual", "mr_ima:sha256@rtmr3"];
        let args = [&["--provider", "sim:tdx", "--state", &home], &define[..]].concat();
        let virtual_register = tsm(&args).ok().json();
        assert!(virtual_register.to_string().contains("carrier"));
        all.push(virtual_register);
    }
    all
}

#[test]
fn every_schema_has_output_and_a_line_in_the_documentation() {
    let page = fs::read_to_string(docs().join("json.md")).unwrap();
    let documents = documents();
    let mut schemas = 0;
    for entry in fs::read_dir(docs().join("schemas")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let name = file.strip_suffix(".json").unwrap().replace('-', "/");
        assert!(page.contains(&format!("[{name}](schemas/{file})")), "{file}");
        assert_eq!((read(&name)["title"].as_str(), true), (Some(&*name), page.contains(&name)));
        let of = |document: &&Json| document["schema"] == name;
        assert!(cfg!(not(feature = "sim")) || documents.iter().any(|d| of(&d)), "{name}");
        schemas += 1;
    }
    assert_eq!(schemas, 6);
}

/// The schemas say something: without any of their required members, or with one of another type, a
/// document is refused. Members that they do not know are passed over.
#[test]
fn schemas_refuse_what_is_wrong() {
    for document in documents() {
        let name = document["schema"].as_str().unwrap();
        let (schemas, index) = compile(read(name));
        let is_valid = |document: &Json| schemas.validate(document, index).is_ok();
        assert!(is_valid(&document), "{name}");
        let mut newer = document.clone();
        newer["something_new"] = json!(1);
        assert!(is_valid(&newer), "{name}");
        for member in document.as_object().unwrap().keys() {
            let mut wrong = document.clone();
            wrong[member] = json!({ "a": [1.5] });
            assert!(!is_valid(&wrong), "{name} {member}");
        }
        for member in read(name)["required"].as_array().unwrap() {
            let mut less = document.clone();
            less.as_object_mut().unwrap().remove(member.as_str().unwrap());
            assert!(!is_valid(&less), "{name} {member}");
        }
    }
}
