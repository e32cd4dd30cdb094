// SPDX-License-Identifier: MIT OR Apache-2.0
//! An inspection as a table or as JSON.

use std::io::Write;
use std::path::Path;

use serde_json::{Value as Json, json};
use tsm_core::hex::Hex;

use super::model::{Field, Finding, Inspection, Malformed, Section};
use crate::style::{BAD, Escaped, FAINT, HEAD, NOTE, Styled, json_text, output};

/// What stands behind the name of a field on the same line, if it is not longer than this.
const ONE_LINE: usize = 48;

pub(super) fn print(all: &[(&Path, Inspection)], as_json: bool) -> crate::Result<()> {
    let mut out = output(as_json);
    if as_json {
        let files: Vec<_> = all.iter().map(|(file, found)| json_of(file, found)).collect();
        let json = json!({ "schema": "tsm.inspect/1", "files": files });
        writeln!(out, "{}", json_text(&json, true))?;
    } else {
        for (place, (file, found)) in all.iter().enumerate() {
            if place > 0 {
                writeln!(out)?;
            }
            table(&mut out, file, found)?;
        }
    }
    Ok(out.flush()?)
}

fn json_of(file: &Path, found: &Inspection) -> Json {
    json!({
        "file": file.to_string_lossy(),
        "kind": found.kind,
        "title": found.title,
        "simulated": found.is_simulated,
        "sections": found.sections.iter().map(section_json).collect::<Vec<_>>(),
        "findings": found.findings.iter().map(finding_json).collect::<Vec<_>>(),
        "see": found.see,
        "error": found.error.as_ref().map(error_json),
    })
}

fn section_json(section: &Section) -> Json {
    json!({
        "name": section.name,
        "fields": section.fields.iter().map(field_json).collect::<Vec<_>>(),
    })
}

fn field_json(field: &Field) -> Json {
    let place = field.place.as_ref();
    let bytes = place.and_then(|place| place.bytes.as_ref());
    json!({
        "name": field.name,
        "value": field.value,
        "meaning": field.meaning,
        "offset": place.map(|place| place.offset),
        "size": place.map(|place| place.size),
        "bytes": bytes.map(|bytes| Hex(bytes).to_string()),
    })
}

fn finding_json(finding: &Finding) -> Json {
    json!({ "kind": finding.kind, "offset": finding.offset, "text": finding.text })
}

fn error_json(error: &Malformed) -> Json {
    json!({ "kind": error.kind, "offset": error.offset, "text": error.text })
}

fn table(out: &mut impl Write, file: &Path, found: &Inspection) -> std::io::Result<()> {
    let name = escaped(&file.to_string_lossy());
    writeln!(out, "{name}: {}", Styled(HEAD, escaped(&found.title)))?;
    if found.is_simulated {
        writeln!(out, "{}", Styled(NOTE, "SIMULATED: made by a simulator, proves nothing"))?;
    }
    for section in &found.sections {
        writeln!(out, "{}", Styled(HEAD, section.name))?;
        for field in &section.fields {
            row(out, field)?;
        }
    }
    for finding in &found.findings {
        let at = finding.offset.map(|offset| format!(" (byte {offset})")).unwrap_or_default();
        let kind = Styled(NOTE, format!("{}:", finding.kind));
        writeln!(out, "{kind} {}{at}", escaped(&finding.text))?;
    }
    if let Some(error) = &found.error {
        let kind = Styled(BAD, format!("{}:", error.kind));
        writeln!(out, "{kind} {}", escaped(&error.text))?;
    }
    for see in &found.see {
        writeln!(out, "{} {}", Styled(FAINT, "see:"), escaped(see))?;
    }
    Ok(())
}

fn row(out: &mut impl Write, field: &Field) -> std::io::Result<()> {
    let (name, value) = (escaped(&field.name), escaped(&field.value));
    let meaning = Styled(FAINT, escaped(&field.meaning));
    match (field.meaning.is_empty(), value.len() <= ONE_LINE) {
        (true, _) => writeln!(out, "  {name:<21} {value}"),
        (false, true) => writeln!(out, "  {name:<21} {value:<24} {meaning}"),
        (false, false) => writeln!(out, "  {name:<21} {value}\n  {:<21} {meaning}", ""),
    }
}

/// Text from certificates and headers can be anything.
fn escaped(text: &str) -> String {
    Escaped(text.as_bytes()).to_string()
}
