// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;
use crate::log::{Limits, RecordLog, SliceStorage};
use crate::testing::Memory;
use crate::{Banks, Initial, Logged};

const A: Algorithm = Algorithm::Sha256;
const B: Algorithm = Algorithm::Sha384;

fn device() -> Memory {
    let two = Banks::new(&[A, B]).unwrap();
    let fixed = Register::fixed("static_mr", Value::Banks(Banks::one(B)));
    Memory::new(&[
        fixed.starting(Initial::Ones),
        Register::runtime("rtmr0", Banks::one(A)),
        Register::runtime("org/rtmr1", two).with(Powers::DIRECT),
        Register::runtime("unlogged", Banks::one(A)).with(Powers::DIRECT),
    ])
}

type Below<'s> = Logged<&'s mut Memory, SliceStorage<'s>, 2>;

fn logged<'s>(device: &'s mut Memory, first: &'s mut [u8], second: &'s mut [u8]) -> Below<'s> {
    let mut logged = Logged::new(device);
    for (id, buffer) in [(1, first), (2, second)] {
        let log = RecordLog::new(SliceStorage::new(buffer), Limits::DEFAULT);
        logged.attach(RegisterId(id), log).unwrap();
    }
    logged
}

/// Every path with its mode and size, depth first.
fn walk<P: Provider>(tree: &mut Tree<'_, P>, node: Node, path: &str, out: &mut Vec<String>) {
    let entries: Vec<_> =
        tree.entries(node).unwrap().map(|e| (e.name.to_string(), e.node)).collect();
    for (name, node) in entries {
        let path = format!("{path}/{name}");
        let attributes = tree.attributes(node).unwrap();
        assert_eq!(attributes.directory, node.is_directory());
        assert_eq!(tree.lookup(path.as_bytes()), Ok(node), "{path}");
        if attributes.directory {
            walk(tree, node, &path, out);
        } else {
            out.push(format!("{path} {:03o} {}", attributes.mode, attributes.size));
        }
    }
}

fn all(layout: Layout) -> Vec<String> {
    let (mut device, mut first, mut second) = (device(), [0; 1024], [0; 1024]);
    let mut tree = Tree::new(logged(&mut device, &mut first, &mut second), layout, &mut []);
    let mut out = Vec::new();
    walk(&mut tree, Node::ROOT, "", &mut out);
    out
}

#[test]
fn layouts() {
    assert_eq!(
        all(Layout::Rfc),
        [
            "/static_mr 444 48",
            "/rtmr0/digest 444 32",
            "/rtmr0/hash_algo 444 6",
            "/rtmr0/append_event 200 0",
            "/rtmr0/event_log 444 0",
            "/org!rtmr1/digest 644 80",
            "/org!rtmr1/hash_algo 444 13",
            "/org!rtmr1/append_event 200 0",
            "/org!rtmr1/event_log 444 0",
            "/unlogged/digest 644 32",
            "/unlogged/hash_algo 444 6",
        ]
    );
    assert_eq!(
        all(Layout::Banked),
        [
            "/static_mr 444 48",
            "/rtmr0/record/append_event 200 0",
            "/rtmr0/record/event_log 444 0",
            "/rtmr0/sha256/digest 444 32",
            "/org!rtmr1/record/append_event 200 0",
            "/org!rtmr1/record/event_log 444 0",
            "/org!rtmr1/sha256/digest 644 32",
            "/org!rtmr1/sha384/digest 644 48",
            "/unlogged/sha256/digest 644 32",
        ]
    );
    assert_eq!(
        all(Layout::Linux),
        [
            "/static_mr:sha384 444 48",
            "/rtmr0:sha256 444 32",
            "/org!rtmr1:sha256 644 32",
            "/org!rtmr1:sha384 644 48",
            "/unlogged:sha256 644 32",
        ]
    );
}

#[test]
fn what_is_written_is_read() {
    let (mut device, mut first, mut second) = (device(), [0; 1024], [0; 1024]);
    let below = logged(&mut device, &mut first, &mut second);
    let mut tree = Tree::new(below, Layout::Rfc, &mut []);
    let append = tree.lookup(b"rtmr0/append_event").unwrap();
    assert_eq!(tree.write(append, 99, b"one\ntwo\n"), Ok(8));
    assert_eq!(tree.write(append, 0, b"SYNC x"), Err(Errno::Invalid));
    assert_eq!(tree.read(append, 0, &mut [0; 8]), Err(Errno::Access));
    let log = tree.lookup(b"rtmr0/event_log").unwrap();
    let size = tree.attributes(log).unwrap().size;
    let mut content = [0; 256];
    let read = tree.read(log, 0, &mut content).unwrap();
    assert_eq!(read as u64, size);
    assert!(content[..read].ends_with(b"\n\none\ntwo\n"));

    let digest = tree.lookup(b"org!rtmr1/digest").unwrap();
    let mut digests = A.hash(b"x").as_bytes().to_vec();
    digests.extend_from_slice(B.hash(b"x").as_bytes());
    assert_eq!(tree.write(digest, 0, &digests[1..]), Err(Errno::Invalid));
    assert_eq!(tree.write(digest, 1, &digests), Err(Errno::Invalid));
    assert_eq!(tree.write(digest, 0, &digests), Ok(80));
    let values = tree.provider().provider().all(RegisterId(2));
    let expected: Vec<u8> = values.iter().flat_map(|v| v.as_bytes().to_vec()).collect();
    for offset in 0..100 {
        for size in [0, 1, 31, 32, 33, 79, 80, 100] {
            let mut out = vec![0; size];
            let read = tree.read(digest, offset, &mut out).unwrap();
            let rest = expected.get(offset as usize..).unwrap_or_default();
            assert_eq!(&out[..read], &rest[..rest.len().min(size)], "{size} at {offset}");
        }
    }
    let algorithms = tree.lookup(b"org!rtmr1/hash_algo").unwrap();
    let mut out = [0; 20];
    assert_eq!(tree.read(algorithms, 2, &mut out), Ok(11));
    assert_eq!(&out[..11], b"a256 sha384");
    assert_eq!(tree.read(algorithms, 13, &mut out), Ok(0));
    assert_eq!(tree.read(algorithms, 0, &mut []), Ok(0));
}

