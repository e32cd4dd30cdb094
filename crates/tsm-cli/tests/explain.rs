// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm explain`: what is vouched for is what a replay vouches for, and conclusions need that.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{Dir, firmware_runs, generated, shared, tsm};
use serde_json::Value as Json;
use tsm_core::{Algorithm, Digest};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn values(folder: &Path, bank: &str) -> String {
    format!("--expect-file={}", text(&folder.join(format!("pcrs/pcr-{bank}.txt"))))
}

fn events(json: &Json) -> &Vec<Json> {
    json["events"].as_array().unwrap()
}

fn event_of<'j>(json: &'j Json, register: &str, kind: &str) -> &'j Json {
    let is_it = |e: &&Json| e["register"] == register && e["type"]["name"] == kind;
    events(json).iter().find(is_it).unwrap()
}

/// Every machine: with its PCRs all is vouched for, and the state of Secure Boot is that of the boot;
/// without them nothing is, and nothing is concluded.
// T-41
#[test]
fn machines() {
    let mut on = 0;
    for (name, folder, banks) in firmware_runs() {
        let log = folder.join("binary_bios_measurements");
        let (bank, file) = (format!("--bank={}", banks[0]), values(&folder, &banks[0]));
        let args = ["explain", "--json", "--register=pcr0-9,pcr14", &bank, &file, text(&log)];
        let json = tsm(&args).json();
        let extending = events(&json).iter().filter(|event| event["extends"] == true);
        assert!(extending.clone().count() > 20);
        for event in extending {
            assert_eq!(event["vouched_for"], true, "{name}: {event}");
            assert_eq!(event["banks"], serde_json::json!([banks[0]]));
            assert!(event["by"]["guess"] == true && event["measured"].as_str().unwrap().len() > 4);
        }
        let secure_boot = &json["secure_boot"];
        // INDEX.md of the data: on in these two boots.
        let is_on = name.contains("secureboot");
        assert_eq!(
            (&secure_boot["known"], &secure_boot["enabled"]),
            (&true.into(), &is_on.into()),
            "{name}: {secure_boot}"
        );
        on += usize::from(is_on);

        let json = tsm(&["explain", "--json", text(&log)]).ok().json();
        assert!(events(&json).iter().all(|event| event["vouched_for"] == false));
        assert_eq!((&json["has_values"], &json["holds"]), (&false.into(), &().into()));
        let secure_boot = &json["secure_boot"];
        assert_eq!(
            (&secure_boot["known"], &secure_boot["enabled"], &secure_boot["reason"]),
            (&false.into(), &().into(), &"not_trusted".into())
        );
    }
    assert_eq!(on, 2);
}

#[test]
fn words() {
    let folder = generated().join("secureboot-shim-grub-61");
    let log = folder.join("binary_bios_measurements");
    let file = values(&folder, "sha256");
    let args = ["--register=pcr0-9,pcr14", &file, text(&log)];
    let shown = tsm(&[&["explain"], &args[..]].concat()).ok().text();
    for words in [
        "no digest covers an event's type",
        "variable SecureBoot = 01",
        "looks like shim",
        "looks like GRUB",
        "usually means: another boot order or boot entry",
        "usually means: Secure Boot turned on or off",
        "digest    covers something that is not in the log; nothing of the data",
        "covers a part of the data (digest of what the variable holds, not of its name): load_option; \
         not covered: vendor_guid, name_length, data_length, name",
        "vouched for (sha256)",
        "Secure Boot: on, by pcr7 (entries: PK 1,",
        "holds: the log explains the values",
    ] {
        assert!(shown.contains(words), "{words:?} is not in\n{shown}");
    }
    assert!(!shown.contains("untrusted: no value") && !shown.contains('\x1b'));
    let json = tsm(&[&["explain", "--json"], &args[..]].concat()).ok().json();
    let grub = event_of(&json, "pcr8", "EV_IPL");
    let fields = grub["content"]["fields"].as_array().unwrap();
    let covered: Vec<_> = fields.iter().map(|field| field["covered"].as_str().unwrap()).collect();
    assert_eq!(covered, ["not_covered", "covered", "not_covered"], "prefix, command, NUL");
    assert_eq!(grub["covers"]["covered"], serde_json::json!(["command"]));
    let direct = generated().join("bios-61-direct-tcb/binary_bios_measurements");
    let shown = tsm(&["explain", text(&direct)]).ok().text();
    assert!(shown.contains("looks like the kernel's EFI stub"));
    let shown = tsm(&["explain", text(&log)]).ok().text();
    assert!(shown.contains("untrusted: no value of a register was given"));
    assert!(!shown.contains("vouched for (") && shown.contains("Secure Boot: not known: "));
    assert!(!shown.contains("Secure Boot on"));
}

