// SPDX-License-Identifier: MIT OR Apache-2.0
//! As much JSON as the files of expected values need.

use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Debug)]
pub enum Json {
    Other,
    Bool(bool),
    Number(i64),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    pub fn parse(text: &str) -> Self {
        let mut rest = text.as_bytes();
        let value = Self::value(&mut rest);
        assert!(rest.trim_ascii_start().is_empty());
        value
    }

    /// A member; `Other` if there is none.
    pub fn at(&self, name: &str) -> &Self {
        self.object().and_then(|object| object.get(name)).unwrap_or(&Self::Other)
    }

    pub fn object(&self) -> Option<&BTreeMap<String, Self>> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    pub fn list(&self) -> &[Self] {
        if let Self::List(list) = self { list } else { &[] }
    }

    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    fn value(rest: &mut &[u8]) -> Self {
        *rest = rest.trim_ascii_start();
        match rest[0] {
            b'{' => {
                let mut object = BTreeMap::new();
                Self::members(rest, b'}', |rest| {
                    let Self::Text(name) = Self::value(rest) else { panic!("a name") };
                    *rest = rest.trim_ascii_start().strip_prefix(b":").unwrap();
                    object.insert(name, Self::value(rest));
                });
                Self::Object(object)
            }
            b'[' => {
                let mut list = Vec::new();
                Self::members(rest, b']', |rest| list.push(Self::value(rest)));
                Self::List(list)
            }
            b'"' => {
                let mut text = Vec::new();
                let mut index = 1;
                while rest[index] != b'"' {
                    // Escapes do not matter here but must not end the text.
                    index += usize::from(rest[index] == b'\\');
                    text.push(rest[index]);
                    index += 1;
                }
                *rest = &rest[index + 1..];
                Self::Text(String::from_utf8(text).unwrap())
            }
            _ => {
                let is_end =
                    |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
                let end = rest.iter().position(is_end).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                *rest = behind;
                match word {
                    b"true" => Self::Bool(true),
                    b"false" => Self::Bool(false),
                    _ => {
                        let number = core::str::from_utf8(word).unwrap().parse();
                        number.map_or(Self::Other, Self::Number)
                    }
                }
            }
        }
    }

    fn members(rest: &mut &[u8], end: u8, mut member: impl FnMut(&mut &[u8])) {
        *rest = &rest[1..];
        loop {
            *rest = rest.trim_ascii_start();
            match rest[0] {
                byte if byte == end => break,
                b',' => *rest = &rest[1..],
                _ => member(rest),
            }
        }
        *rest = &rest[1..];
    }
}
