//! The paths that `crates/web/src/routes.rs` names, with their methods. Tests that concern every path read them here, so
//! that a new path is tested too.

/// The beginning of the expression that adds a path, and the one that adds a folder of files.
const PATH: &str = ".service(at(\"";
const FOLDER: &str = ".service(Files::new(\"";

/// A path of the shop, as `routes.rs` writes it: `/api/products/{id}`.
pub struct Route {
    pub path: &'static str,
    /// The methods that it answers, in the order in which `Allow` names them.
    pub methods: Vec<&'static str>,
}

/// All paths, in the order of `routes.rs`. The folder of files is one of them.
#[track_caller]
pub fn routes() -> Vec<Route> {
    let source = include_str!("../../src/routes.rs");
    let services: Vec<&str> = source.lines().filter(|line| line.contains(".service(")).collect();
    let routes: Vec<Route> = services.iter().map(|line| route(line)).collect();
    // A path that is added in another way would be left out.
    assert_eq!(source.matches("at(\"").count() + source.matches("Files::new(").count(), routes.len());
    routes
}

#[track_caller]
fn route(line: &'static str) -> Route {
    let begin = if line.contains(FOLDER) { FOLDER } else { PATH };
    let (_, rest) = line.split_once(begin).unwrap_or_else(|| panic!("no path: {line}"));
    let (path, handlers) = rest.split_once('"').unwrap();
    let mut methods = Vec::new();
    for call in handlers.split('.').skip(1) {
        match call.split('(').next() {
            Some("get") => methods.extend(["GET", "HEAD"]),
            Some("post") => methods.push("POST"),
            _ => {}
        }
    }
    if begin == FOLDER {
        methods.extend(["GET", "HEAD"]);
    }
    assert!(!methods.is_empty(), "no method: {line}");
    Route { path, methods }
}