/// What somebody could do to the log without changing a register.
// T-40, T-41
#[test]
fn types_are_not_believed() {
    let folder = generated().join("secureboot-shim-grub-61");
    let bytes = fs::read(folder.join("binary_bios_measurements")).unwrap();
    let dir = Dir::new();
    let explain = |bytes: &[u8]| {
        let file = values(&folder, "sha256");
        let log = dir.file("log", bytes);
        tsm(&["explain", "--json", "--register=pcr0-9,pcr14", &file, text(&log)])
    };
    let honest = explain(&bytes).ok().json();
    let at = |event: &Json| usize::try_from(event["offset"].as_u64().unwrap()).unwrap();
    let kinds = |json: &Json| json["findings"].to_string();

    // SecureBoot shown as an action: the registers are the same.
    let variable = event_of(&honest, "pcr7", "EV_EFI_VARIABLE_DRIVER_CONFIG");
    let mut retyped = bytes.clone();
    retyped[at(variable) + 4] = 7;
    let json = explain(&retyped).ok().json();
    assert_eq!(json["secure_boot"]["known"], false, "{}", json["secure_boot"]);
    // A separator as an action.
    let separator = event_of(&honest, "pcr7", "EV_SEPARATOR");
    let mut retyped = bytes.clone();
    retyped[at(separator) + 4] = 5;
    let json = explain(&retyped).ok().json();
    assert!(kinds(&json).contains("\"separator\""), "{}", kinds(&json));
    assert_eq!(json["secure_boot"]["reason"], "separator_type");
    // Other data under the same digests: SecureBoot's last byte.
    let length = variable["content"]["fields"].as_array().unwrap().len();
    assert!(length > 4);
    let next = events(&honest).iter().find(|e| at(e) > at(variable)).unwrap();
    let mut altered = bytes.clone();
    altered[at(next) - 1] = 0;
    let json = explain(&altered).ok().json();
    assert!(kinds(&json).contains("\"unequal\""));
    assert_eq!(json["secure_boot"]["reason"], "not_covered");
    let event = event_of(&json, "pcr7", "EV_EFI_VARIABLE_DRIVER_CONFIG");
    let fields = event["content"]["fields"].as_array().unwrap();
    assert!(fields.iter().all(|field| field["covered"] == "unequal"), "{fields:?}");
    assert_eq!(
        (&event["vouched_for"], &event["covers"]["coverage"]),
        (&true.into(), &"unequal".into())
    );
    // One bank's digest of something else: nobody looks at it, unless its value is given too.
    let (sha1, sha256) = (values(&folder, "sha1"), values(&folder, "sha256"));
    let mut banks = bytes.clone();
    banks[at(variable) + 14] ^= 1;
    let log = dir.file("log", &banks);
    let args = ["explain", "--json", "--register=pcr7", "--bank=sha256", &sha256, text(&log)];
    assert_eq!(tsm(&args).ok().json()["secure_boot"]["known"], true);
    let untrusted = tsm(&["explain", "--json", text(&log)]).ok().json();
    assert!(kinds(&untrusted).contains("\"banks-differ\""), "{}", kinds(&untrusted));
    let ran = tsm(&["explain", "--json", "--register=pcr7", &sha1, &sha256, text(&log)]);
    assert_eq!(ran.status, 1);
    let json = ran.json();
    assert_eq!((&json["secure_boot"]["known"], &json["holds"]), (&false.into(), &false.into()));
    let unexplained = json["unexplained"].to_string();
    assert!(unexplained.contains("pcr7") && unexplained.contains("sha1"), "{unexplained}");
    // Cut: what is there is told, and that it is not all.
    let cut = explain(&bytes[..bytes.len() - 5]).refused("ends inside a record").json();
    assert_eq!(cut["holds"], false);
}

