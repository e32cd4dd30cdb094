// SPDX-License-Identifier: MIT OR Apache-2.0
//! Quotes that never were: right in form, nothing in them.

/// The parts of a quote, each of which a test may spoil.
#[derive(Clone)]
pub struct Made {
    pub version: u16,
    pub key_type: u16,
    pub tee_type: u32,
    /// Type and size in version 5.
    pub body: Option<(u16, u32)>,
    pub body_bytes: Vec<u8>,
    pub outer: u16,
    pub authentication: Vec<u8>,
    pub inner: (u16, Vec<u8>),
    pub trailing: Vec<u8>,
}

impl Made {
    pub fn v4() -> Self {
        Self {
            version: 4,
            key_type: 2,
            tee_type: 0x81,
            body: None,
            body_bytes: numbered(584),
            outer: 6,
            authentication: vec![0xAA; 32],
            inner: (5, b"PEM\0".to_vec()),
            trailing: Vec::new(),
        }
    }

    pub fn v5(kind: u16, size: usize, tee_type: u32) -> Self {
        let body = Some((kind, u32::try_from(size).unwrap()));
        Self { version: 5, body, body_bytes: numbered(size), tee_type, ..Self::v4() }
    }

    /// The bytes, with lengths that add up but for what `spoil` does to the two lengths.
    pub fn bytes_with(&self, spoil: impl Fn(&mut u32, &mut u32)) -> Vec<u8> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        let (kind, data) = &self.inner;
        let size = u16::try_from(self.authentication.len()).unwrap();
        let certification = [
            &numbered(384)[..],
            &[0xC2; 64],
            &size.to_le_bytes(),
            &self.authentication,
            &kind.to_le_bytes(),
            &length(data).to_le_bytes(),
            data,
        ]
        .concat();
        let mut outer = length(&certification);
        let mut all = outer + 64 + 64 + 6;
        spoil(&mut all, &mut outer);
        let mut out = self.version.to_le_bytes().to_vec();
        out.extend(self.key_type.to_le_bytes());
        out.extend(self.tee_type.to_le_bytes());
        out.extend([0; 4]);
        out.extend(*b"vendor of nobody");
        out.extend([0xDA; 20]);
        if let Some((kind, size)) = self.body {
            out.extend(kind.to_le_bytes());
            out.extend(size.to_le_bytes());
        }
        out.extend(&self.body_bytes);
        out.extend(all.to_le_bytes());
        out.extend([0xC0; 64]);
        out.extend([0xC1; 64]);
        out.extend(self.outer.to_le_bytes());
        out.extend(outer.to_le_bytes());
        out.extend(certification);
        out.extend(&self.trailing);
        out
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.bytes_with(|_, _| ())
    }
}

fn numbered(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n % 251) as u8).collect()
}
