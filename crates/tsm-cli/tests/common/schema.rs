// SPDX-License-Identifier: MIT OR Apache-2.0
//! Output against the schemas of `docs/schemas`, made strict: what they do not list is an error here,
//! although readers must pass over it.

use core::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value as Json;

/// `docs` of the repository.
pub(crate) fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// The schema of this name, `tsm.log/1`.
pub(crate) fn read(name: &str) -> Json {
    let path = docs().join(format!("schemas/{}.json", name.replace('/', "-")));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Whether `json` follows the schema that it names, and its findings are documented.
pub(crate) fn check(json: &Json) {
    thread_local! {
        static COMPILED: RefCell<HashMap<String, (Schemas, SchemaIndex)>> = RefCell::default();
    }
    let name = json["schema"].as_str().expect("the member 'schema'").to_string();
    COMPILED.with_borrow_mut(|compiled| {
        let (schemas, index) = compiled.entry(name).or_insert_with_key(|name| {
            let mut schema = read(name);
            make_strict(&mut schema);
            compile(schema)
        });
        if let Err(error) = schemas.validate(json, *index) {
            panic!("{error:#}\n{json:#}");
        }
    });
    let mut kinds: Vec<_> = words(&json["findings"]);
    for file in json["files"].as_array().into_iter().flatten() {
        kinds.extend(words(&file["findings"]));
        kinds.extend(file["error"]["kind"].as_str());
    }
    if !kinds.is_empty() {
        let page = std::fs::read_to_string(docs().join("json.md")).unwrap();
        for kind in kinds {
            assert!(page.contains(&format!("`{kind}`")), "{kind} is not in docs/json.md");
        }
    }
}

/// The kinds of findings.
fn words(findings: &Json) -> Vec<&str> {
    findings
        .as_array()
        .into_iter()
        .flatten()
        .map(|finding| finding["kind"].as_str().unwrap())
        .collect()
}

pub(crate) fn compile(schema: Json) -> (Schemas, SchemaIndex) {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("schema.json", schema).unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    (schemas, index)
}

/// Forbids members that are not listed, wherever some are.
fn make_strict(schema: &mut Json) {
    match schema {
        Json::Object(members) => {
            // A condition (`if`) has no type.
            let is_object = members.get("type").is_some_and(|of| of == "object");
            let lists = is_object && members.contains_key("properties");
            if lists && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".into(), false.into());
            }
            members.values_mut().for_each(make_strict);
        }
        Json::Array(items) => items.iter_mut().for_each(make_strict),
        _ => {}
    }
}
