//! The shape of a file: how it opens, how long it and its functions are, and that doors hold no logic.

use syn::visit::{self, Visit};
use syn::{Block, Item, Signature, UseTree, Visibility};

use crate::source::{Source, hold, rust_files};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 69;

#[test]
fn files_open_with_what_they_are() {
    assert_eq!(opening(&Source::example("a.rs", "use std::fmt;\n//! Late.")).len(), 1);
    assert_eq!(opening(&Source::example("a.rs", "//!\n//! Empty.")).len(), 1);
    assert!(opening(&Source::example("a.rs", "//! A file.")).is_empty());
    hold("a file's first line says what it is and what it never does", rust_files().iter().flat_map(opening));
}

fn opening(source: &Source) -> Vec<String> {
    let first = source.text.lines().next().unwrap_or_default();
    match first.strip_prefix("//! ") {
        Some(sentence) if !sentence.trim().is_empty() => Vec::new(),
        _ => vec![source.fault(1, "the file does not open with `//! ` and a sentence")],
    }
}

#[test]
fn files_stay_short() {
    assert_eq!(length(&Source::example("a.rs", &"\n".repeat(401))).len(), 1);
    assert!(length(&Source::example("a.rs", &"\n".repeat(400))).is_empty());
    hold(
        "a file of more than 400 lines is two files: split it along its subjects",
        rust_files().iter().flat_map(length),
    );
}

fn length(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX { vec![source.fault(lines, "the file is too long")] } else { Vec::new() }
}

#[test]
fn functions_stay_short() {
    let body = "\n".repeat(70);
    for long in [
        format!("fn f() {{{body}}}"),
        format!("impl S {{ fn f() {{{body}}} }}"),
        format!("trait T {{ fn f() {{{body}}} }}"),
        format!("mod m {{ fn outer() {{ fn f() {{{body}}} }} }}"),
    ] {
        assert!(!functions(&Source::example("a.rs", &long)).is_empty(), "{long}");
    }
    assert!(functions(&Source::example("a.rs", "fn f() {\n}")).is_empty());
    hold("a function fits on a screen: under 70 lines", rust_files().iter().flat_map(functions));
}

fn functions(source: &Source) -> Vec<String> {
    let mut lengths = Lengths { source, faults: Vec::new() };
    lengths.visit_file(&source.syntax());
    lengths.faults
}

struct Lengths<'a> {
    source: &'a Source,
    faults: Vec<String>,
}

impl Lengths<'_> {
    fn measure(&mut self, signature: &Signature, body: &Block) {
        let first = signature.fn_token.span.start().line;
        let lines = body.brace_token.span.close().end().line - first + 1;
        if lines > FUNCTION_LINES_MAX {
            self.faults.push(self.source.fault(first, &format!("`{}` has {lines} lines", signature.ident)));
        }
    }
}

impl<'ast> Visit<'ast> for Lengths<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.measure(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[test]
fn doors_hold_no_logic() {
    for logic in ["fn f() {}", "pub struct S;", "impl S {}", "const C: u8 = 1;", "mod m { fn f() {} }", "use a::b;"] {
        assert_eq!(door(&Source::example("x/mod.rs", logic)).len(), 1, "{logic}");
    }
    assert_eq!(door(&Source::example("x/mod.rs", "pub use m::*;")).len(), 1);
    let clean = "//! A door.\n#[cfg(test)]\nmod tests;\nmod m;\npub use m::{A, B};\npub(crate) use m::C;";
    assert!(door(&Source::example("x/mod.rs", clean)).is_empty());
    hold(
        "a `mod.rs` is a door: docs, `mod` and `pub use` by name; what does something has a file of its own",
        rust_files().iter().flat_map(door),
    );
}

fn door(source: &Source) -> Vec<String> {
    if !source.path.ends_with("/mod.rs") {
        return Vec::new();
    }
    let items = source.syntax().items;
    items
        .iter()
        .filter(|item| !belongs_to_a_door(item))
        .map(|item| source.fault(line(item), "not part of a door"))
        .collect()
}

fn belongs_to_a_door(item: &Item) -> bool {
    if let Item::Use(import) = item {
        return !matches!(import.vis, Visibility::Inherited) && !has_glob(&import.tree);
    }
    matches!(item, Item::Mod(module) if module.content.is_none())
}

fn has_glob(tree: &UseTree) -> bool {
    match tree {
        UseTree::Path(path) => has_glob(&path.tree),
        UseTree::Group(group) => group.items.iter().any(has_glob),
        UseTree::Glob(_) => true,
        UseTree::Name(_) | UseTree::Rename(_) => false,
    }
}

fn line(item: &Item) -> usize {
    syn::spanned::Spanned::span(item).start().line
}