#[test]
fn other_formats() {
    let dir = Dir::new();
    let a = Algorithm::Sha256;
    let sync = format!("SYNC {}", Digest::zeros(a));
    let mut value = Digest::zeros(a);
    for line in [&*sync, "com.example/agent start"] {
        value.extend(&a.hash(line.as_bytes())).unwrap();
    }
    let log = format!("{sync}\n\ncom.example/agent start\n# remark\nlater\n");
    let log = dir.file("rtmr3.log", log);
    let expect = format!("--expect={value}");
    let ran = tsm(&["explain", "--json", &expect, text(&log)]);
    assert_eq!(ran.status, 1, "a prefix");
    let json = ran.json();
    let vouched: Vec<_> =
        events(&json).iter().map(|e| e["vouched_for"].as_bool().unwrap()).collect();
    assert_eq!(vouched, [true, true, false, false]);
    assert!(events(&json)[1]["by"]["who"].as_str().unwrap().ends_with("com.example/agent"));
    assert!(json["unexplained"].to_string().contains("last 1 records"), "{json}");
    assert!(json["secure_boot"].is_null());

    let folder = generated().join("ima-73-sig-signedfiles");
    let file = values(&folder, "sha256");
    let args = ["explain", "--register=pcr10", &file];
    let list = folder.join("ima_binary_runtime_measurements");
    let shown = tsm(&[&args[..], &[text(&list)]].concat()).ok().text();
    assert_eq!(shown.matches("vouched for (sha256)").count(), 21, "INDEX.md of the data");
    assert_eq!(shown.matches("nothing: a violation").count(), 2);
    assert!(shown.contains("by        the kernel (IMA)"));
    let cel = dir.path().join("cel");
    let (bank, output) = ("--bank=sha256", text(&cel));
    tsm(&["convert", "--to=cel-cbor", bank, "--output", output, text(&list)]).ok();
    let shown = tsm(&[&args[..], &[text(&cel)]].concat()).ok().text();
    assert_eq!(shown.matches("vouched for (sha256)").count(), 21);
    assert!(shown.contains("by        looks like the kernel (IMA)"));
}

/// Small logs of every format, against the schema.
#[test]
fn shared_logs_follow_the_schema() {
    let Some(root) = shared("eventlogs") else { return };
    let mut formats: BTreeMap<String, usize> = BTreeMap::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if fs::metadata(&path).unwrap().len() > 10_000 {
                continue;
            }
            let ran = tsm(&["explain", "--json", "--register=pcr0-23,ccmr1-4", text(&path)]);
            assert!((0..=2).contains(&ran.status), "{}: {}", path.display(), ran.stderr);
            if !ran.stdout.is_empty() {
                let format = ran.json()["format"].as_str().unwrap().to_string();
                *formats.entry(format).or_default() += 1;
            }
        }
    }
    eprintln!("{formats:?}");
    assert!(formats.len() >= 6 && formats.values().sum::<usize>() > 50, "{formats:?}");
}

/// A quote and its CCEL: two registers the log explains, one it does not, one that nobody extended.
#[test]
fn a_quote() {
    let Some(folder) = shared("eventlogs/cc-trusted-api") else { return };
    let quote = fs::read(folder.join("quote.bin")).unwrap();
    // Of version 4: the registers behind a header of 48 bytes and 328 bytes of the body.
    let rtmrs = (0..4).map(|index| {
        let at = 48 + 328 + 48 * index;
        let value = Digest::from_bytes(Algorithm::Sha384, &quote[at..at + 48]).unwrap();
        format!("--expect=rtmr{index}:{value}")
    });
    let mut args = vec!["explain".to_string(), "--json".into()];
    args.extend(rtmrs);
    args.push(text(&folder.join("ccel_data.bin")).into());
    let args: Vec<_> = args.iter().map(|arg| &**arg).collect();
    let ran = tsm(&args);
    assert_eq!(ran.status, 1);
    let json = ran.json();
    for register in json["registers"].as_array().unwrap() {
        let name = register["name"].as_str().unwrap();
        let vouched = if name == "rtmr2" { &Json::from(0) } else { &register["events"] };
        assert_eq!(&register["vouched_for"], vouched, "{register}");
    }
    let unexplained = json["unexplained"].as_array().unwrap();
    assert_eq!((unexplained.len(), &unexplained[0]["register"]), (1, &"rtmr2".into()));
    // The register takes other events too, so what vouched for boot loaders is not known.
    let secure_boot = &json["secure_boot"];
    assert_eq!(
        (&secure_boot["enabled"], &secure_boot["register"]),
        (&false.into(), &"rtmr0".into())
    );
    assert!(secure_boot["authorities"].is_null());
    assert!(json["registers"][3]["says"].to_string().contains("no event, and its start value"));
}
