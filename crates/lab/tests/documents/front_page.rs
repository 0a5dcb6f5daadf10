//! The front page of `cargo doc` is the page of `flash_sale_core`. That crate depends on none of the crates that the
//! page leads to.

use flash_sale_lab::guide::drift::rust_files;
use flash_sale_lab::guide::links;

use crate::{members, read, root};

/// rustdoc can't check links to crates that the front page's crate doesn't depend on.
#[test]
fn the_front_page_of_the_documentation_leads_to_what_is_there() {
    let front = read("crates/core/src/lib.rs");
    let links: Vec<&str> = links(&front).filter_map(|link| link.strip_prefix("../")).collect();

    assert!(links.len() > 8, "{links:?}");
    for link in links {
        assert!(is_documented(link), "{link}");
        let (crate_name, item) = link.split_once('/').unwrap();
        assert!(!is_documented(&format!("{crate_name}x/{item}")), "{link}");
        let wrong = link.replace("/index.html", "x/index.html").replace(".html#", "x.html#");
        let wrong = if wrong == link { link.replace(".html", "x.html") } else { wrong };
        assert!(!is_documented(&wrong), "{wrong}");
    }
}

/// Whether rustdoc makes this page, for example `flash_sale_web/routes/index.html`
/// or `flash_sale_services/struct.OrderService.html`.
fn is_documented(page: &str) -> bool {
    let (page, method) = page.split_once("#method.").map_or((page, None), |(page, name)| (page, Some(name)));
    let (crate_name, item) = page.split_once('/').unwrap();
    let is_of_it = |member: &String| {
        let manifest = read(format!("{member}/Cargo.toml"));
        manifest.contains(&format!("name = \"{}\"\n", crate_name.replace('_', "-")))
    };
    let Some(member) = members().into_iter().find(is_of_it) else { return false };
    let sources = rust_files(&root().join(&member).join("src")).unwrap();
    let has = |code: &str| sources.iter().any(|path| read(path).contains(code));
    let is_there = match item.strip_suffix(".html").and_then(|item| item.split_once('.')) {
        Some((kind, name)) => has(&format!("pub {kind} {name}")) && !name.is_empty(),
        None => match item.strip_suffix("index.html") {
            Some("") => true,
            Some(module) => has(&format!("pub mod {};\n", module.trim_end_matches('/'))),
            None => false,
        },
    };
    is_there && method.is_none_or(|name| has(&format!("pub async fn {name}(")))
}