// T-25
#[test]
fn one_bank_at_a_time() {
    let (mut device, mut first, mut second) = (device(), [0; 1024], [0; 1024]);
    let below = logged(&mut device, &mut first, &mut second);
    let mut tree = Tree::new(below, Layout::Linux, &mut []);
    let file = tree.lookup(b"/org!rtmr1:sha384").unwrap();
    assert_eq!(tree.write(file, 0, B.hash(b"x").as_bytes()), Ok(48));
    let noted = tree.provider().log(RegisterId(2)).unwrap().storage().as_bytes();
    assert!(noted.starts_with(b"# .EXTEND sha384/"));
    let closed = tree.lookup(b"rtmr0:sha256").unwrap();
    assert_eq!(tree.write(closed, 0, A.hash(b"x").as_bytes()), Err(Errno::Access));
}

#[test]
fn errors() {
    let (mut device, mut first, mut second) = (device(), [0; 100], [0; 1024]);
    let below = logged(&mut device, &mut first, &mut second);
    let mut tree = Tree::new(below, Layout::Rfc, &mut []);
    assert_eq!(tree.lookup(b""), Ok(Node::ROOT));
    assert_eq!(tree.lookup(b"//rtmr0//digest/").map(Node::is_directory), Ok(false));
    assert_eq!(tree.lookup(b"nothing"), Err(Errno::NotFound));
    assert_eq!(tree.lookup(b"rtmr0/digest/x"), Err(Errno::NotDirectory));
    assert_eq!(tree.lookup(b"org/rtmr1"), Err(Errno::NotFound));
    let directory = tree.lookup(b"rtmr0").unwrap();
    assert_eq!(tree.read(directory, 0, &mut []), Err(Errno::IsDirectory));
    assert_eq!(tree.write(directory, 0, b"x"), Err(Errno::IsDirectory));
    let append = tree.lookup(b"rtmr0/append_event").unwrap();
    assert_eq!(tree.write(append, 0, &[b'x'; 90]), Err(Errno::NoSpace));
    let value = tree.lookup(b"static_mr").unwrap();
    assert_eq!(tree.write(value, 0, &[0; 48]), Err(Errno::Access));
    for (kind, errno) in [(ErrorKind::Busy, Errno::Busy), (ErrorKind::StateUnknown, Errno::Io)] {
        assert_eq!(Errno::from(kind), errno);
    }
    assert_eq!(Errno::NoSpace.code(), 28);
}

/// Unhashed values: whole without scratch, in part only with it.
#[test]
fn scratch_serves_partial_reads() {
    struct Report;
    impl Provider for Report {
        type Error = ErrorKind;
        fn name(&self) -> &str {
            "report"
        }
        fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
            (id.0 == 0).then_some(Register::fixed("report", Value::Unhashed(100)))
        }
        fn read(
            &mut self,
            id: RegisterId,
            bank: Option<Algorithm>,
            out: &mut [u8],
        ) -> Result<(), ErrorKind> {
            crate::provider::check_read(self.describe(id).as_ref(), bank, out)?;
            out.iter_mut().zip(0..).for_each(|(b, i)| *b = i);
            Ok(())
        }
        fn extend(&mut self, _: RegisterId, _: &[Digest]) -> Result<(), ErrorKind> {
            Err(ErrorKind::NotPermitted)
        }
    }
    let mut scratch = [0; 100];
    let mut out = [0; 100];
    for layout in [Layout::Rfc, Layout::Banked, Layout::Linux] {
        let mut tree = Tree::new(Report, layout, &mut []);
        let report = tree.lookup(b"report").unwrap();
        assert_eq!(tree.read(report, 0, &mut out), Ok(100));
        assert_eq!(tree.read(report, 1, &mut out), Err(Errno::Io));
        let mut tree = Tree::new(Report, layout, &mut scratch);
        assert_eq!(tree.read(report, 98, &mut out), Ok(2));
        assert_eq!(out[..2], [98, 99]);
    }
}
