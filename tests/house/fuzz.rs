//! Every decoder is fuzzed: each stands in a body of `protocol::fuzzing`, and each body of any crate behind a target of
//! one line.

use syn::visit::{self, Visit};
use syn::{Ident, Visibility};

use crate::source::{Source, file, hold, lines_with, rust_files};

const BODIES: &str = "protocol/src/fuzzing.rs";

/// The files that have fuzz bodies.
const ALL_BODIES: [&str; 4] = [BODIES, "bridge-ws/src/fuzzing.rs", "client/src/fuzzing.rs", "broker/src/fuzzing.rs"];
const TARGETS: &str = "fuzz/fuzz_targets/";

#[test]
fn every_public_decoder_stands_in_a_fuzz_body() {
    let bodies = Source::example(BODIES, "pub fn client(b: &[u8]) { decode_client(b); }");
    let decoders =
        Source::example("protocol/src/x.rs", "pub fn decode_server() {}\nimpl D { pub fn poll_body(&mut self) {} }");
    assert_eq!(unfuzzed(&[decoders], &bodies).len(), 2);
    let covered = Source::example("protocol/src/x.rs", "pub fn decode_client() {}\nfn decode() {}");
    assert!(unfuzzed(&[covered], &bodies).is_empty());

    let files = rust_files();
    let protocol: Vec<Source> = files.into_iter().filter(|file| file.path.starts_with("protocol/src/")).collect();
    assert!(
        !protocol.iter().flat_map(public_functions).any(|name| name == "decode"),
        "`decode*` names what is decoded"
    );
    hold(
        "what reads a stranger's bytes is fuzzed: coverage of entry points is what failed others, not hours",
        unfuzzed(&protocol, &file(BODIES)),
    );
}

fn unfuzzed(protocol: &[Source], bodies: &Source) -> Vec<String> {
    let words = bodies.words();
    let mut faults = Vec::new();
    for source in protocol {
        let decoders = public_functions(source).into_iter().filter(|name| is_decoder(&name.to_string()));
        let absent = decoders.filter(|name| lines_with(&words, &[&name.to_string()]).is_empty());
        faults
            .extend(absent.map(|name| source.fault(name.span().start().line, &format!("no fuzz body calls `{name}`"))));
    }
    faults
}

fn is_decoder(name: &str) -> bool {
    name.starts_with("decode") || name == "poll_body"
}

#[test]
fn every_fuzz_body_has_a_target_of_one_line() {
    let bodies = Source::example(BODIES, "pub fn a(x: &[u8]) {}\npub fn b(x: &[u8]) {}");
    let one =
        "//! Any bytes.\n#![no_main]\n\nlibfuzzer_sys::fuzz_target!(|x: &[u8]| callboard_protocol::fuzzing::a(x));\n";
    let manifest = Source::example("fuzz/Cargo.toml", "[[bin]]\nname = \"a\"\n[[bin]]\nname = \"b\"");
    let target = |name: &str, text: &str| Source::example(&format!("{TARGETS}{name}.rs"), text);
    assert_eq!(untargeted(&bodies, &[target("a", one)], &manifest).len(), 1, "b has no target");
    let law = one.replace(");\n", ");\nfn law() {}\n");
    assert_eq!(
        untargeted(&bodies, &[target("a", &law), target("b", &one.replace("::a(", "::b("))], &manifest).len(),
        1
    );
    let unlisted = Source::example("fuzz/Cargo.toml", "[[bin]]\nname = \"a\"");
    assert_eq!(untargeted(&bodies, &[target("a", one), target("b", &one.replace("::a(", "::b("))], &unlisted).len(), 1);
    assert!(untargeted(&bodies, &[target("a", one), target("b", &one.replace("::a(", "::b("))], &manifest).is_empty());

    let targets: Vec<Source> = rust_files().into_iter().filter(|file| file.path.starts_with(TARGETS)).collect();
    hold(
        "the laws stand in a crate's `fuzzing`, where `cargo test` replays them; a target is one line that calls its namesake",
        ALL_BODIES.iter().flat_map(|bodies| untargeted(&file(bodies), &targets, &file("fuzz/Cargo.toml"))),
    );
}

fn untargeted(bodies: &Source, targets: &[Source], manifest: &Source) -> Vec<String> {
    let names: Vec<String> = public_functions(bodies).iter().map(Ident::to_string).collect();
    let calls = |target: &Source, name: &str| !lines_with(&target.words(), &["fuzzing", ":", ":", name]).is_empty();
    let is_target = |target: &Source, name: &str| target.path == format!("{TARGETS}{name}.rs") && calls(target, name);
    let is_listed = |name: &str| manifest.text.lines().any(|line| line == format!("name = \"{name}\""));
    let absent = names.iter().filter(|name| !targets.iter().any(|target| is_target(target, name)));
    let unlisted = names.iter().filter(|name| !is_listed(name));
    let long = targets.iter().filter(|target| statements(target) != 1);
    absent
        .map(|name| format!("{}: `{name}` has no target {TARGETS}{name}.rs", bodies.path))
        .chain(unlisted.map(|name| format!("{}: has no [[bin]] `{name}`", manifest.path)))
        .chain(long.map(|target| target.fault(1, "a target is one line")))
        .collect()
}

/// Lines that are neither empty, comment nor inner attribute.
fn statements(target: &Source) -> usize {
    let lines = target.text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with("//") && !line.starts_with("#![")).count()
}

fn public_functions(source: &Source) -> Vec<Ident> {
    let mut names = PublicFunctions(Vec::new());
    names.visit_file(&source.syntax());
    names.0
}

struct PublicFunctions(Vec<Ident>);

impl<'ast> Visit<'ast> for PublicFunctions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if matches!(function.vis, Visibility::Public(_)) {
            self.0.push(function.sig.ident.clone());
        }
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if matches!(function.vis, Visibility::Public(_)) {
            self.0.push(function.sig.ident.clone());
        }
        visit::visit_impl_item_fn(self, function);
    }
}
